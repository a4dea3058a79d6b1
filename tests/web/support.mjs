// @ts-check
// What the tests of the dashboards read: the committed files, and the documents that they must agree with.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { panels, queries, read } from '../../dashboards/src/queries.mjs';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const text = (/** @type {string} */ path) => readFileSync(ROOT + path, 'utf8');
export const dashboards = read();
export { panels };

/** As on the demonstration node. */
export const VALUES = {
  cluster: 'test', namespace: 'shop', persistentvolumeclaim: 'data-orders-0', node: 'demo-node', statefulset: 'orders',
};
export const all = dashboards.flatMap((dashboard) => queries(dashboard, VALUES));
export const name = (/** @type {import('../../dashboards/src/queries.mjs').Query} */ { dashboard, panel, ref }) =>
  `${dashboard}/${panel}/${ref}`;

/** Metrics by name, with their labels, from the tables of docs/metrics.md. */
export function documented() {
  /** @type {Map<string, Set<string>>} */
  const metrics = new Map();
  for (const [, metric, type, labels] of text('docs/metrics.md').matchAll(/^\| `([a-z_]+)` \| (\w+) \| ([^|]+) \|/gm)) {
    const known = new Set(labels.trim() === '–' ? [] : labels.trim().split(/, /));
    metrics.set(metric, known);
    if (type !== 'histogram') continue;
    metrics.set(`${metric}_sum`, known);
    metrics.set(`${metric}_count`, known);
    metrics.set(`${metric}_bucket`, new Set([...known, 'le']));
  }
  return metrics;
}

/** Names of recorded series. */
export const records = () => new Set(['recording', 'cluster'].flatMap((file) =>
  [...text(`alerts/${file}.yaml`).matchAll(/^\s*- record: (\S+)$/gm)].map(([, record]) => record)));

/** Alerts, with the addresses of the dashboards in their annotations. */
export const alerts = () => readdirSync(`${ROOT}alerts`).filter((file) => file.endsWith('.yaml')).flatMap((file) =>
  [...text(`alerts/${file}`).matchAll(/^\s*dashboard_url: (\S.*)$/gm)].map(([, url]) => url));

/** Keys and reasons of dashboards/quiet_queries.yaml: one a line. */
export const quiet = () => [...text('dashboards/quiet_queries.yaml').matchAll(/^(volumeter-[^#\n]+?): (.*)$/gm)]
  .map(([, key, why]) => ({ key, why }));

/** The names of series in an expression: what is left when the rest of PromQL is taken away. @param {string} expr */
export function metricsOf(expr) {
  const bare = expr.replace(/"[^"]*"/g, '').replace(/\{[^}]*\}/g, ' ').replace(/\[[^\]]*\]/g, ' ')
    .replace(/\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  const words = [...bare.matchAll(/([a-zA-Z_:][\w:]*)\s*(\()?/g)].filter(([, , call]) => !call).map(([, word]) => word);
  return words.filter((word) => !['and', 'or', 'unless', 'bool', 'offset', 'by', 'on'].includes(word));
}

/** Selectors with the labels that they match. @param {string} expr */
export const selectors = (expr) => [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g)].map(([, metric, matchers]) =>
  ({ metric, labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label) }));

/** Properties that overrides give to the columns and series of a panel. @param {any} panel */
export const overridden = (panel) => panel.fieldConfig.overrides.flatMap((/** @type {any} */ override) =>
  override.properties.map((/** @type {any} */ property) => ({ field: override.matcher.options, ...property })));

/** All addresses that a panel links to. @param {any} panel @returns {string[]} */
export const linksOf = (panel) => [
  ...(panel.fieldConfig.defaults.links ?? []),
  ...overridden(panel).filter((/** @type {any} */ { id }) => id === 'links')
    .flatMap((/** @type {any} */ { value }) => value),
].map(({ url }) => url);
