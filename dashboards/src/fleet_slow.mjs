// @ts-check
// The overview's third part: what is slow, and what could be had back.
import { bytes } from './lib/columns.mjs';
import { ROW_TO_NODE } from './lib/links.mjs';
import { lines } from './lib/panel.mjs';
import { CLAIM, CLAIMS, CLUSTER, NAMESPACES, SYNC_P99, SYNC_USUAL, among, max, of, since, sum } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { FEW_IS_GOOD, LATENCY, TIMES_USUAL } from './lib/theme.mjs';
import { CLAIM_LABELS } from './fleet_now.mjs';

const timesUsual = `${of(SYNC_P99, CLAIMS)} / ${of(SYNC_USUAL, CLAIMS)}`;
const slowest = `(topk(15, ${of(SYNC_P99, CLAIMS)}) or topk(15, ${timesUsual}))`;

export const slow = [
  rows('Slowest syncs, and what is usual', {
    size: [14, 9],
    what: 'The 99th percentile of fsyncs over two minutes beside what nine tenths of the claim\'s own last day stayed below. Three times the usual and over 25 ms is a warning. Claims with fewer than twenty syncs in two minutes are absent; what is usual takes six hours to know.',
    none: 'no claim has twenty syncs in two minutes',
    labels: CLAIM_LABELS.slice(0, 3),
    columns: [
      { name: 'p99 now', unit: 's', width: 95, steps: LATENCY, expr: among(of(SYNC_P99, CLAIMS), slowest) },
      { name: 'Usual', unit: 's', width: 85, expr: among(of(SYNC_USUAL, CLAIMS), slowest) },
      {
        name: 'Times usual', unit: 'suffix:×', decimals: 1, width: 125, steps: TIMES_USUAL,
        expr: among(`(${timesUsual})`, slowest),
      },
      {
        name: 'Allowed', unit: 's', width: 85,
        expr: among(max(CLAIM, of('volumeter_volume_sync_latency_threshold_seconds', NAMESPACES)), slowest),
      },
    ],
    sort: [['Times usual', 'descending'], ['p99 now', 'descending']],
  }),
  lines('Syncs by StorageClass, p99', {
    size: [10, 9], unit: 's', steps: LATENCY,
    what: 'The 99th percentile of the fsyncs of all claims of a StorageClass. A class that rises is a backend in trouble, not a claim.',
    none: 'no claim of these classes syncs',
    queries: [[
      `storageclass:volumeter_volume_sync_latency_seconds:p99_5m{${CLUSTER},storageclass=~"$storageclass"}`,
      '{{cluster}} {{storageclass}}']],
  }),
];

const ORPHAN = 'cluster, node, kind';
const orphans = of('volumeter_orphans', CLUSTER);
export const leftBehind = [
  rows('Orphans', {
    size: [10, 8],
    what: 'What was left behind on nodes: directories of pods that are gone, mounts and staged volumes without a pod, unused loop devices. Look before you delete anything.',
    none: 'nothing is left behind, or the nodes\' pods are not all known',
    labels: [
      { label: 'cluster', name: 'Cluster', width: 75 },
      { label: 'node', name: 'Node', link: ROW_TO_NODE },
      { label: 'kind', name: 'Kind', width: 105 },
    ],
    columns: [
      { name: 'Count', width: 65, steps: FEW_IS_GOOD, expr: `${max(ORPHAN, orphans)} > 0` },
      bytes('Bytes', `${max(ORPHAN, of('volumeter_orphan_bytes', CLUSTER))} and on (${ORPHAN}) ${orphans} > 0`),
      {
        name: 'Oldest', unit: 's', width: 85,
        expr: since(max(ORPHAN, of('volumeter_orphan_oldest_timestamp_seconds', CLUSTER))),
      },
    ],
    sort: [['Bytes', 'descending']],
  }),
  rows('Deleted files that are still open', {
    size: [7, 8],
    what: 'Bytes that come back when the process that holds a deleted file is restarted: a lower bound. They fill the claim, and no walk finds them.',
    none: 'no claim holds deleted files open, or the agents may not look for them',
    labels: CLAIM_LABELS.slice(0, 3),
    columns: [bytes('Bytes', `topk(15, ${sum(CLAIM, of('volumeter_volume_deleted_open_bytes', NAMESPACES))} > 0)`)],
    sort: [['Bytes', 'descending']],
  }),
  rows('Reclaimable by StorageClass', {
    size: [7, 8],
    what: 'Bytes of claims that no pod uses now and of PersistentVolumes without a claim. They may be somebody\'s backup: ask the owner. Needs kube-state-metrics and alerts/cluster.yaml.',
    none: 'nothing to reclaim, or alerts/cluster.yaml or kube-state-metrics is missing',
    labels: [{ label: 'cluster', name: 'Cluster' }, { label: 'storageclass', name: 'StorageClass' }],
    columns: [
      bytes('Bytes', `storageclass:volumeter_reclaimable_bytes:sum{${CLUSTER},storageclass=~"$storageclass"}`),
      {
        name: 'Unused claims', width: 110,
        expr: `count by (cluster, storageclass) (claim:volumeter_claim_unused_bytes:max{${CLAIMS}})`,
      },
    ],
    sort: [['Bytes', 'descending']],
  }),
];
