// What the pod is given: by default, by profile, and by what else can be set.
import assert from 'node:assert/strict';
import test from 'node:test';

import { args, flags, paths } from './flags.mjs';
import { PROFILES, ci, container, one, podSpec, template } from './support.mjs';

const mount = (all, name) => container(all).volumeMounts.find((entry) => entry.name === name);
const volume = (all, name) => podSpec(all).volumes.find((entry) => entry.name === name);
const given = (all) => args(one(all, 'DaemonSet'));

test('by default it sees the host, and can change nothing there', () => {
  const all = template();
  const { hostPID, hostNetwork, dnsPolicy, tolerations, nodeSelector, priorityClassName, securityContext, enableServiceLinks } = podSpec(all);
  assert.equal(hostPID, true);
  assert.equal(hostNetwork, false);
  assert.equal(dnsPolicy, 'ClusterFirst');
  assert.deepEqual(tolerations, [{ operator: 'Exists' }]);
  assert.deepEqual(nodeSelector, { 'kubernetes.io/os': 'linux' });
  assert.equal(priorityClassName, undefined);
  assert.deepEqual(securityContext, { seccompProfile: { type: 'Unconfined' } });
  assert.equal(enableServiceLinks, false, 'a Service volumeter-x would set VOLUMETER_X_PORT');
  assert.deepEqual(mount(all, 'root'), { name: 'root', mountPath: '/host/root', readOnly: true, mountPropagation: 'HostToContainer' });
  assert.deepEqual(volume(all, 'root').hostPath, { path: '/' });
  assert.deepEqual(mount(all, 'tracefs'), { name: 'tracefs', mountPath: '/sys/kernel/tracing', readOnly: true });
  assert.deepEqual(volume(all, 'tracefs').hostPath, { path: '/sys/kernel/tracing' });
  assert.deepEqual(mount(all, 'state'), { name: 'state', mountPath: '/var/lib/volumeter' });
  assert.deepEqual(volume(all, 'state').hostPath, { path: '/var/lib/volumeter', type: 'DirectoryOrCreate' });
  assert.deepEqual(podSpec(all).volumes.length, 3);
  assert.deepEqual(container(all).resources, { requests: { cpu: '25m', memory: '32Mi' }, limits: { memory: '64Mi' } });
  assert.deepEqual(one(all, 'DaemonSet').spec.updateStrategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } });
  assert.ok(podSpec(all).terminationGracePeriodSeconds <= 30);
  assert.equal(container(all).image, 'volumeter:0.1.0');
  assert.deepEqual(given(all), ['agent', '--path.rootfs=/host/root', '--path.sysfs=/host/root/sys', '--kube.node-name=$(NODE_NAME)',
    '--web.listen-address=:10098', '--state.dir=/var/lib/volumeter', '--probe.mode=off']);
  assert.deepEqual(container(all).env, [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }]);
  assert.deepEqual(all.map(({ kind }) => kind).sort(),
    ['ClusterRole', 'ClusterRoleBinding', 'DaemonSet', 'Role', 'RoleBinding', 'Service', 'ServiceAccount']);
});

const CAPABILITIES = {
  observe: ['DAC_READ_SEARCH'],
  latency: ['DAC_READ_SEARCH', 'BPF', 'PERFMON'],
  probe: ['DAC_READ_SEARCH', 'BPF', 'PERFMON', 'DAC_OVERRIDE'],
};

