// What Prometheus and Grafana are given: what to scrape, the rules of alerts/ and the dashboards.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import { stringify } from 'yaml';

import { ROOT, ci, kustomize, one, scratch, template, text, yaml } from './support.mjs';

const STACK = { release: 'kube-prometheus-stack' };
const kind = (all, wanted) => all.filter((object) => object.kind === wanted);
const all = template(ci.monitoring);

test('nothing of it is there unasked, and each has its own switch', () => {
  const MONITORING = ['PodMonitor', 'PrometheusRule', 'ConfigMap'];
  const made = (values) => [...new Set(template(values).map((object) => object.kind))].filter((name) => MONITORING.includes(name));
  assert.deepEqual(made({}), []);
  assert.deepEqual(made({ podMonitor: { enabled: true } }), ['PodMonitor']);
  assert.deepEqual(made({ prometheusRule: { enabled: true } }), ['PrometheusRule']);
  assert.deepEqual(made({ prometheusRule: { cluster: true } }), []);
  assert.deepEqual(made({ dashboards: { enabled: true } }), ['ConfigMap']);
});

test('kube-prometheus-stack selects all of it', () => {
  const found = all.filter(({ metadata }) => metadata.labels.release === STACK.release);
  assert.deepEqual(found.map((object) => object.kind).sort(),
    [...Array(6).fill('ConfigMap'), 'PodMonitor', ...Array(4).fill('PrometheusRule')]);
  const other = template({ ...ci.monitoring, monitoringLabels: { release: 'mine' } });
  assert.equal(other.filter(({ metadata }) => metadata.labels.release === 'mine').length, found.length);
});

/** What a target's labels become, as Prometheus relabels them. */
function relabel(meta, configs) {
  const labels = { ...meta };
  for (const { action = 'replace', sourceLabels = [], targetLabel, regex = '(.*)', replacement = '$1' } of configs) {
    const pattern = new RegExp(`^(?:${regex})$`);
    if (action === 'labeldrop') {
      for (const name of Object.keys(labels)) if (pattern.test(name)) delete labels[name];
    } else {
      assert.equal(action, 'replace');
      const match = sourceLabels.map((name) => labels[name] ?? '').join(';').match(pattern);
      if (match) labels[targetLabel] = replacement.replace('$1', match[1] ?? '');
    }
  }
  return Object.fromEntries(Object.entries(labels).filter(([name, value]) => !name.startsWith('__') && value !== ''));
}
// As the operator has set them before it comes to relabelings of one's own.
const TARGET = {
  __meta_kubernetes_pod_node_name: 'node-1', __meta_kubernetes_node_label_topology_kubernetes_io_zone: 'z1',
  job: 'storage/volumeter', instance: '10.0.0.1:10098', namespace: 'storage', pod: 'volumeter-x2x7k', container: 'volumeter', endpoint: 'metrics',
};
const target = (podMonitor) => relabel(TARGET,
  one(template({ podMonitor: { enabled: true, ...podMonitor } }), 'PodMonitor').spec.podMetricsEndpoints[0].relabelings);

test('a target has the labels of docs/alerts.md, and no other', () => {
  assert.deepEqual(target({}), { job: 'volumeter', node: 'node-1', instance: 'node-1' });
  assert.deepEqual(target({ cluster: 'west', zone: true }), { job: 'volumeter', node: 'node-1', instance: 'node-1', cluster: 'west', zone: 'z1' });
  const [, block] = text('docs/alerts.md').match(/```yaml\nglobal[^]*?relabel_configs:\n([^]*?)```/);
  const wanted = [...block.matchAll(/target_label: (\w+)/g)].map(([, label]) => label);
  assert.deepEqual(['job', ...wanted].sort(), Object.keys(target({})).sort());
  for (const file of ['volumes', 'agent', 'recording', 'cluster']) {
    for (const [, job] of text(`alerts/${file}.yaml`).matchAll(/job="([^"]*)"/g)) assert.equal(job, target({}).job);
  }
});

test('it is scraped as docs/alerts.md says', () => {
  const { podMetricsEndpoints: [endpoint], attachMetadata } = one(all, 'PodMonitor').spec;
  const [, interval] = text('docs/alerts.md').match(/scrape_interval: (\w+)/);
  assert.match(text('docs/alerts.md'), /honor_labels: true/);
  assert.equal(endpoint.interval, interval);
  assert.equal(endpoint.honorLabels, true);
  assert.equal(endpoint.scrapeTimeout, undefined);
  assert.equal(attachMetadata, undefined);
  assert.deepEqual(one(template({ podMonitor: { enabled: true, zone: true } }), 'PodMonitor').spec.attachMetadata, { node: true });
});

