// The chart itself: its values, its schema, its names and its package.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, lstatSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';

import { parseDocument } from 'yaml';

import { CHART, ROOT, ci, helm, manifest, objects, refusal, run, scratch, template, text, yaml } from './support.mjs';

const values = yaml('deploy/helm/volumeter/values.yaml');
const schema = JSON.parse(text('deploy/helm/volumeter/values.schema.json'));
const chart = yaml('deploy/helm/volumeter/Chart.yaml');

test('helm lint finds nothing, with each file of values', () => {
  for (const [name, given] of Object.entries(ci)) {
    const { status, stdout, stderr } = helm(['lint', '--strict', CHART], given);
    assert.equal(status, 0, `${name}: ${stdout}${stderr}`);
  }
});

test('the versions are the project\'s', () => {
  const [, version] = text('CMakeLists.txt').match(/project\(volumeter VERSION ([0-9.]+)/);
  assert.equal(chart.version, version);
  assert.equal(chart.appVersion, version);
});

test('an old cluster is refused', () => {
  for (const [version, status] of [['1.22.9', 1], ['1.23.0', 0], ['1.23.1-gke.1', 0], ['1.34.0', 0]]) {
    assert.equal(helm(['template', CHART, '--kube-version', version]).status, status, version);
  }
});

test('values that are unknown or wrong are refused by name', () => {
  for (const [given, message] of [
    [{ profle: 'probe' }, /Additional property profle is not allowed/],
    [{ web: { prot: 1 } }, /web: Additional property prot is not allowed/],
    [{ image: { sha: '' } }, /image: Additional property sha is not allowed/],
    [{ podMonitor: { basicAuth: { user: {} } } }, /podMonitor.basicAuth: Additional property user is not allowed/],
    [{ profile: 'root' }, /profile: .*must be one of the following: "observe", "latency", "probe", "privileged"/],
    [{ probe: { mode: false } }, /probe.mode: .*must be one of/],
    [{ logLevel: 'trace' }, /logLevel: /],
    [{ seccomp: { type: 'Off' } }, /seccomp.type: /],
    [{ web: { port: '10098' } }, /web.port: Invalid type/],
    [{ web: { port: 70000 } }, /web.port: Must be less than or equal to 65535/],
    [{ web: { config: { tls: {} } } }, /web.config: Additional property tls is not allowed/],
    [{ extraCapabilities: ['CAP_SYS_ADMIN'] }, /extraCapabilities.0: /],
    [{ extraCapabilities: ['ALL'] }, /extraCapabilities.0: /],
    [{ extraArgs: ['-v'] }, /extraArgs.0: /],
    [{ image: { digest: 'latest' } }, /image.digest: Does not match pattern/],
    [{ podMonitor: { interval: '15' } }, /podMonitor.interval: Does not match pattern/],
    [{ commonLabels: { 'app.kubernetes.io/name': 'x' } }, /commonLabels/],
    [{ podLabels: { 'app.kubernetes.io/instance': 'x' } }, /podLabels/],
    [{ state: { hostPath: 'var/lib' } }, /state.hostPath: /],
    [{ networkPolicy: { apiPorts: [] } }, /networkPolicy.apiPorts: /],
    [{ web: { config: { basic_auth_users: { a: 'b' } }, existingSecret: 'x' } }, /web.config and web.existingSecret/],
    [{ web: { config: { tls_server_config: { cert_file: 'tls.crt' } } } }, /web.tlsSecret must name the Secret/],
    [{ web: { https: true } }, /there is no web.config and no web.existingSecret/],
    [{ seccomp: { type: 'Localhost' } }, /seccomp.localhostProfile/],
  ]) {
    assert.match(refusal(given), message);
  }
  assert.equal(helm(['lint', '--strict', CHART], { profle: 'probe' }).status, 1, 'by helm lint, too');
  assert.equal(helm(['template', CHART, '--kube-version', '1.30.0'], { global: { x: 1 } }).status, 0, 'a parent chart sets global');
});

/** Maps whose keys are Kubernetes' or the user's. */
const FREE = ['resources', 'updateStrategy', 'nodeSelector', 'affinity'];
const leaves = (map, path = '') => Object.entries(map).flatMap(([key, value]) =>
  FREE.includes(path + key) || value === null || typeof value !== 'object' || Array.isArray(value) || Object.keys(value).length === 0
    ? [[path + key, value]] : leaves(value, `${path}${key}.`));

test('the schema knows each value, and each of its maps is closed', () => {
  const resolve = (node) => node?.$ref ? schema.definitions[node.$ref.replace('#/definitions/', '')] : node;
  const same = (node, map, path) => {
    assert.equal(node.additionalProperties, false, path);
    assert.deepEqual(Object.keys(node.properties).filter((key) => key !== 'global').sort(), Object.keys(map).sort(), path);
    for (const [key, value] of Object.entries(map)) {
      const child = resolve(node.properties[key]);
      const map = value !== null && typeof value === 'object' && !Array.isArray(value);
      if (map && child.properties && Object.keys(value).length > 0 && !FREE.includes(key)) same(child, value, `${path}.${key}`);
    }
  };
  same(schema, values, 'values');
});

test('the README has a row for each value, with its default', () => {
  const rows = [...text('deploy/helm/volumeter/README.md').matchAll(/^\| `([A-Za-z.]+)` \| (.+?) \| (.*) \|$/gm)]
    .filter(([, key]) => !['observe', 'latency', 'probe', 'privileged'].includes(key));
  assert.deepEqual(rows.map(([, key]) => key), leaves(values).map(([key]) => key));
  const stated = Object.fromEntries(rows.map(([, key, shown]) => [key, shown]));
  for (const [key, value] of leaves(values)) {
    if (!stated[key].startsWith('`')) assert.ok(FREE.includes(key) || key === 'tolerations', `${key}: in words`);
    else assert.equal(stated[key], `\`${JSON.stringify(value)}\``, key);
  }
  for (const [, key, , meaning] of rows) assert.ok(meaning.trim().length > 5, `${key} means something`);
});

test('values.yaml says of each value what it means', () => {
  const document = parseDocument(text('deploy/helm/volumeter/values.yaml'));
  for (const [path] of leaves(values)) {
    const keys = path.split('.');
    const map = document.getIn(keys.slice(0, -1), true) ?? document.contents;
    const at = map.items.findIndex(({ key }) => key.value === keys.at(-1));
    // A map has the comment of its first key.
    const comment = map.items[at].key.commentBefore ?? (at === 0 ? map.commentBefore : undefined);
    const ofMap = document.contents.items.find(({ key }) => key.value === keys[0]).key.commentBefore;
    assert.ok(comment || (map.items.length === 1 && ofMap), `${path} has no comment`);
  }
});

test('releases in two namespaces, or in one, have no object in common', () => {
  const ids = (release, namespace) => template(ci.everything, { release, namespace })
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''} ${metadata.name}`);
  for (const [one, other] of [
    [['volumeter', 'east'], ['volumeter', 'west']],
    [['east', 'storage'], ['west', 'storage']],
    [['a-b', 'c'], ['a', 'b-c']],
    [['a', 'b'], ['b', 'a']],
  ]) {
    const taken = new Set(ids(...one));
    assert.deepEqual(ids(...other).filter((name) => taken.has(name)), []);
  }
});

test('the longest names fit', () => {
  const all = template({ ...ci.everything, fullnameOverride: 'x'.repeat(80) });
  for (const { kind, metadata } of all) {
    assert.ok(metadata.name.length <= (kind.startsWith('Cluster') || ['PrometheusRule', 'ConfigMap', 'Secret'].includes(kind) ? 253 : 63));
  }
});

test('labels of the user are on everything, and never in selectors', () => {
  for (const { kind, metadata, spec } of template(ci.everything)) {
    assert.equal(metadata.labels.team, 'storage', kind);
    if (kind === 'DaemonSet') assert.deepEqual([spec.template.metadata.labels.team, spec.template.metadata.labels.tier], ['storage', 'node']);
  }
  const both = template({ ...ci.everything, commonLabels: { release: 'other' } });
  assert.ok(both.filter(({ kind }) => kind === 'PodMonitor').every(({ metadata }) => metadata.labels.release === 'kube-prometheus-stack'));
});

/** Files below a directory, by path. */
const tree = (directory, path = '') => readdirSync(join(directory, path)).flatMap((name) =>
  lstatSync(join(directory, path, name)).isDirectory() ? tree(directory, join(path, name)) : [join(path, name)]);

test('the package has all that templates read, as files, and nothing else', () => {
  const { status, stderr } = run('helm', ['package', CHART, '-d', scratch]);
  assert.equal(status, 0, stderr);
  execFileSync('tar', ['xzf', `${scratch}/volumeter-${chart.version}.tgz`, '-C', scratch], { stdio: 'pipe' });
  const packed = `${scratch}/volumeter`;
  const dashboards = readdirSync(`${ROOT}dashboards`).filter((file) => /^volumeter-.*\.json$/.test(file));
  assert.equal(dashboards.length, 6);
  assert.deepEqual(tree(packed).filter((file) => !file.startsWith('templates/')).sort(), [
    '.helmignore', 'Chart.yaml', 'values.schema.json', 'values.yaml',
    ...['agent', 'cluster', 'recording', 'volumes'].map((file) => `files/alerts/${file}.yaml`),
    ...dashboards.map((file) => `files/dashboards/${file}`),
  ].sort());
  for (const file of tree(packed)) {
    assert.ok(lstatSync(`${packed}/${file}`).isFile(), file);
    if (file !== 'Chart.yaml') assert.equal(readFileSync(`${packed}/${file}`, 'utf8'), readFileSync(`${CHART}/${file}`, 'utf8'), file);
  }
  const { stdout } = helm(['template', 'volumeter', packed, '-n', 'volumeter', '--kube-version', '1.30.0'], ci.everything);
  assert.equal(stdout, manifest(ci.everything));

  // As helm keeps a release: JSON with the chart's files in base64, gzip, base64, in a Secret, of which
  // the API server takes 1 MiB.
  const entry = (name) => ({ name, data: readFileSync(`${packed}/${name}`).toString('base64') });
  const files = tree(packed);
  const release = JSON.stringify({
    name: 'volumeter', namespace: 'volumeter', config: ci.everything, manifest: stdout,
    chart: { metadata: chart, values, schema: entry('values.schema.json').data,
      templates: files.filter((file) => file.startsWith('templates/')).map(entry),
      files: files.filter((file) => file.startsWith('files/')).map(entry) },
  });
  const size = gzipSync(release, { level: 9 }).toString('base64').length;
  assert.ok(size < 0.75 * 1024 * 1024, `a release takes ${size} bytes`);
});

test('the notes say what to look out for', () => {
  // Only installing shows them, which takes a cluster: here as the content of an object.
  const copy = `${scratch}/notes`;
  cpSync(CHART, copy, { recursive: true, dereference: true });
  renameSync(`${copy}/templates/NOTES.txt`, `${copy}/files/NOTES.txt`);
  writeFileSync(`${copy}/templates/notes.yaml`, 'kind: Notes\ntext: {{ tpl (.Files.Get "files/NOTES.txt") . | toJson }}\n');
  const notes = (given) => {
    const { status, stdout, stderr } = helm(['template', 'west', copy, '-n', 'storage', '--kube-version', '1.30.0', '-s', 'templates/notes.yaml'], given);
    assert.equal(status, 0, stderr);
    return objects(stdout)[0].text;
  };
  assert.equal(notes({}), `volumeter ${chart.appVersion} runs on each node, with profile latency.

  kubectl -n storage rollout status daemonset/west-volumeter
  kubectl -n storage port-forward daemonset/west-volumeter 10098
  http://localhost:10098/ is one node's then.

Its pods need the host's pid namespace and root directory. Where Pod Security Admission is on:

  kubectl label namespace storage pod-security.kubernetes.io/enforce=privileged
`);
  assert.match(notes(ci.minimal), /http:\/\/localhost:10098\/metrics is/);
  assert.match(notes({ ...ci['web-client-certificates'], podMonitor: { enabled: true } }), /HTTPS and podMonitor.tlsConfig is empty/);
  assert.doesNotMatch(notes(ci['web-client-certificates']), /is empty/);
  assert.match(notes({ prometheusRule: { enabled: true } }), /set links.grafana/);
  assert.doesNotMatch(notes(ci.everything), /set links.grafana/);
  assert.match(notes({ hostNetwork: true, networkPolicy: { enabled: true } }), /has no effect/);
});
