// @ts-check
// Real servers for tests of pages: the demonstration node, an agent by itself, and Chromium.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { chromium } from 'playwright-core';

import { ROOT } from './support.mjs';

const BUILD = process.env.VOLUMETER_BUILD ?? `${ROOT}build/dev`;
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));

/** Why tests with a browser can't run; false: they can. */
export const noBrowser = CHROMIUM ? (existsSync(`${BUILD}/volumeter`) ? false : `${BUILD}/volumeter isn't built`) : 'Chromium isn\'t installed';
/** The same of those that need the demonstration node. */
export const noDemo = noBrowser || (process.getuid?.() === 0 && spawnSync('losetup', ['-f']).status === 0 ? false : 'needs root and loop devices');

export const browse = () => chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });

/** @param {string} url @param {Record<string, string>} [headers] */
export async function eventually(url, headers = {}) {
  for (let i = 0; i < 300; ++i) {
    const answer = await fetch(url, { headers }).catch(() => null);
    if (answer?.ok) return answer.text();
    await sleep(100);
  }
  throw new Error(`${url} does not answer`);
}

/** A program that says where it listens. It is ended by `end`, which waits for it. */
class Server {
  /** @param {string} path @param {string[]} flags @param {Record<string, string>} env @param {() => void} after */
  constructor(path, flags, env, after) {
    this.after = after;
    this.process = spawn(path, flags, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((resolve) => { this.process.once('exit', resolve); });
    this.log = '';
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (data) => { this.log += data; });
  }
  /** @param {RegExp} says */
  async started(says) {
    for (let i = 0; i < 600 && this.process.exitCode === null; ++i) {
      const found = says.exec(this.log);
      if (found) {
        this.url = `http://127.0.0.1:${found[1]}/`;
        await eventually(`${this.url}readyz`);
        return this;
      }
      await sleep(100);
    }
    await this.end();
    throw new Error(`it does not start:\n${this.log}`);
  }
  async end() {
    this.process.kill('SIGTERM');
    await this.ended;
    this.after();
  }
}

/** As `make run` starts it. */
export function demoNode() {
  const directory = mkdtempSync(join(tmpdir(), 'volumeter-page-'));
  const env = { VOLUMETER_DEMO_LISTEN: '127.0.0.1:0', VOLUMETER_DEMO_SOCKET: `${directory}/socket` };
  const server = new Server(`${BUILD}/tests/demo-node`, [], env, () => rmSync(directory, { recursive: true }));
  return server.started(/status page {2}http:\/\/127\.0\.0\.1:(\d+)\//);
}

/** An agent whose kubelet has a pod with an emptyDir of each name. @param {string[]} volumes */
export function agentWith(volumes) {
  const directory = mkdtempSync(join(tmpdir(), 'volumeter-page-'));
  for (const volume of volumes) {
    mkdirSync(`${directory}/pods/00000000-0000-4000-8000-000000000001/volumes/kubernetes.io~empty-dir/${volume}`, { recursive: true });
  }
  const flags = ['agent', `--path.kubelet=${directory}`, '--web.listen-address=127.0.0.1:0', '--interval=5s', '--no-measure.latency'];
  const server = new Server(`${BUILD}/volumeter`, flags, {}, () => rmSync(directory, { recursive: true }));
  return server.started(/port="(\d+)"/);
}