test('TLS, passwords and relabelings arrive', () => {
  const [endpoint] = one(template(ci.everything), 'PodMonitor').spec.podMetricsEndpoints;
  const { tlsConfig, basicAuth, metricRelabelings, scrapeTimeout } = ci.everything.podMonitor;
  assert.deepEqual([endpoint.tlsConfig, endpoint.basicAuth, endpoint.metricRelabelings, endpoint.scrapeTimeout],
    [tlsConfig, basicAuth, metricRelabelings, scrapeTimeout]);
});

const FILES = ['recording', 'volumes', 'agent', 'cluster'];
const byName = (found) => Object.fromEntries(found.map(({ metadata, spec }) => [metadata.name.replace('volumeter-', ''), spec]));

test('the rules are those of alerts/', () => {
  const wanted = Object.fromEntries(FILES.map((file) => [file, yaml(`alerts/${file}.yaml`)]));
  assert.ok(wanted.volumes.groups.flatMap(({ rules }) => rules).length > 20);
  assert.deepEqual(byName(kind(all, 'PrometheusRule')), wanted);
  const { cluster, ...rest } = wanted;
  assert.deepEqual(byName(kind(template({ prometheusRule: { enabled: true } }), 'PrometheusRule')), rest);
  assert.deepEqual(byName(kind(kustomize(`${ROOT}deploy/kustomize/prometheus-operator`), 'PrometheusRule')), rest);
  assert.deepEqual(byName(kustomize(`${ROOT}deploy/kustomize/prometheus-operator/cluster`)), { cluster });
  // A file that is new has to be put into the chart, or here.
  assert.deepEqual(readdirSync(`${ROOT}alerts`).filter((file) => file.endsWith('.yaml')).sort(),
    [...FILES, 'alertmanager'].map((file) => `${file}.yaml`).sort());
});

test('promtool finds nothing in them', () => {
  for (const values of [ci.monitoring, ci.everything]) {
    for (const { metadata, spec } of kind(template(values), 'PrometheusRule')) {
      const file = join(scratch, `${metadata.name}.yaml`);
      writeFileSync(file, stringify(spec, { version: '1.1' }));
      execFileSync('promtool', ['check', 'rules', file], { stdio: 'pipe' });
    }
  }
});

test('links lead where they are set to', () => {
  const linked = template(ci.everything).filter(({ kind }) => ['PrometheusRule', 'ConfigMap'].includes(kind));
  const rendered = JSON.stringify(linked);
  assert.doesNotMatch(rendered, /volumeter\.io\/docs|grafana\.example\.com/);
  const count = (words) => JSON.stringify(kind(all, 'PrometheusRule').concat(kind(all, 'ConfigMap'))).split(words).length;
  assert.ok(count('https://volumeter.io/docs') > 40 && count('https://grafana.example.com') > 40);
  assert.equal(rendered.split('https://docs.example.com/volumeter/runbooks/').length, count('https://volumeter.io/docs/runbooks/'));
  assert.equal(rendered.split('https://dashboards.example.com/d/').length, count('https://grafana.example.com/d/'));
});

const dashboards = readdirSync(`${ROOT}dashboards`).filter((file) => /^volumeter-.*\.json$/.test(file));

test('the dashboards are those of dashboards/', () => {
  const maps = kind(all, 'ConfigMap');
  assert.equal(maps.length, dashboards.length);
  assert.deepEqual(maps.flatMap(({ data }) => Object.keys(data)).sort(), dashboards);
  for (const { metadata, data } of maps) {
    const [[file, json]] = Object.entries(data);
    assert.deepEqual(JSON.parse(json), JSON.parse(text(`dashboards/${file}`)));
    assert.equal(metadata.name, file.replace('volumeter-', 'volumeter-dashboard-').replace('.json', ''));
    assert.equal(metadata.labels.grafana_dashboard, '1');
    assert.equal(metadata.annotations, undefined);
    // kubectl apply keeps a copy in an annotation, and those have at most 256 KiB together.
    assert.ok(JSON.stringify({ metadata, data }).length < 250_000, file);
  }
  const foldered = kind(template({ dashboards: { enabled: true, folder: 'Storage', label: 'find', labelValue: 'me' } }), 'ConfigMap');
  assert.ok(foldered.every(({ metadata }) => metadata.annotations.grafana_folder === 'Storage' && metadata.labels.find === 'me'));
});
