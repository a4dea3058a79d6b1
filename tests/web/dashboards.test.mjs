// @ts-check
// What holds for each dashboard, whatever it shows.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';

import { ROOT, dashboards, overridden, panels } from './support.mjs';

const uids = dashboards.map(({ uid }) => uid);
const installed = (/** @type {string} */ name) =>
  existsSync(`${ROOT}node_modules/${name}`) ? false : `${name} is not installed: npm ci`;
const grafana = installed('@grafana/grafana-foundation-sdk');

test('the committed files are what the sources make', { skip: grafana }, async () => {
  const { generate } = await import('../../dashboards/src/all.mjs');
  const made = generate();
  assert.equal(made.length, dashboards.length);
  for (const { file, text } of made) {
    assert.equal(readFileSync(file, 'utf8'), text, `${file} is old: npm run dashboards`);
  }
});

test('the types hold', { skip: installed('typescript') }, () => {
  execFileSync(process.execPath, [`${ROOT}node_modules/typescript/bin/tsc`, '-p', `${ROOT}dashboards/tsconfig.json`],
    { stdio: ['ignore', 'inherit', 'inherit'] });
});

test('Grafana knows the units', { skip: grafana }, async () => {
  const known = new Set(Object.values(await import('@grafana/grafana-foundation-sdk/units')));
  for (const panel of dashboards.flatMap(panels)) {
    const columns = overridden(panel).filter((/** @type {any} */ { id }) => id === 'unit');
    for (const unit of [panel.fieldConfig.defaults.unit, ...columns.map((/** @type {any} */ { value }) => value)]) {
      assert.ok(known.has(unit) || /^suffix:\S+$/.test(unit), `${panel.title}: unit ${unit}`);
    }
  }
});

test('uids and titles are those that links and people know', () => {
  assert.deepEqual(Object.fromEntries(dashboards.map(({ uid, title }) => [uid, title])), {
    'volumeter-agent': 'volumeter itself',
    'volumeter-claim': 'Claim',
    'volumeter-fleet': 'Storage overview',
    'volumeter-node': 'Node',
    'volumeter-probe': 'Prober and benchmark',
    'volumeter-statefulset': 'StatefulSet',
  });
  assert.equal(new Set(uids).size, uids.length);
});

for (const dashboard of dashboards) {
  test(`${dashboard.uid}: each panel says what it is, in which unit, and what nothing means`, () => {
    const titles = panels(dashboard).map((panel) => panel.title);
    assert.equal(new Set(titles).size, titles.length, 'titles differ');
    assert.deepEqual(titles.filter((title) => /: |#|\//.test(title)), [], 'titles are parts of keys in YAML');
    assert.ok(dashboard.description.length > 20);
    for (const panel of panels(dashboard)) {
      const { unit, noValue } = panel.fieldConfig.defaults;
      assert.ok(unit, `${panel.title}: no unit`);
      assert.match(panel.description, /^[A-Z0-9].{10,}\.$/, `${panel.title}: no description`);
      assert.ok(panel.description.split(/\. /).length <= 4, `${panel.title}: a long description`);
      assert.ok(noValue?.length > 10 && !/^no data|^0/i.test(noValue), `${panel.title}: says nothing of nothing`);
      assert.deepEqual(panel.datasource, { type: 'prometheus', uid: '${datasource}' }, panel.title);
      if (panel.type === 'table') {
        const dash = (/** @type {any} */ { id, value }) => id === 'noValue' && value === '–';
        assert.ok(overridden(panel).some(dash), `${panel.title}: cells`);
        // Rows are merged where all labels agree: what isn't shown, as a series' name, has to go before.
        const steps = panel.transformations.map((/** @type {any} */ { id }) => id).join(' ');
        assert.match(steps, panel.targets.length > 1 ? /^filterFieldsByName merge organize$/ : /^filterFieldsByName organize$/);
      }
    }
  });

  test(`${dashboard.uid}: panels lie beside each other`, () => {
    /** @type {any[]} */
    const placed = dashboard.panels.flatMap((/** @type {any} */ panel) => [panel, ...(panel.panels ?? [])]);
    const ids = placed.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, 'ids differ');
    const taken = new Map();
    for (const { title, gridPos: { x, y, w, h } } of placed) {
      assert.ok(x >= 0 && x + w <= 24, `${title}: outside`);
      for (let column = x; column < x + w; ++column) {
        for (let line = y; line < y + h; ++line) {
          const cell = `${column},${line}`;
          assert.ok(!taken.has(cell), `${title} lies on ${taken.get(cell)}`);
          taken.set(cell, title);
        }
      }
    }
  });

  test(`${dashboard.uid}: usage is drawn with what warns and what pages`, () => {
    const usage = /usage_ratio(:max)?\{/;
    const steps = (/** @type {any} */ value) => value.steps.map((/** @type {any} */ step) => step.value);
    for (const panel of panels(dashboard)) {
      const { defaults } = panel.fieldConfig;
      if (!panel.targets.some((/** @type {any} */ { expr }) => usage.test(expr))) continue;
      if (['Skew of usage', 'Claims over 90 %'].includes(panel.title)) continue;
      if (panel.type === 'table') {
        const drawn = overridden(panel).filter(
          (/** @type {any} */ { id, value }) => id === 'thresholds' && steps(value).includes(0.8));
        assert.ok(drawn.length > 0, `${panel.title}: a column of usage without thresholds`);
        for (const { value } of drawn) assert.deepEqual(steps(value), [null, 0.8, 0.9], panel.title);
        continue;
      }
      assert.deepEqual(steps(defaults.thresholds), [null, 0.8, 0.9], panel.title);
      if (panel.type === 'timeseries') assert.equal(defaults.custom.thresholdsStyle.mode, 'dashed', panel.title);
    }
  });
}
