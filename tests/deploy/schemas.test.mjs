// That the validator refuses what the API server would.
import assert from 'node:assert/strict';
import test from 'node:test';

import { faults } from './schemas.mjs';
import { ci, one, podSpec, template } from './support.mjs';

const render = () => template(ci.everything);
/** Faults of the object of a kind after a change. */
function broken(kind, change) {
  const object = one(render(), kind);
  assert.deepEqual(faults(object), []);
  change(object);
  return faults(object);
}

test('a misspelt field is refused, however deep', () => {
  const spec = (/** @type {any} */ daemonset) => podSpec([daemonset]);
  for (const [change, path] of [
    [(o) => { o.metadata.annnotations = {}; }, '/metadata/annnotations'],
    [(o) => { o.spec.updateStrategy.rollingUpdate.maxUnavailble = 1; }, '/spec/updateStrategy/rollingUpdate/maxUnavailble'],
    [(o) => { spec(o).hostPid = true; }, '/spec/template/spec/hostPid'],
    [(o) => { spec(o).containers[0].volumeMounts[0].mountPropogation = 'None'; },
      '/spec/template/spec/containers/0/volumeMounts/0/mountPropogation'],
    [(o) => { spec(o).containers[0].securityContext.capabilities.adds = ['BPF']; },
      '/spec/template/spec/containers/0/securityContext/capabilities/adds'],
    [(o) => { spec(o).containers[0].livenessProbe.httpGet.shceme = 'HTTPS'; },
      '/spec/template/spec/containers/0/livenessProbe/httpGet/shceme'],
    [(o) => { spec(o).affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpresions = []; },
      '/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchExpresions'],
  ]) {
    assert.deepEqual(broken('DaemonSet', change), [`${path}: unknown field`]);
  }
});

test('so are those of the operator', () => {
  assert.deepEqual(broken('PodMonitor', (o) => { o.spec.podMetricsEndpoints[0].relabelings[0].target_label = 'job'; }),
    ['/spec/podMetricsEndpoints/0/relabelings/0/target_label: unknown field']);
  const rules = render().find(({ kind }) => kind === 'PrometheusRule');
  rules.spec.groups[0].rules[0].keepFiringFor = '3m';
  assert.deepEqual(faults(rules), ['/spec/groups/0/rules/0/keepFiringFor: unknown field']);
});

test('so are wrong types, missing fields and wrong words', () => {
  assert.match(broken('DaemonSet', (o) => { podSpec([o]).containers[0].ports[0].containerPort = '10098'; })[0], /containerPort.*integer/);
  assert.match(broken('DaemonSet', (o) => { podSpec([o]).containers[0].resources.limits.memory = '64 Mi'; })[0], /memory/);
  assert.match(broken('DaemonSet', (o) => { delete o.spec.selector; })[0], /selector/);
  assert.match(broken('ClusterRole', (o) => { delete o.rules[0].verbs; })[0], /verbs/);
});

test('a kind without a schema is refused', () => {
  assert.deepEqual(faults({ apiVersion: 'apps/v1', kind: 'DeamonSet' }), ['apps/v1 DeamonSet: no schema']);
  assert.deepEqual(faults({ apiVersion: 'extensions/v1beta1', kind: 'DaemonSet' }), ['extensions/v1beta1 DaemonSet: no schema']);
});
