// @ts-check
// What is seldom asked of a claim.
import { heat, lines, number } from './lib/panel.mjs';
import { INTERVAL, THE_CLAIM, buckets, max, of, rate, since } from './lib/promql.mjs';
import { BLUE, GREY, NONE_IS_GOOD, ORANGE, SKY } from './lib/theme.mjs';

const the = (/** @type {string} */ series) => of(series, THE_CLAIM);
const highest = (/** @type {string} */ metric) => max('cluster', the(metric));
const io = (/** @type {string} */ counter) => rate('cluster', `volumeter_volume_io_${counter}`, THE_CLAIM);
const NO_DEVICE = 'it has no device of its own, or no I/O is accounted there';
const nfs = (/** @type {string} */ time) =>
  `${rate('cluster, operation', `volumeter_volume_nfs_operations_${time}_seconds_total`, THE_CLAIM)} / ` +
  `(${rate('cluster, operation', 'volumeter_volume_nfs_operations_requests_total', THE_CLAIM)} > 0)`;
const NO_NFS = 'it is no NFS share of its own';

export const details = [
  lines('Mean times of the device', {
    size: [8, 7], unit: 's',
    what: 'Mean time of reads, writes and flushes, with their wait for the device. The percentiles above tell more.',
    none: NO_DEVICE,
    colors: { read: BLUE, write: ORANGE, flush: GREY },
    queries: [
      [`${io('read_time_seconds_total')} / (${io('reads_completed_total')} > 0)`, 'read'],
      [`${io('write_time_seconds_total')} / (${io('writes_completed_total')} > 0)`, 'write'],
      [`${io('flush_requests_time_seconds_total')} / (${io('flush_requests_total')} > 0)`, 'flush'],
      [`${io('flush_seconds_total')} / (${io('flushes_total')} > 0)`, 'flush (without requests)'],
    ],
  }),
  lines('Busy device', {
    size: [8, 7], unit: 'percentunit', share: true,
    what: 'Share of the time with any operation in flight. Near 100 % a single disk is saturated; an array or an SSD may not be.',
    none: NO_DEVICE,
    colors: { busy: BLUE },
    queries: [[`max by (cluster) (rate(${the('volumeter_volume_io_io_time_seconds_total')}[${INTERVAL}]))`, 'busy']],
  }),
  lines('Operations in flight', {
    size: [8, 7], unit: 'short',
    what: 'Operations in flight: at the moment of the scrape, and on average.',
    none: NO_DEVICE,
    colors: { now: SKY, mean: BLUE },
    queries: [
      [`sum by (cluster) (${the('volumeter_volume_io_io_now')})`, 'now'],
      [io('io_time_weighted_seconds_total'), 'mean'],
    ],
  }),
  lines('NFS requests', {
    size: [8, 7], unit: 'reqps',
    what: 'NFS requests each second by operation, and those sent again: any of these are a network or server that loses them.',
    none: NO_NFS,
    queries: [
      [`${rate('cluster, operation', 'volumeter_volume_nfs_operations_requests_total', THE_CLAIM)} > 0`, '{{operation}}'],
      [`${rate('cluster', 'volumeter_volume_nfs_operations_retransmissions_total', THE_CLAIM)} > 0`, 'sent again'],
    ],
  }),
  lines('NFS round trip', {
    size: [8, 7], unit: 's',
    what: 'Mean time from sending a request to the answer: network and server.',
    none: NO_NFS,
    queries: [[nfs('response_time'), '{{operation}}']],
  }),
  lines('NFS queue', {
    size: [8, 7], unit: 's',
    what: 'Mean time until a request was sent. It grows when the client has too few slots or the connection is gone.',
    none: NO_NFS,
    queries: [[nfs('queue_time'), '{{operation}}']],
  }),
  heat('Reads as the application waits', {
    size: [12, 7], unit: 's',
    what: 'How long read calls took, from the page cache or not. Only with --latency.operations=all.',
    none: 'the agents do not run with --latency.operations=all',
    queries: [[buckets('volumeter_volume_call_latency_seconds', `${THE_CLAIM},operation="read"`)]],
  }),
  heat('Writes as the application waits', {
    size: [12, 7], unit: 's',
    what: 'How long write calls took. Only with --latency.operations=all.',
    none: 'the agents do not run with --latency.operations=all',
    queries: [[buckets('volumeter_volume_call_latency_seconds', `${THE_CLAIM},operation="write"`)]],
  }),
  lines('Walks', {
    size: [8, 7], unit: 'short',
    what: 'Entries that the last walk counted, and those of the walk under way.',
    none: 'it is not walked: its filesystem or a quota tells its usage',
    colors: { 'last walk': BLUE, 'under way': ORANGE },
    queries: [
      [highest('volumeter_volume_walk_entries'), 'last walk'],
      [highest('volumeter_volume_walk_progress_entries'), 'under way'],
    ],
  }),
  number('Walk took', {
    size: [4, 7], unit: 's',
    what: 'How long the last walk took, with its pauses: its usage is at least as old.',
    none: 'it is not walked',
    queries: [[highest('volumeter_volume_walk_duration_seconds')]],
  }),
  number('Last written', {
    size: [4, 7], unit: 's', decimals: 0,
    what: 'How long ago its newest file was changed, as the last walk found it. Weeks may mean that nobody needs it.',
    none: 'it is not walked',
    queries: [[since(highest('volumeter_volume_last_write_timestamp_seconds'))]],
  }),
  number('Written beside it', {
    size: [4, 7], unit: 'bytes', steps: NONE_IS_GOOD,
    what: 'Bytes that were written to the node\'s disk where the volume should be mounted: they are lost with the pod.',
    none: 'mounted, or not looked at yet',
    queries: [[highest('volumeter_volume_unmounted_bytes')]],
  }),
  number('Last filesystem error', {
    size: [4, 7], unit: 's', decimals: 0,
    what: 'How long ago ext4 found the last of its errors. Run e2fsck before the next.',
    none: 'no error, or it is not ext4',
    queries: [[since(highest('volumeter_volume_filesystem_last_error_timestamp_seconds'))]],
  }),
];
