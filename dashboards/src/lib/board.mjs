// @ts-check
// A dashboard: its variables, its links, and its panels in rows.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';

import { firing } from './alerts.mjs';
import { TITLES, VARIABLES, inSight, navigation } from './links.mjs';
import { DATASOURCE } from './panel.mjs';
import { ORANGE } from './theme.mjs';

/** @typedef {import('@grafana/grafana-foundation-sdk/cog').Builder<dashboard.Panel>} Panel */
/** @typedef {{span: (width: number) => unknown}} Sized */
/** @typedef {{title: string, collapsed?: boolean, panels: Panel[]}} Row */

/**
 * Where each variable's values come from: series that are there for as long as the thing is.
 * @param {import('./links.mjs').Uid} uid @param {string} name
 */
function values(uid, name) {
  const { one, many } = VARIABLES[uid];
  const within = (/** @type {string[]} */ names) => names.flatMap((other) =>
    (one.some((single) => single === other) ? [`${other}="$${other}"`]
      : many.some((several) => several === other) ? [`${other}=~"$${other}"`] : [])).join(',');
  const place = within(['cluster', 'namespace']);
  const set = `${place},owner_kind="StatefulSet"`;
  /** @type {Record<string, string>} */
  const queries = {
    cluster: 'label_values(volumeter_build_info, cluster)',
    zone: `label_values(volumeter_build_info{${within(['cluster'])}}, zone)`,
    node: `label_values(volumeter_build_info{${within(['cluster', 'zone'])}}, node)`,
    namespace: `label_values(volumeter_volume_info{${within(['cluster'])}}, namespace)`,
    storageclass: `label_values(volumeter_volume_info{${place}}, storageclass)`,
    statefulset: `label_values(volumeter_volume_mount_info{${set}}, owner_name)`,
    persistentvolumeclaim: `label_values(volumeter_volume_info{${place}}, persistentvolumeclaim)`,
  };
  if (uid === 'volumeter-statefulset' && name === 'namespace') {
    return `label_values(volumeter_volume_mount_info{${within(['cluster'])},owner_kind="StatefulSet"}, namespace)`;
  }
  if (uid === 'volumeter-statefulset' && name === 'persistentvolumeclaim') {
    return `label_values(volumeter_volume_mount_info{${set},owner_name="$statefulset"}, persistentvolumeclaim)`;
  }
  return queries[name];
}

/** @type {Record<string, string>} */
const LABELS = {
  cluster: 'Cluster', zone: 'Zone', node: 'Node', namespace: 'Namespace', storageclass: 'StorageClass',
  statefulset: 'StatefulSet', persistentvolumeclaim: 'Claim',
};

/** @param {import('./links.mjs').Uid} uid */
function variables(uid) {
  const { one, many } = VARIABLES[uid];
  const order = Object.keys(LABELS).filter((name) => [...one, ...many].some((other) => other === name));
  return [
    new dashboard.DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    ...order.map((name) => {
      const query = values(uid, name);
      const variable = new dashboard.QueryVariableBuilder(name).label(LABELS[name]).datasource(DATASOURCE)
        .query({ query, refId: name }).definition(query)
        .refresh(dashboard.VariableRefresh.OnTimeRangeChanged).sort(dashboard.VariableSort.NaturalAsc);
      if (one.some((other) => other === name)) return variable.multi(false).includeAll(false);
      variable.multi(name !== 'cluster' || uid !== 'volumeter-claim').includeAll(true)
        .current({ text: 'All', value: '$__all', selected: true });
      // Those of a StatefulSet are listed one by one: .* would be all of the namespace.
      return uid === 'volumeter-statefulset' && name === 'persistentvolumeclaim' ? variable : variable.allValue('.*');
    }),
  ];
}

/** @param {string} matchers of the alerts to mark in the panels */
const alertMarks = (matchers) => inSight(
  new dashboard.AnnotationQueryBuilder().name('Alerts').datasource(DATASOURCE).enable(true).iconColor(ORANGE)
    .expr(`max by (alertname, severity) (${firing(matchers)})`)
    .titleFormat('{{alertname}}').textFormat('{{severity}}').step('60s'));

/**
 * The highest place that is free, of several the leftmost; it is taken then.
 * @param {number[]} taken how far down each column is @param {number} w @param {number} h
 */
function place(taken, w, h) {
  const top = (/** @type {number} */ x) => Math.max(...taken.slice(x, x + w));
  let x = 0;
  for (let other = 1; other + w <= taken.length; ++other) if (top(other) < top(x)) x = other;
  const y = top(x);
  taken.fill(y + h, x, x + w);
  return { x, y };
}

/**
 * Panels fill lines of 24 columns from the left, beneath lower neighbours too; each row begins a new line.
 * @param {object} spec
 * @param {import('./links.mjs').Uid} spec.uid
 * @param {string} spec.description
 * @param {string} [spec.from] the time shown first
 * @param {string} [spec.marks] matchers of alerts that are marked in the panels
 * @param {Row[]} spec.rows
 */
export function board({ uid, description, from = 'now-6h', marks, rows }) {
  const builder = new dashboard.DashboardBuilder(TITLES[uid]).uid(uid).description(description)
    .tags(['volumeter', 'storage']).time({ from, to: 'now' }).refresh('1m').timezone('browser')
    .tooltip(dashboard.DashboardCursorSync.Crosshair).variables(variables(uid)).links(navigation(uid));
  if (marks) builder.annotation(alertMarks(marks));
  let id = 0;
  let y = 0;
  for (const { title, collapsed, panels } of rows) {
    const row = new dashboard.RowBuilder(title).id(++id).gridPos({ x: 0, y, w: 24, h: 1 }).collapsed(!!collapsed);
    if (!collapsed) builder.withRow(row);
    y += 1;
    const taken = Array(24).fill(y);
    for (const panel of panels) {
      const built = panel.build();
      const { w = 12, h = 8 } = built.gridPos ?? {};
      built.id = ++id;
      built.gridPos = { ...place(taken, w, h), w, h };
      if (collapsed) row.withPanel({ build: () => built });
      else builder.withPanel({ build: () => built });
    }
    y = Math.max(...taken);
    if (collapsed) builder.withRow(row);
  }
  return builder.build();
}
