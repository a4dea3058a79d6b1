// @ts-check
// A node's filesystems and block devices, and what its kernel and its agent say.
import { age, bar, bytes, percent } from './lib/columns.mjs';
import { heat, lines } from './lib/panel.mjs';
import { THE_NODE, buckets, increase, max, of, rate, since } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { BLUE, FEW_IS_GOOD, GREY, ORANGE, RED, USAGE, YES, words } from './lib/theme.mjs';

const here = (/** @type {string} */ series) => of(series, THE_NODE);
const FILESYSTEM = 'cluster, device, mountpoint, fstype';
const filesystem = (/** @type {string} */ suffix) => max(FILESYSTEM, here(`volumeter_filesystem_${suffix}`));

export const filesystems = [
  lines('Usage of filesystems', {
    size: [10, 8], unit: 'percentunit', steps: USAGE, limits: true, max: 1, decimals: 1,
    what: 'How full the node\'s own filesystems are, and those beneath shared volumes, with lines at 80 and 90 %. At some 85 % the kubelet begins to evict pods. Network shares are on the overview.',
    none: 'no filesystem of this node is measured',
    queries: [[here('filesystem:volumeter_filesystem_usage_ratio:max'), '{{mountpoint}} {{device}}']],
  }),
  rows('Filesystems', {
    size: [14, 8],
    what: 'The filesystems of the node that are measured, with their inodes and whether they answer.',
    none: 'no filesystem of this node is measured',
    labels: [
      { label: 'mountpoint', name: 'Mountpoint' },
      { label: 'device', name: 'Device' },
      { label: 'fstype', name: 'Type', width: 80 },
    ],
    columns: [
      bar('Used', filesystem('usage_ratio')),
      percent('Inodes', filesystem('inodes_usage_ratio')),
      bytes('Left', filesystem('available_bytes')),
      { name: 'Read-only', width: 85, words: YES, expr: filesystem('read_only') },
      {
        name: 'Calls', width: 80, words: words({ 0: ['hang', RED], 1: ['answered', BLUE] }),
        expr: `min by (${FILESYSTEM}) (${here('volumeter_filesystem_responsive')})`,
      },
      age('Measured', since(filesystem('last_measured_timestamp_seconds'))),
    ],
    sort: [['Used', 'descending']],
  }),
];

const disk = (/** @type {string} */ counter) =>
  rate('cluster, device', `volumeter_block_device_io_${counter}`, THE_NODE);
const NO_DISKS = 'no disk here is shared or the node\'s own, or no I/O is accounted';

export const devices = [
  lines('Busy disks', {
    size: [8, 8], unit: 'percentunit', share: true,
    what: 'Share of the time with any operation in flight, of disks that no claim has to itself. Near 100 % a single disk is saturated; all its volumes suffer.',
    none: NO_DISKS,
    queries: [[disk('io_time_seconds_total'), '{{device}}']],
  }),
  lines('Operations of disks', {
    size: [8, 8], unit: 'iops',
    what: 'Reads and writes that the disks completed each second.',
    none: NO_DISKS,
    queries: [[disk('reads_completed_total'), '{{device}} reads'], [disk('writes_completed_total'), '{{device}} writes']],
  }),
  lines('Throughput of disks', {
    size: [8, 8], unit: 'binBps',
    what: 'Bytes that were read from and written to the disks each second.',
    none: NO_DISKS,
    queries: [[disk('read_bytes_total'), '{{device}} read'], [disk('written_bytes_total'), '{{device}} written']],
  }),
  heat('Writes to disks by duration', {
    size: [7, 8], unit: 's',
    what: 'How many writes took the disks how long, without what is counted for claims that have a disk to themselves.',
    none: NO_DISKS,
    queries: [[buckets('volumeter_block_device_io_latency_seconds', `${THE_NODE},operation="write"`)]],
  }),
  lines('Wait for disks', {
    size: [7, 8], unit: 's',
    what: 'How long I/O waits on average before its disk takes it. Over 50 ms for ten minutes is a warning.',
    none: NO_DISKS,
    queries: [[`${disk('queue_seconds_total')} / (${disk('latency_seconds_count')} > 0)`, '{{device}}']],
  }),
  rows('Block devices', {
    size: [10, 8],
    what: 'What each block device of this node\'s volumes is. Errors are of the last hour.',
    none: 'no block device is beneath this node\'s volumes',
    labels: [
      { label: 'device', name: 'Device' },
      { label: 'tier', name: 'Tier', width: 80 },
      { label: 'scheduler', name: 'Scheduler' },
      { label: 'encryption', name: 'Encryption' },
    ],
    columns: [
      {
        name: 'Known', hidden: true,
        expr: max('cluster, device, tier, scheduler, encryption', here('volumeter_block_device_info')),
      },
      bytes('Size', max('cluster, device', here('volumeter_block_device_size_bytes'))),
      {
        name: 'Errors', decimals: 0, width: 70, steps: FEW_IS_GOOD,
        expr: `${increase('cluster, device', 'volumeter_block_device_io_errors_total', THE_NODE, '1h')} ` +
          `and on (cluster, device) ${here('volumeter_block_device_info')}`,
      },
    ],
    sort: [['Errors', 'descending'], ['Size', 'descending']],
  }),
];

export const system = [
  lines('Pressure', {
    size: [8, 8], unit: 'percentunit', share: true,
    what: 'Share of the time in which some task, or all of them, waited for I/O (PSI). All of them stalled is a node that stands still.',
    none: 'the kernel has no PSI',
    colors: { 'some wait': ORANGE, 'all stalled': RED },
    queries: [
      [rate('cluster', 'volumeter_pressure_io_waiting_seconds_total', THE_NODE), 'some wait'],
      [rate('cluster', 'volumeter_pressure_io_stalled_seconds_total', THE_NODE), 'all stalled'],
    ],
  }),
  lines('Lines of the kernel\'s log', {
    size: [8, 8], unit: 'short', bars: true, stack: true, decimals: 0,
    what: 'Lines that tell of errors of storage, by kind. Any is worth a look; flat at 0 is good.',
    none: 'the agent does not read the kernel\'s log',
    queries: [[increase('cluster, kind', 'volumeter_kernel_messages_total', THE_NODE), '{{kind}}']],
  }),
  lines('Workers', {
    size: [8, 8], unit: 'none', decimals: 0,
    what: 'Worker processes of the agent. One that is stuck sleeps in the kernel over a volume that hangs.',
    none: 'no agent of this node is scraped',
    colors: { ready: BLUE, stuck: RED },
    queries: [[max('cluster, state', here('volumeter_workers')), '{{state}}']],
  }),
  lines('Left behind', {
    size: [12, 7], unit: 'none', decimals: 0,
    what: 'What belongs to no pod, by kind. It is reported and never removed: look before you delete anything.',
    none: 'the node\'s pods are not all known',
    colors: { 'pod_directory': BLUE, mount: ORANGE, staging: RED, 'loop_device': GREY },
    queries: [[max('cluster, kind', here('volumeter_orphans')), '{{kind}}']],
  }),
  lines('Failed measurements', {
    size: [12, 7], unit: 'short', bars: true, stack: true, decimals: 0,
    what: 'Times that claims of this node could not be measured, by reason. timeout is a hang; not_visible a missing HostToContainer of the agent.',
    none: 'every measurement here has succeeded', colors: { timeout: ORANGE, worker: RED },
    queries: [[increase('cluster, reason', 'volumeter_volume_measure_errors_total', THE_NODE), '{{reason}}']],
  }),
];
