// @ts-check
// The overview's sums: by StorageClass, zone, namespace and owner. A claim counts once.
import { bar, bytes } from './lib/columns.mjs';
import { ROW_TO_STATEFULSET } from './lib/links.mjs';
import { CLAIM, CLUSTER, NAMESPACES, max, of } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';

/** Columns from the records of one level. @param {string} level @param {string} matchers */
const records = (level, matchers) => [
  { name: 'Claims', width: 75, expr: `${level}:volumeter_volumes:count{${matchers}}` },
  bar('Fullest', `${level}:volumeter_volume_usage_ratio:max{${matchers}}`),
  bytes('Used', `${level}:volumeter_volume_stats_used_bytes:sum{${matchers}}`),
  bytes('Size', `${level}:volumeter_volume_stats_capacity_bytes:sum{${matchers}}`),
];

// Of a claim that is used in several zones only one counts. Zones are a label of the targets.
const zoned = (/** @type {string} */ metric) =>
  `topk by (${CLAIM}) (1, ${max(`${CLAIM}, zone`, of(metric, `${NAMESPACES},zone!=""`))})`;
const byZone = (/** @type {string} */ how, /** @type {string} */ metric) =>
  `${how} by (cluster, zone) (${zoned(metric)})`;

// A label of its own for StatefulSets, which have a page.
const asStatefulSet = (/** @type {string} */ expr) =>
  `label_replace(label_join(${expr}, "owner", "/", "owner_kind", "owner_name"), ` +
  '"statefulset", "$1", "owner", "StatefulSet/(.+)")';
const largest = `topk(50, ${of('owner:volumeter_volume_stats_used_bytes:sum', NAMESPACES)})`;

export const capacity = [
  rows('By StorageClass', {
    size: [12, 8],
    what: 'Claims in use, the fullest of them, and their bytes, by StorageClass. Size is more than used and left of claims whose usage is unknown.',
    none: 'no claim is in use, or the recording rules are not evaluated here',
    labels: [{ label: 'cluster', name: 'Cluster' }, { label: 'storageclass', name: 'StorageClass' }],
    columns: records('storageclass', `${CLUSTER},storageclass=~"$storageclass"`),
    sort: [['Used', 'descending']],
  }),
  rows('By namespace', {
    size: [12, 8],
    what: 'Claims in use, the fullest of them, and their bytes, by namespace.',
    none: 'no claim is in use, or the recording rules are not evaluated here',
    labels: [{ label: 'cluster', name: 'Cluster' }, { label: 'namespace', name: 'Namespace' }],
    columns: records('namespace', NAMESPACES),
    sort: [['Used', 'descending']],
  }),
  rows('By zone', {
    size: [12, 8],
    what: 'The same by the zone of the node; a claim that is used in several counts in one. Needs a target label zone (README.md).',
    none: 'the agents are scraped without a label zone',
    labels: [{ label: 'cluster', name: 'Cluster' }, { label: 'zone', name: 'Zone' }],
    columns: [
      { name: 'Claims', width: 75, expr: byZone('count', 'volumeter_volume_info') },
      bar('Fullest', byZone('max', 'volumeter_volume_usage_ratio')),
      bytes('Used', byZone('sum', 'volumeter_volume_stats_used_bytes')),
      bytes('Size', byZone('sum', 'volumeter_volume_stats_capacity_bytes')),
    ],
    sort: [['Used', 'descending']],
  }),
  rows('By owner', {
    size: [12, 8],
    what: 'Bytes in use and the fullest claim by the workload whose pods use them, the 50 largest. A claim of two owners counts for both.',
    none: 'no claim\'s owner is known',
    labels: [
      { label: 'cluster', name: 'Cluster', width: 75 },
      { label: 'namespace', name: 'Namespace', width: 100 },
      { label: 'owner_kind', name: 'Kind', width: 100 },
      { label: 'owner_name', name: 'Owner' },
      { label: 'statefulset', name: 'StatefulSet', link: ROW_TO_STATEFULSET },
    ],
    columns: [
      bytes('Used', asStatefulSet(largest)),
      bar('Fullest', `${of('owner:volumeter_volume_usage_ratio:max', NAMESPACES)} and ${largest}`),
    ],
    sort: [['Used', 'descending']],
  }),
];
