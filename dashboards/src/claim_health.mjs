// @ts-check
// A claim's health, with reasons, and who uses it.
import { ROW_TO_NODE } from './lib/links.mjs';
import { lines, states } from './lib/panel.mjs';
import { THE_CLAIM, increase, max, min, of, rate } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { BLUE, GREY, ORANGE, PURPLE, RED, SKY, words } from './lib/theme.mjs';

const the = (/** @type {string} */ series) => of(series, THE_CLAIM);
const lowest = (/** @type {string} */ metric) => min('cluster', the(metric));
const highest = (/** @type {string} */ metric) => max('cluster', the(metric));
const either = (/** @type {[string, string]} */ zero, /** @type {[string, string]} */ one) => words({ 0: zero, 1: one });

export const health = [
  states('Health', {
    size: [16, 12], unit: 'none', steps: [[null, BLUE], [1, ORANGE]],
    what: 'What holds at each moment, by reason. A row that is not there is not known: an unprobed claim has no writes, a filesystem other than ext4 no emergency.',
    none: 'no agent reports this claim',
    words: {
      calls: either(['hang', RED], ['answered', BLUE]),
      'writes of the probe': either(['hang', RED], ['answered', BLUE]),
      probe: either(['fails', RED], ['succeeds', BLUE]),
      mounted: either(['no', RED], ['yes', BLUE]),
      'promises broken by the mount': words({ 0: ['none', BLUE] }),
      'read-only.*': either(['writable', BLUE], ['read-only', RED]),
      'driver says': either(['normal', BLUE], ['abnormal', RED]),
      'expansion waits.*': either(['no', BLUE], ['waits', ORANGE]),
      'access.*': either(['kept', BLUE], ['violated', ORANGE]),
      'ordinal': either(['its own', BLUE], ['another\'s', RED]),
      'fit for.*': either(['too slow', RED], ['fit', BLUE]),
    },
    queries: [
      [lowest('volumeter_volume_responsive'), 'calls'],
      [lowest('volumeter_volume_write_responsive'), 'writes of the probe'],
      [lowest('volumeter_probe_success'), 'probe'],
      [lowest('volumeter_volume_mounted'), 'mounted'],
      [highest('volumeter_volume_mount_mismatches'), 'promises broken by the mount'],
      [max('cluster, cause', the('volumeter_volume_read_only')), 'read-only: {{cause}}'],
      [highest('volumeter_volume_health_status_abnormal'), 'driver says'],
      [max('cluster, stage', the('volumeter_volume_expansion_stage')), 'expansion waits: {{stage}}'],
      [max('cluster, rule', the('volumeter_volume_access_violated')), 'access: {{rule}}'],
      [highest('volumeter_volume_ordinal_mismatch'), 'ordinal'],
      [min('cluster, workload', the('volumeter_volume_workload_fit')), 'fit for {{workload}}'],
    ],
  }),
  lines('New errors', {
    size: [8, 6], unit: 'short', bars: true, decimals: 0,
    what: 'Errors that its filesystem or device counted, and lines of the kernel\'s log about it. Any is bad; flat at 0 is good.',
    none: 'no error of it can be counted: it has no device of its own',
    colors: { 'I/O': RED, 'kernel log': ORANGE },
    queries: [
      [increase('cluster, kind', 'volumeter_volume_filesystem_errors_total', THE_CLAIM), 'filesystem: {{kind}}'],
      [increase('cluster', 'volumeter_volume_io_errors_total', THE_CLAIM), 'I/O'],
      [increase('cluster', 'volumeter_volume_kernel_messages_total', THE_CLAIM), 'kernel log'],
    ],
  }),
  lines('Failed measurements', {
    size: [8, 6], unit: 'short', bars: true, stack: true, decimals: 0,
    what: 'Times that it could not be measured, by reason. timeout is a hang; not_visible is a missing HostToContainer of the agent.',
    none: 'every measurement of it has succeeded', colors: { timeout: ORANGE, worker: RED },
    queries: [[increase('cluster, reason', 'volumeter_volume_measure_errors_total', THE_CLAIM), '{{reason}}']],
  }),
];

export const uses = [
  rows('Who uses it', {
    size: [14, 7],
    what: 'The pods that have it, on all nodes, with their owners. Several on a ReadWriteOnce claim share one node.',
    none: 'no pod that is known uses this claim',
    labels: [
      { label: 'pod', name: 'Pod' },
      { label: 'node', name: 'Node', link: ROW_TO_NODE },
      { label: 'owner_kind', name: 'Kind', width: 110 },
      { label: 'owner_name', name: 'Owner' },
      { label: 'ordinal', name: 'Ordinal', width: 75 },
      { label: 'cluster', name: 'Cluster', width: 75 },
    ],
    columns: [{
      name: 'Uses', hidden: true,
      expr: max('cluster, node, pod, owner_kind, owner_name, ordinal', the('volumeter_volume_mount_info')),
    }],
    sort: [['Pod', 'ascending']],
  }),
  lines('Syncs by node', {
    size: [10, 7], unit: 'ops',
    what: 'Syncs each second from each node that mounts it. Several lines are several writers: ReadWriteMany, or a claim that moves.',
    none: 'nobody syncs it, or the BPF programs are not attached',
    queries: [[rate('cluster, node', 'volumeter_volume_sync_latency_seconds_count', THE_CLAIM), '{{node}}']],
  }),
  rows('What it is', {
    size: [24, 5],
    what: 'Its PersistentVolume, class, driver, filesystem and device, a row for each node that knows something different. The handle is the driver\'s name for it.',
    none: 'no agent reports this claim',
    labels: [
      { label: 'persistentvolume', name: 'PersistentVolume' },
      { label: 'storageclass', name: 'StorageClass' },
      { label: 'csi_driver', name: 'Driver' },
      { label: 'volume_handle', name: 'Handle' },
      { label: 'fstype', name: 'Filesystem', width: 100 },
      { label: 'volume_mode', name: 'Mode', width: 95 },
      { label: 'device', name: 'Device', width: 95 },
      { label: 'reclaim_policy', name: 'Reclaim', width: 85 },
      { label: 'node', name: 'Node', link: ROW_TO_NODE },
      { label: 'cluster', name: 'Cluster', width: 75 },
    ],
    columns: [{ name: 'Known', hidden: true, expr: the('volumeter_volume_info') }],
    sort: [['Node', 'ascending']],
  }),
  lines('Requested and had', {
    size: [12, 7], unit: 'bytes',
    what: 'What the claim asks for, and what there is. An expansion is under way while they differ and bytes are pending; Health says in which stage it waits.',
    none: 'neither its request nor its size is known',
    colors: { requested: GREY, size: BLUE, pending: ORANGE },
    queries: [
      [highest('volumeter_volume_requested_bytes'), 'requested'],
      [highest('volumeter_volume_stats_capacity_bytes'), 'size'],
      [highest('volumeter_volume_expansion_pending_bytes'), 'pending'],
    ],
  }),
  lines('Expansion waits', {
    size: [12, 7], unit: 's',
    what: 'For how long an expansion has waited in its stage. Over half an hour is a warning.',
    none: 'no expansion is under way',
    colors: { controller: SKY, node: ORANGE, filesystem: PURPLE },
    queries: [[
      `(time() - ${lowest('volumeter_volume_expansion_since_timestamp_seconds')}) * on (cluster) group_right () ` +
      `(${max('cluster, stage', the('volumeter_volume_expansion_stage'))} == 1)`, '{{stage}}']],
  }),
];
