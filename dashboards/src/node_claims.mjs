// @ts-check
// A node's claims, and the volumes of its pods that aren't claims.
import { bar, bytes, perSecond, percent, timeLeft } from './lib/columns.mjs';
import { ROW_TO_CLAIM, TO_CLAIM } from './lib/links.mjs';
import { lines } from './lib/panel.mjs';
import {
  CLAIM, CLUSTER, INTERVAL, SYNC_P99, THE_NODE, among, max, measured, min, of, rate, since, state, sum,
  timeToFull,
} from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { LATENCY, STATE, USAGE } from './lib/theme.mjs';

const here = (/** @type {string} */ series) => of(series, THE_NODE);
const io = (/** @type {string} */ counter) => rate(CLAIM, `volumeter_volume_io_${counter}_total`, THE_NODE);
const recorded = (/** @type {string} */ expr) => among(max(CLAIM, expr), here('volumeter_volume_info'));
const LABELS = [
  { label: 'cluster', name: 'Cluster', width: 75 },
  { label: 'namespace', name: 'Namespace', width: 100 },
];

export const claims = [
  rows('Claims of this node', {
    size: [24, 10],
    what: 'The claims that pods of this node use, the worst first. A dash is unknown: a block device has no usage, a shared one no device of its own.',
    none: 'no pod of this node uses a claim',
    labels: [...LABELS, { label: 'persistentvolumeclaim', name: 'Claim', link: ROW_TO_CLAIM }],
    columns: [
      { name: 'State', width: 95, words: STATE, expr: state(CLAIM, THE_NODE) },
      bar('Used', max(CLAIM, here('volumeter_volume_usage_ratio'))),
      percent('Inodes', max(CLAIM, here('volumeter_volume_inodes_usage_ratio'))),
      bytes('Left', min(CLAIM, here('volumeter_volume_stats_available_bytes'))),
      bytes('Size', max(CLAIM, here('volumeter_volume_stats_capacity_bytes'))),
      timeLeft('Full in', recorded(timeToFull(CLUSTER))),
      { name: 'Sync p99', unit: 's', width: 80, steps: LATENCY, expr: recorded(of(SYNC_P99, CLUSTER)) },
      perSecond('Syncs', 'ops', rate(CLAIM, 'volumeter_volume_sync_latency_seconds_count', THE_NODE)),
      perSecond('I/O', 'iops', `${io('reads_completed')} + ${io('writes_completed')}`),
      perSecond('Throughput', 'binBps', `${io('read_bytes')} + ${io('written_bytes')}`),
      { name: 'Measured', unit: 's', decimals: 0, width: 90, expr: since(measured(CLAIM, THE_NODE)) },
      { name: 'Pods', width: 50, expr: `count by (${CLAIM}) (${here('volumeter_volume_mount_info')})` },
    ],
    sort: [['State', 'descending'], ['Used', 'descending']],
  }),
  lines('Usage of claims', {
    size: [12, 9], unit: 'percentunit', steps: USAGE, limits: true, max: 1, decimals: 1, link: TO_CLAIM,
    what: 'How full each claim of this node is, with lines at 80 % (warning) and 90 % (page). A click on a line leads to its claim.',
    none: 'no claim here has a known usage',
    queries: [[max(CLAIM, here('volumeter_volume_usage_ratio')), '{{namespace}}/{{persistentvolumeclaim}}']],
  }),
  lines('What applications wait for, by claim', {
    size: [12, 9], unit: 'suffix:s/s', decimals: 3, link: TO_CLAIM,
    what: 'Seconds that applications waited for syncs, each second. The claims at the top are those whose users feel the disk; 1 is one thread that does nothing else.',
    none: 'nobody syncs a claim here, or no single block device lies beneath',
    queries: [[rate(CLAIM, 'volumeter_volume_wait_seconds_total', THE_NODE), '{{namespace}}/{{persistentvolumeclaim}}']],
  }),
];

const POD = 'cluster, namespace, pod';
const VOLUME = `${POD}, volume, type`;
const ephemeral = (/** @type {string} */ suffix) => max(POD, here(`volumeter_pod_ephemeral_storage_${suffix}`));
const POD_LABELS = [{ ...LABELS[0], hidden: true }, LABELS[1], { label: 'pod', name: 'Pod' }];

export const pods = [
  rows('Ephemeral storage of pods', {
    size: [12, 8],
    what: 'What each pod has on the node\'s disk: emptyDirs, logs, writable layers. Above its limit the kubelet evicts it. Absent where a part is not known: before the first walks, and without containerd.',
    none: 'no pod\'s ephemeral storage is known in full: the runtime is not containerd, or first walks are under way',
    labels: POD_LABELS,
    columns: [
      bytes('Used', ephemeral('used_bytes')),
      bar('Of limit', `${ephemeral('used_bytes')} / ${ephemeral('limit_bytes')}`),
      bytes('Limit', ephemeral('limit_bytes')),
      {
        name: 'Measured', unit: 's', decimals: 0, width: 85,
        expr: since(max(POD, here('volumeter_pod_ephemeral_storage_last_measured_timestamp_seconds'))),
      },
    ],
    sort: [['Of limit', 'descending'], ['Used', 'descending']],
  }),
  rows('Volumes without a claim', {
    size: [12, 8],
    what: 'The emptyDirs, hostPaths and inline volumes of the node\'s pods. One without a size limit has no share of it.',
    none: 'no volume without a claim is measured here',
    labels: [...POD_LABELS, { label: 'volume', name: 'Volume' }, { label: 'type', name: 'Type', width: 85 }],
    columns: [
      bytes('Used', max(VOLUME, here('volumeter_pod_volume_stats_used_bytes'))),
      bar('Full', max(VOLUME, here('volumeter_pod_volume_usage_ratio'))),
    ],
    sort: [['Full', 'descending'], ['Used', 'descending']],
  }),
  lines('Deleted files that are still open', {
    size: [12, 7], unit: 'bytes',
    what: 'Bytes that come back when the process that holds a deleted file is restarted, by claim or pod: a lower bound.',
    none: 'no deleted file is held open here, or the agent may not look for them',
    queries: [
      [`${sum(CLAIM, here('volumeter_volume_deleted_open_bytes'))} > 0`, '{{namespace}}/{{persistentvolumeclaim}}'],
      [`${sum(`${POD}, volume`, here('volumeter_pod_volume_deleted_open_bytes'))} > 0`, '{{pod}} {{volume}}'],
    ],
  }),
  lines('Syncs without a claim', {
    size: [12, 7], unit: 's',
    what: 'Mean duration of syncs on volumes without a claim: emptyDirs and hostPaths are the node\'s own disk.',
    none: 'nobody syncs a volume without a claim here',
    queries: [[
      `sum by (${POD}, volume) (rate(${here('volumeter_pod_volume_sync_latency_seconds_sum')}[${INTERVAL}])) / ` +
      `(sum by (${POD}, volume) (rate(${here('volumeter_pod_volume_sync_latency_seconds_count')}[${INTERVAL}])) > 0)`,
      '{{namespace}}/{{pod}} {{volume}}']],
  }),
];
