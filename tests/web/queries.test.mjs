// @ts-check
// What holds for each query: that it is PromQL, of series that there are.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import {
  ROOT, VALUES, all, dashboards, documented, metricsOf, name, panels, quiet, records, selectors,
} from './support.mjs';

// What Prometheus and kube-state-metrics say, beside the agent and the rules.
const OTHERS = /^(ALERTS|ALERTS_FOR_STATE|up|scrape_duration_seconds|scrape_samples_scraped|kube_\w+)$/;
// Labels of targets and of rules.
const TARGET = ['cluster', 'node', 'zone', 'job'];
const RECORDED = ['cluster', 'node', 'namespace', 'persistentvolumeclaim', 'storageclass', 'csi_driver', 'reason',
  'operation', 'device', 'mountpoint', 'fstype', 'owner_kind', 'owner_name'];

test('all metrics are documented, all records are recorded', () => {
  const metrics = documented();
  const recorded = records();
  assert.ok(metrics.size > 150 && recorded.size > 30, 'the documents are read');
  for (const query of all) {
    const names = metricsOf(query.expr);
    assert.ok(names.length > 0, `${name(query)} asks for nothing`);
    for (const metric of names) {
      const known = metrics.has(metric) || recorded.has(metric) || OTHERS.test(metric);
      assert.ok(known, `${name(query)}: there is no ${metric}`);
    }
  }
});

test('metrics have the labels that are asked for', () => {
  const metrics = documented();
  for (const query of all) {
    for (const { metric, labels } of selectors(query.expr)) {
      const known = metrics.get(metric);
      const allowed = known ? [...known, ...TARGET] : metric.includes(':') ? RECORDED : null;
      for (const label of allowed ? labels : []) {
        assert.ok(allowed?.includes(label), `${name(query)}: ${metric} has no label ${label}`);
      }
    }
  }
});

test('variables are there, and no matcher of cluster needs a cluster', () => {
  for (const dashboard of dashboards) {
    const known = new Set(dashboard.templating.list.map((/** @type {any} */ one) => one.name));
    assert.equal(dashboard.templating.list[0].type, 'datasource');
    const cluster = dashboard.templating.list.find((/** @type {any} */ one) => one.name === 'cluster');
    assert.ok(cluster.includeAll && cluster.allValue === '.*', 'All matches series without a cluster');
    const exprs = [
      ...panels(dashboard).flatMap((panel) => panel.targets.map((/** @type {any} */ { expr }) => expr)),
      ...dashboard.templating.list.map((/** @type {any} */ one) => one.query?.query ?? ''),
    ];
    for (const expr of exprs) {
      for (const [, variable] of expr.matchAll(/\$([a-z]\w*)/g)) {
        assert.ok(known.has(variable), `${expr}: no $${variable}`);
      }
      assert.doesNotMatch(expr, /cluster="/, 'cluster is matched by a regular expression');
      assert.doesNotMatch(expr, /\brate\([^[]*\[(?!\$__rate_interval\])/, `${expr}: a rate over another interval`);
    }
  }
});

test('no zero is invented', () => {
  for (const dashboard of dashboards) {
    for (const panel of panels(dashboard)) {
      for (const { expr } of panel.targets) {
        assert.doesNotMatch(expr, /vector\s*\(/, `${panel.title}: a value out of nothing`);
        const truthful = /or 0 \* (count|sum)/.test(expr);
        if (truthful) assert.match(panel.description, /\b0( is said|:)/, `${panel.title}: says when 0 is the truth`);
      }
    }
  }
});

test('what finds nothing on the demonstration node is listed with a reason', () => {
  const names = all.map(name);
  assert.equal(new Set(names).size, names.length);
  const listed = quiet();
  assert.ok(listed.length > 0);
  assert.equal(new Set(listed.map(({ key }) => key)).size, listed.length, 'once');
  for (const { key, why } of listed) {
    assert.ok(names.includes(key), `${key}: there is no such query`);
    assert.ok(why.length > 10 && !/: |#/.test(why), `${key}: ${why}`);
  }
});

test('the list of queries is JSON, and a wrong flag is told', () => {
  const script = `${ROOT}dashboards/src/queries.mjs`;
  const flags = Object.entries(VALUES).flatMap(([flag, value]) => [`--${flag}`, value]);
  const printed = JSON.parse(execFileSync(process.execPath, [script, ...flags], { encoding: 'utf8' }));
  assert.deepEqual(printed, all);
  assert.ok(printed.every((/** @type {any} */ { expr }) => !/\$[a-z_]/.test(expr)), 'no variable is left');
  const wrong = spawnSync(process.execPath, [script, 'cluster'], { encoding: 'utf8' });
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /"cluster" is not allowed here: --VARIABLE VALUE/);
});

const promtool = spawnSync('promtool', ['--version']).status === 0 ? false : 'promtool is not installed (prometheus)';
test('Prometheus reads each query', { skip: promtool }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'volumeter-dashboards-'));
  try {
    const rules = all.map(({ expr }, index) => ({ record: `query:number_${index}`, expr }));
    writeFileSync(join(folder, 'queries.yaml'), JSON.stringify({ groups: [{ name: 'queries', rules }] }));
    const file = join(folder, 'queries.yaml');
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
