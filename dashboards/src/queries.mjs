// @ts-check
// All queries of the dashboards as JSON, as Grafana would send them:
//   node dashboards/src/queries.mjs --cluster test --namespace shop --persistentvolumeclaim data-orders-0 \
//     --node demo-node --statefulset orders
// prints [{"dashboard", "panel", "ref", "expr"}]. It reads the committed files and needs no package.
// Variables that may hold several values are All, but for the cluster.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** @returns {any[]} the committed dashboards */
export const read = () => readdirSync(FOLDER).filter((name) => name.startsWith('volumeter-') && name.endsWith('.json'))
  .sort().map((name) => JSON.parse(readFileSync(FOLDER + name, 'utf8')));

/** All panels, those of collapsed rows too, without rows. @param {any} dashboard @returns {any[]} */
export const panels = (dashboard) =>
  dashboard.panels.flatMap((/** @type {any} */ panel) => (panel.type === 'row' ? panel.panels ?? [] : [panel]));

/** @typedef {Record<string, string>} Values */
/** @typedef {{dashboard: string, panel: string, ref: string, expr: string}} Query */

/** @param {any} dashboard @param {Values} given @returns {Values} */
function values(dashboard, given) {
  /** @type {Values} */
  const all = { __rate_interval: given['rate-interval'] ?? '1m' };
  for (const { name, type, includeAll } of dashboard.templating.list) {
    if (type === 'datasource') continue;
    all[name] = includeAll && name !== 'cluster' ? '.*' : given[name] ?? (includeAll ? '.*' : '');
  }
  // Grafana lists the claims of the set: All is not .* there.
  if (all.statefulset !== undefined) all.persistentvolumeclaim = `.+-${all.statefulset}-[0-9]+`;
  return all;
}

/** @param {any} dashboard @param {Values} given @returns {Query[]} */
export function queries(dashboard, given) {
  const of = values(dashboard, given);
  const substituted = (/** @type {string} */ expr) => expr.replace(/\$([a-z_]\w*)/g, (text, name) => {
    if (of[name] === undefined) throw new Error(`${dashboard.uid}: no variable ${text} in ${expr}`);
    return of[name];
  });
  const one = (/** @type {string} */ panel, /** @type {string} */ ref, /** @type {string} */ expr) =>
    ({ dashboard: dashboard.uid, panel, ref, expr: substituted(expr) });
  return [
    ...panels(dashboard).flatMap((panel) =>
      (panel.targets ?? []).map((/** @type {any} */ target) => one(panel.title, target.refId, target.expr))),
    ...(dashboard.annotations.list ?? []).filter((/** @type {any} */ mark) => mark.expr)
      .map((/** @type {any} */ mark) => one(`annotation ${mark.name}`, 'A', mark.expr)),
  ];
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  /** @type {Values} */
  const given = {};
  for (let i = 2; i < process.argv.length; i += 2) {
    const name = process.argv[i].replace(/^--/, '');
    if (!process.argv[i].startsWith('--') || process.argv[i + 1] === undefined) {
      console.error(`queries.mjs: "${process.argv[i]}" is not allowed here: --VARIABLE VALUE, or --rate-interval 1m`);
      process.exit(2);
    }
    given[name] = process.argv[i + 1];
  }
  console.log(JSON.stringify(read().flatMap((dashboard) => queries(dashboard, given)), null, 1));
}
