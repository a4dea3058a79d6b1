// Who the agent may ask for what: exactly what it asks for (agent/kube).
import assert from 'node:assert/strict';
import test from 'node:test';

import { one, template } from './support.mjs';

const rights = ({ rules }) => rules.flatMap(({ apiGroups, resources, verbs }) => apiGroups.flatMap((group) =>
  resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group ? `${group}/` : ''}${resource}`)))).sort();
const NAMES = ['get namespaces', 'get persistentvolumeclaims', 'get persistentvolumes', 'get storage.k8s.io/storageclasses'];
const of = (values) => rights(one(template(values), 'ClusterRole'));

test('it may watch pods and get what they lead to', () => {
  assert.deepEqual(of({}), [...NAMES, 'list pods', 'watch pods'].sort());
});

test('with a kubelet it may ask that instead of the pods', () => {
  assert.deepEqual(of({ kubelet: { enabled: true } }), [...NAMES, 'get nodes/metrics', 'get nodes/pods'].sort());
  assert.deepEqual(of({ kubelet: { enabled: true, metrics: false } }), [...NAMES, 'get nodes/pods'].sort());
});

test('it may keep Leases in its own namespace', () => {
  const role = one(template({}, { release: 'volumeter', namespace: 'storage' }), 'Role');
  assert.equal(role.metadata.namespace, 'storage');
  assert.deepEqual(rights(role), ['create', 'get', 'update'].map((verb) => `${verb} coordination.k8s.io/leases`));
});

test('the account is the agent\'s own, and annotated by wish', () => {
  const all = template({ serviceAccount: { name: 'storage', annotations: { 'example.com/role': 'x' } } });
  const account = one(all, 'ServiceAccount');
  assert.equal(account.metadata.name, 'storage');
  assert.deepEqual(account.metadata.annotations, { 'example.com/role': 'x' });
  assert.deepEqual(one(all, 'ClusterRoleBinding').subjects, [{ kind: 'ServiceAccount', name: 'storage', namespace: 'volumeter' }]);
  const existing = template({ serviceAccount: { create: false, name: 'mine' } });
  assert.equal(one(existing, 'RoleBinding').subjects[0].name, 'mine');
  assert.ok(existing.every(({ kind }) => kind !== 'ServiceAccount'));
});

test('the network policy lets in whom it should, and out to the API server', () => {
  const policy = (values) => one(template({ networkPolicy: { enabled: true, ...values } }), 'NetworkPolicy').spec;
  const from = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }];
  const { ingress, egress, policyTypes } = policy({ from });
  assert.deepEqual(policyTypes, ['Ingress', 'Egress']);
  assert.deepEqual(ingress, [{ ports: [{ port: 10098, protocol: 'TCP' }], from }]);
  const ports = (rules) => rules.flatMap((rule) => rule.ports.map(({ port, protocol }) => `${port}/${protocol}`));
  assert.deepEqual(ports(egress), ['443/TCP', '6443/TCP']);
  assert.deepEqual(ports(policy({ dns: true, apiPorts: [16443] }).egress), ['16443/TCP', '53/UDP', '53/TCP']);
  assert.deepEqual(ports(one(template({ networkPolicy: { enabled: true }, kubelet: { enabled: true } }), 'NetworkPolicy').spec.egress),
    ['443/TCP', '6443/TCP', '10250/TCP']);
  assert.equal(policy({}).ingress[0].from, undefined, 'everybody');
});
