// @ts-check
// `make demo`, without the building: what it prints leads somewhere, and nothing is left of it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually, noDemo } from './servers.mjs';
import { ROOT } from './support.mjs';

const installed = ['prometheus', 'prometheus-alertmanager', 'curl'].every((name) => spawnSync('which', [name]).status === 0);
const skip = noDemo || (installed ? false : 'Prometheus and Alertmanager aren\'t installed');

/** @returns {Promise<string>} */
const freeAddress = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    server.close(() => resolve(`127.0.0.1:${port}`));
  });
});

test('the demonstration', { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'volumeter-demo-test-'));
  const [agent, prometheus, alertmanager] = [await freeAddress(), await freeAddress(), await freeAddress()];
  const demo = spawn(`${ROOT}scripts/demo.sh`, {
    env: {
      ...process.env, TMPDIR: directory, VOLUMETER_BUILD: process.env.VOLUMETER_BUILD ?? `${ROOT}build/dev`,
      VOLUMETER_DEMO_SOCKET: `${directory}/socket`, VOLUMETER_DEMO_LISTEN: agent,
      VOLUMETER_DEMO_PROMETHEUS: prometheus, VOLUMETER_DEMO_ALERTMANAGER: alertmanager,
    },
  });
  let said = '';
  for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (data) => { said += data; });
  const ended = new Promise((resolve) => { demo.once('exit', resolve); });
  t.after(async () => {
    demo.kill('SIGINT');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  });
  for (let i = 0; i < 900 && !said.includes('Ctrl-C ends it.') && demo.exitCode === null; ++i) await sleep(100);

  const links = [...said.matchAll(/http:\/\/\S+/g)].map(([link]) => link);
  assert.ok(links.length >= 6, said);
  for (const link of links) await eventually(link);
  const query = async (/** @type {string} */ expr) =>
    JSON.parse(await eventually(`http://${prometheus}/api/v1/query?query=${encodeURIComponent(expr)}`)).data.result;
  for (let i = 0; i < 120 && (await query('claim:volumeter_volume_usage_ratio:max >= 0.9')).length === 0; ++i) await sleep(500);
  const full = await query('claim:volumeter_volume_usage_ratio:max >= 0.9');
  assert.equal(full[0]?.metric.persistentvolumeclaim, 'data-orders-2', 'it is scraped, and the rules are evaluated');
  const targets = JSON.parse(await eventually(`http://${prometheus}/api/v1/alertmanagers`)).data;
  assert.equal(targets.activeAlertmanagers.length, 1);

  demo.kill('SIGINT');
  assert.equal(await ended, 130);
  for (const address of [agent, prometheus, alertmanager]) {
    await assert.rejects(fetch(`http://${address}/`), 'nobody answers any more');
  }
  assert.deepEqual(readdirSync(directory), [], 'and nothing is left');
});
