// What holds for everything that can be rendered: each file of ci/ with each profile, the plain manifest, the
// kustomizations and their combinations.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import test from 'node:test';

import { args, flags, subcommands } from './flags.mjs';
import { faults } from './schemas.mjs';
import { ROOT, kustomizations, kustomize, objects, renders, scratch, template, text } from './support.mjs';

/** A kustomization of somebody's, with components. */
function combined(base) {
  const directory = join(scratch, base);
  mkdirSync(directory);
  const at = (name) => relative(directory, `${ROOT}deploy/kustomize/${name}`);
  writeFileSync(join(directory, 'kustomization.yaml'), JSON.stringify({
    resources: [at(base)],
    components: [at('prometheus-operator'), at('prometheus-operator/cluster')],
  }));
  return kustomize(directory);
}

const streams = [
  ...renders().map(({ name, values }) => [name, template(values, { release: 'west', namespace: 'storage' })]),
  ['deploy/daemonset.yaml', objects(text('deploy/daemonset.yaml'))],
  ...kustomizations.map((path) => [path, kustomize(ROOT + path)]),
  ...['base', 'observe', 'probe', 'privileged'].map((base) => [`${base} with components`, combined(base)]),
];
const CLUSTER = ['Namespace', 'ClusterRole', 'ClusterRoleBinding'];
const id = ({ kind, metadata: { name, namespace } }) => `${kind} ${namespace ?? ''}/${name}`;
const within = (selector, labels) => Object.entries(selector).every(([key, value]) => labels[key] === value);

/** A test of each stream's objects. */
function holds(name, check) {
  test(name, () => {
    for (const [stream, all] of streams) {
      try {
        check(all, (kind) => all.filter((object) => object.kind === kind));
      } catch (error) {
        error.message = `${stream}: ${error.message}`;
        throw error;
      }
    }
  });
}

test('there is something to look at', () => {
  assert.ok(streams.length > 70, `${streams.length}`);
  for (const [stream, all] of streams) assert.ok(all.length >= 1, stream);
});

holds('each object is as its schema says, without unknown fields', (all) => {
  for (const object of all) assert.deepEqual(faults(object), [], id(object));
});

holds('each object is there once, and says where', (all) => {
  const ids = all.map(id);
  assert.equal(new Set(ids).size, ids.length, ids.join(', '));
  for (const { kind, metadata } of all) {
    assert.equal(metadata.namespace === undefined, CLUSTER.includes(kind), `${kind} ${metadata.name}`);
    assert.match(metadata.name, kind.startsWith('ClusterRole') ? /^[a-z0-9-]+:[a-z0-9-]+$/ : /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  }
});

holds('selectors find the pods, by labels that no release changes', (all, of) => {
  for (const { spec } of of('DaemonSet')) {
    const selector = spec.selector.matchLabels;
    assert.deepEqual(Object.keys(selector).sort(),
      ['app.kubernetes.io/component', 'app.kubernetes.io/instance', 'app.kubernetes.io/name']);
    assert.ok(within(selector, spec.template.metadata.labels));
    for (const found of [...of('Service').map((service) => service.spec.selector),
      ...of('PodMonitor').map((monitor) => monitor.spec.selector.matchLabels),
      ...of('NetworkPolicy').map((policy) => policy.spec.podSelector.matchLabels)]) {
      assert.deepEqual(found, selector);
    }
  }
});

holds('what refers to something finds it', (all, of) => {
  const has = (kind, name) => all.some((object) => object.kind === kind && object.metadata.name === name);
  for (const binding of [...of('ClusterRoleBinding'), ...of('RoleBinding')]) {
    assert.ok(has(binding.roleRef.kind, binding.roleRef.name), id(binding));
    for (const { name, namespace } of binding.subjects) {
      assert.ok(of('ServiceAccount').some((account) => account.metadata.name === name && account.metadata.namespace === namespace));
    }
  }
  for (const { spec: { template: { spec } } } of of('DaemonSet')) {
    if (of('ServiceAccount').length > 0) assert.ok(has('ServiceAccount', spec.serviceAccountName));
    for (const { name, ports, volumeMounts, env, args: given, ...rest } of spec.containers) {
      assert.deepEqual(volumeMounts.map((mount) => mount.name).sort(), spec.volumes.map((volume) => volume.name).sort(), name);
      assert.equal(new Set(volumeMounts.map(({ mountPath }) => mountPath)).size, volumeMounts.length);
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        assert.ok(ports.some((port) => port.name === rest[probe].httpGet.port), probe);
      }
      for (const [, variable] of given.join(' ').matchAll(/\$\((\w+)\)/g)) {
        assert.ok(env.some((entry) => entry.name === variable), variable);
      }
    }
  }
  const ports = of('DaemonSet').flatMap(({ spec }) => spec.template.spec.containers[0].ports.map((port) => port.name));
  for (const { spec } of ports.length > 0 ? of('PodMonitor') : []) {
    assert.ok(spec.podMetricsEndpoints.every(({ port }) => ports.includes(port)));
  }
});

holds('the API server takes what schemas can not say', (all, of) => {
  for (const { spec: { template: { spec } } } of of('DaemonSet')) {
    const { privileged, allowPrivilegeEscalation, capabilities } = spec.containers[0].securityContext;
    assert.equal(allowPrivilegeEscalation, privileged ? undefined : false, 'refused beside privileged');
    assert.equal(new Set(capabilities?.add).size, capabilities?.add.length ?? 0);
    assert.ok(!(capabilities?.add ?? []).some((name) => name.startsWith('CAP_')));
    const { type, localhostProfile } = spec.securityContext.seccompProfile;
    assert.equal(localhostProfile !== undefined, type === 'Localhost');
  }
  for (const { spec: { updateStrategy } } of of('DaemonSet')) {
    assert.equal(updateStrategy.rollingUpdate !== undefined, updateStrategy.type === 'RollingUpdate');
  }
});

holds('the agent knows its flags', (all, of) => {
  for (const daemonset of of('DaemonSet')) {
    const [command, ...given] = args(daemonset);
    assert.ok(subcommands.includes(command), command);
    for (const argument of given) {
      const [name, value] = argument.split(/=(.*)/s);
      const flag = flags.get(name) ?? flags.get(name.replace('--no-', '--'));
      assert.ok(flag, `${name} is not in docs/flags.md`);
      assert.equal(value === undefined, flag.boolean, argument);
    }
    const names = given.map((argument) => argument.split('=')[0]);
    assert.equal(new Set(names).size, names.length, 'each once');
  }
});

holds('nobody may read secrets, nor everything, nor act as the kubelet', (all, of) => {
  for (const { rules } of [...of('ClusterRole'), ...of('Role')]) {
    for (const { apiGroups, resources, verbs, nonResourceURLs } of rules) {
      for (const word of [...apiGroups, ...resources, ...verbs]) assert.doesNotMatch(word, /\*|secrets|proxy|exec|escalate|bind|impersonate/);
      assert.equal(nonResourceURLs, undefined);
    }
  }
});
