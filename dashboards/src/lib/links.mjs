// @ts-check
// From a number to the page that explains it. The alerts' annotations link to the same addresses.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';

const TIME = '${__url_time_range}';
const SOURCE = '${datasource:queryparam}';

/** The variables of each dashboard, by uid: `many` may hold several values and All. */
export const VARIABLES = {
  'volumeter-fleet': { one: [], many: ['cluster', 'namespace', 'storageclass'] },
  'volumeter-claim': { one: ['namespace', 'persistentvolumeclaim'], many: ['cluster'] },
  'volumeter-node': { one: ['node'], many: ['cluster', 'zone'] },
  'volumeter-statefulset': { one: ['namespace', 'statefulset'], many: ['cluster', 'persistentvolumeclaim'] },
  'volumeter-probe': { one: [], many: ['cluster', 'namespace', 'persistentvolumeclaim'] },
  'volumeter-agent': { one: [], many: ['cluster', 'zone', 'node'] },
};
/** @typedef {keyof typeof VARIABLES} Uid */
/** @type {Record<Uid, string>} */
export const TITLES = {
  'volumeter-fleet': 'Storage overview',
  'volumeter-claim': 'Claim',
  'volumeter-node': 'Node',
  'volumeter-statefulset': 'StatefulSet',
  'volumeter-probe': 'Prober and benchmark',
  'volumeter-agent': 'volumeter itself',
};

/**
 * Not in a menu, where the library puts it.
 * @template {{placement?: unknown}} T
 * @param {{build: () => T}} builder
 */
export function inSight(builder) {
  const built = builder.build();
  delete built.placement;
  return { build: () => built };
}

/**
 * Links to the other dashboards, with the time and the variables that mean the same there.
 * @param {Uid} from
 */
export function navigation(from) {
  const mine = VARIABLES[from];
  return /** @type {Uid[]} */ (Object.keys(TITLES)).filter((uid) => uid !== from).map((uid) => {
    const { one, many } = VARIABLES[uid];
    const carried = [...one.filter((name) => mine.one.some((other) => other === name)),
      ...many.filter((name) => [...mine.one, ...mine.many].some((other) => other === name))];
    const query = [SOURCE, ...carried.map((name) => `\${${name}:queryparam}`)].join('&');
    return inSight(new dashboard.DashboardLinkBuilder(TITLES[uid]).type(dashboard.DashboardLinkType.Link)
      .url(`/d/${uid}?${query}`).icon('dashboard').keepTime(true).includeVars(false).targetBlank(false).tags([]));
  });
}

/** @param {Record<string, string>} values */
const query = (values) => Object.entries(values).map(([name, value]) => `var-${name}=${value}`).join('&');
/** @param {Uid} uid @param {string} title @param {Record<string, string>} values */
const link = (uid, title, values) => ({ title, url: `/d/${uid}?${SOURCE}&${query(values)}&${TIME}` });

const cell = (/** @type {string} */ name) => `\${__data.fields.${name}}`;
const series = (/** @type {string} */ label) => `\${__field.labels.${label}}`;

// From the row of a table, whose columns have these names. A column that isn't there is empty, as is a
// cluster that nobody named.
export const ROW_TO_CLAIM = link('volumeter-claim', 'Claim',
  { cluster: cell('Cluster'), namespace: cell('Namespace'), persistentvolumeclaim: cell('Claim') });
export const ROW_TO_NODE = link('volumeter-node', 'Node', { cluster: cell('Cluster'), node: cell('Node') });
export const ROW_TO_RUNBOOK = {
  title: 'What to do: the runbook',
  url: `https://volumeter.io/docs/runbooks/${cell('Alert')}.md`,
};
export const ROW_TO_STATEFULSET = link('volumeter-statefulset', 'StatefulSet',
  { cluster: cell('Cluster'), namespace: cell('Namespace'), statefulset: cell('StatefulSet') });
// From a series.
export const TO_CLAIM = link('volumeter-claim', 'Claim', {
  cluster: series('cluster'), namespace: series('namespace'), persistentvolumeclaim: series('persistentvolumeclaim'),
});
export const TO_NODE = link('volumeter-node', 'Node', { cluster: series('cluster'), node: series('node') });