test('a profile is exactly its capabilities', () => {
  const common = { runAsUser: 0, runAsNonRoot: false, readOnlyRootFilesystem: true };
  for (const [profile, add] of Object.entries(CAPABILITIES)) {
    assert.deepEqual(container(template({ profile })).securityContext,
      { ...common, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'], add } }, profile);
  }
  assert.deepEqual(container(template({ profile: 'privileged' })).securityContext, { ...common, privileged: true });
  assert.deepEqual(template(), template({ profile: 'latency' }), 'the default');
  assert.deepEqual([...Object.keys(CAPABILITIES), 'privileged'], PROFILES);
  assert.deepEqual(container(template({ extraCapabilities: ['SYS_ADMIN'] })).securityContext.capabilities,
    { drop: ['ALL'], add: [...CAPABILITIES.latency, 'SYS_ADMIN'] });
});

test('a profile without the right to probe doesn\'t', () => {
  const mode = (values) => given(template(values)).find((argument) => argument.startsWith('--probe.mode'))?.split('=')[1];
  assert.deepEqual(PROFILES.map((profile) => mode({ profile })), ['off', 'off', undefined, undefined]);
  assert.equal(flags.get('--probe.mode').default, 'annotated');
  for (const profile of PROFILES) {
    for (const wanted of ['annotated', 'auto', 'off']) assert.equal(mode({ profile, probe: { mode: wanted } }), wanted);
  }
});

test('tracefs is there where BPF programs are', () => {
  const mounted = (values) => mount(template(values), 'tracefs') !== undefined;
  assert.deepEqual(PROFILES.map((profile) => mounted({ profile })), [false, true, true, true]);
  assert.ok(!mounted({ tracefs: false }));
});

test('ports and paths are those of the agent', () => {
  const check = (all, port, scheme) => {
    assert.ok(given(all).includes(`--web.listen-address=:${port}`));
    assert.deepEqual(container(all).ports, [{ name: 'metrics', containerPort: port, protocol: 'TCP' }]);
    const { clusterIP, ports } = one(all, 'Service').spec;
    assert.equal(clusterIP, 'None');
    assert.deepEqual(ports, [{ name: 'metrics', port, targetPort: 'metrics', protocol: 'TCP' }]);
    for (const [probe, path] of [['startupProbe', '/healthz'], ['livenessProbe', '/healthz'], ['readinessProbe', '/readyz']]) {
      assert.deepEqual(container(all)[probe].httpGet, { path, port: 'metrics', ...scheme }, probe);
      assert.ok(paths.includes(path));
    }
    for (const { spec } of all.filter(({ kind }) => kind === 'PodMonitor')) {
      const [{ path, scheme: asked }] = spec.podMetricsEndpoints;
      assert.equal(path, flags.get('--web.telemetry-path').default);
      assert.equal(asked, scheme.scheme?.toLowerCase() ?? 'http');
    }
  };
  assert.equal(flags.get('--web.listen-address').default, ':10098');
  check(template(), 10098, {});
  check(template({ web: { port: 9000 }, podMonitor: { enabled: true } }), 9000, {});
  check(template(ci['web-password']), 10098, {});
  check(template(ci['web-client-certificates']), 10098, { scheme: 'HTTPS' });
  check(template(ci['web-existing-secret']), 10098, { scheme: 'HTTPS' });
});

test('web-config.yaml comes from a Secret, with the files that it names beside it', () => {
  const sources = (all) => volume(all, 'web').projected.sources.map(({ secret }) => secret.name);
  const all = template(ci['web-client-certificates']);
  assert.ok(given(all).includes('--web.config.file=/etc/volumeter/web/web-config.yaml'));
  assert.deepEqual(mount(all, 'web'), { name: 'web', mountPath: '/etc/volumeter/web', readOnly: true });
  assert.deepEqual(sources(all), ['volumeter-web', 'volumeter-tls']);
  assert.equal(volume(all, 'web').projected.defaultMode, 0o400);
  const secret = one(all, 'Secret');
  assert.equal(secret.metadata.name, 'volumeter-web');
  assert.deepEqual(Object.keys(secret.stringData), ['web-config.yaml']);

  const existing = template(ci['web-existing-secret']);
  assert.deepEqual(sources(existing), ['volumeter-web']);
  assert.ok(existing.every(({ kind }) => kind !== 'Secret'), 'it is the user\'s');
  assert.equal(volume(template(), 'web'), undefined);
});

test('a new configuration of the web server restarts the agents', () => {
  const sum = (users) => one(template({ web: { config: { basic_auth_users: users } } }), 'DaemonSet')
    .spec.template.metadata.annotations['checksum/web-config'];
  assert.notEqual(sum({ a: 'x' }), sum({ a: 'y' }));
  assert.equal(sum({ a: 'x' }), sum({ a: 'x' }));
});

test('a kubelet is asked at the node\'s address', () => {
  const all = template(ci.everything);
  assert.ok(given(all).includes('--kube.kubelet-url=https://$(HOST_IP):10250'));
  assert.ok(given(all).includes('--kube.kubelet-insecure-tls'));
  assert.deepEqual(container(all).env[1], { name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } });
  assert.ok(!given(template({ kubelet: { enabled: true } })).includes('--kube.kubelet-insecure-tls'), 'only by wish');
  assert.ok(!given(template()).join(' ').includes('kubelet'));
});

test('the image has registry and repository before it, and a tag or a digest', () => {
  const image = (values) => container(template({ image: values })).image;
  assert.equal(image({ repository: 'storage/volumeter', tag: 'x' }), 'storage/volumeter:x');
  assert.equal(image({ registry: 'registry.example.com:5000' }), 'registry.example.com:5000/volumeter:0.1.0');
  const digest = ci['image-digest'].image.digest;
  assert.equal(image({ tag: 'x', digest }), `volumeter@${digest}`);
});

test('what else can be set arrives', () => {
  const all = template(ci.everything);
  const { imagePullSecrets, priorityClassName } = podSpec(all);
  assert.deepEqual(imagePullSecrets, [{ name: 'pull' }]);
  assert.equal(priorityClassName, 'system-node-critical');
  assert.deepEqual(given(all).slice(-3), ['--log.level=debug', '--log.format=json', '--metrics.all-volumes']);
  assert.deepEqual(container(all).env.at(-1), { name: 'TZ', value: 'UTC' });
  assert.deepEqual(one(all, 'DaemonSet').spec.updateStrategy.rollingUpdate, { maxUnavailable: 1 });
  assert.equal(podSpec(template(ci['kubelet-host-network'])).dnsPolicy, 'ClusterFirstWithHostNet');
  assert.equal(podSpec(template({ hostNetwork: true, dnsPolicy: 'Default' })).dnsPolicy, 'Default');
  assert.deepEqual(container(template(ci.openshift)).securityContext.seLinuxOptions, { type: 'spc_t' });
  assert.deepEqual(podSpec(template(ci['seccomp-localhost'])).securityContext.seccompProfile,
    { type: 'Localhost', localhostProfile: 'profiles/volumeter.json' });
  assert.deepEqual(podSpec(template(ci['seccomp-runtime-default'])).securityContext.seccompProfile, { type: 'RuntimeDefault' });

  const minimal = template(ci.minimal);
  assert.deepEqual(minimal.map(({ kind }) => kind).sort(), ['DaemonSet', 'Service']);
  assert.ok(given(minimal).includes('--no-web.pages'));
  assert.deepEqual(podSpec(minimal).volumes.map(({ name }) => name), ['root']);
  assert.equal(podSpec(minimal).serviceAccountName, 'default');
  for (const field of ['affinity', 'tolerations', 'nodeSelector']) assert.equal(podSpec(minimal)[field], undefined, field);
  assert.equal(container(minimal).resources, undefined);
});
