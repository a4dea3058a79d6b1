// @ts-check
// A claim's speed: what its applications wait for, what its device takes, and what a probe finds.
import { heat, lines } from './lib/panel.mjs';
import {
  IO_P99, IO_USUAL, SYNC_P99, SYNC_USUAL, THE_CLAIM, buckets, increase, max, of, quantile, rate,
} from './lib/promql.mjs';
import { BLUE, GREEN, GREY, LATENCY, ORANGE, PURPLE, RED, SKY } from './lib/theme.mjs';

const the = (/** @type {string} */ series) => of(series, THE_CLAIM);
const io = (/** @type {string} */ counter) => rate('cluster', `volumeter_volume_io_${counter}`, THE_CLAIM);
const SYNC = 'volumeter_volume_sync_latency_seconds';
const IO = 'volumeter_volume_io_latency_seconds';
const NO_DEVICE = 'it has no device of its own, or no I/O is accounted there';

export const speed = [
  lines('Sync latency', {
    size: [12, 9], unit: 's', steps: LATENCY,
    what: 'How long fsync and its like took where the application makes them. p99 is recorded of twenty or more syncs in two minutes; usual is what nine tenths of its last day stayed below: p99 over three times that and 25 ms is a warning.',
    none: 'nobody syncs it, or the BPF programs are not attached',
    colors: { p50: SKY, p99: BLUE, 'p99, usual': GREY, 'allowed by the owner': RED },
    queries: [
      [quantile(0.5, 'cluster', SYNC, THE_CLAIM), 'p50'],
      [the(SYNC_P99), 'p99'],
      [the(SYNC_USUAL), 'p99, usual'],
      [max('cluster', the('volumeter_volume_sync_latency_threshold_seconds')), 'allowed by the owner'],
    ],
  }),
  heat('Syncs by duration', {
    size: [12, 9], unit: 's',
    what: 'How many syncs took how long, all nodes together. Two bands are two kinds of sync; a band that rises is a device, or a limit, that was reached.',
    none: 'nobody syncs it, or the BPF programs are not attached',
    queries: [[buckets(SYNC, THE_CLAIM)]],
  }),
  lines('Whose wait it is', {
    size: [12, 8], unit: 'suffix:s/s', decimals: 3, stack: true,
    what: 'Seconds that applications waited for syncs, each second: for the device, for its queue, or above it (throttling, journal, filesystem) while the disk was idle. 1 is one thread that does nothing else. Absent on shares and where the kernel does not account I/O.',
    none: 'nobody syncs it, or no single block device lies beneath',
    colors: { device: BLUE, queue: ORANGE, above: PURPLE },
    queries: [[rate('cluster, cause', 'volumeter_volume_wait_seconds_total', THE_CLAIM), '{{cause}}']],
  }),
  lines('Device latency, p99', {
    size: [12, 8], unit: 's',
    what: 'The 99th percentile of what its device took for reads and writes, beside what nine tenths of its last day stayed below. Over 50 ms and three times the usual is a warning.',
    none: 'fewer than 20 reads or writes in 2 minutes, or it has no device of its own',
    colors: { read: BLUE, write: ORANGE, 'read, usual': SKY, 'write, usual': GREY },
    queries: [[the(IO_P99), '{{operation}}'], [the(IO_USUAL), '{{operation}}, usual']],
  }),
  heat('Device reads by duration', {
    size: [12, 8], unit: 's',
    what: 'How many reads took the device how long. What is above the syncs\' times is not the device.',
    none: NO_DEVICE,
    queries: [[buckets(IO, `${THE_CLAIM},operation="read"`)]],
  }),
  heat('Device writes by duration', {
    size: [12, 8], unit: 's',
    what: 'How many writes took the device how long. Slow syncs above fast writes are throttling or the journal.',
    none: NO_DEVICE,
    queries: [[buckets(IO, `${THE_CLAIM},operation="write"`)]],
  }),
  lines('Operations', {
    size: [8, 8], unit: 'iops',
    what: 'Reads, writes and flushes that its device completed each second. A drop to nothing under load is a hang.',
    none: NO_DEVICE,
    colors: { reads: BLUE, writes: ORANGE, flushes: GREY },
    queries: [
      [io('reads_completed_total'), 'reads'],
      [io('writes_completed_total'), 'writes'],
      [io('flush_requests_total'), 'flushes'],
      [io('flushes_total'), 'flushes (without requests)'],
    ],
  }),
  lines('Throughput', {
    size: [8, 8], unit: 'binBps',
    what: 'Bytes read and written each second. A ceiling that it keeps to is a limit of the disk or its class.',
    none: NO_DEVICE,
    colors: { read: BLUE, written: ORANGE },
    queries: [[io('read_bytes_total'), 'read'], [io('written_bytes_total'), 'written']],
  }),
  lines('Wait for the device', {
    size: [8, 8], unit: 's',
    what: 'How long I/O waits on average before the device takes it: over 50 ms more is asked of it than it can do. Absent where devices have no queue (dm, md, zram).',
    none: NO_DEVICE,
    colors: { 'wait for the device': ORANGE },
    queries: [[the('claim:volumeter_volume_io_queue_seconds:mean_5m'), 'wait for the device']],
  }),
];

const NOT_PROBED = 'this claim is not annotated for probing, or its own syncs tell enough';
const PROBE = 'volumeter_probe_duration_seconds';

export const probing = [
  heat('Probe reads by duration', {
    size: [12, 8], unit: 's',
    what: 'How long the probe\'s reads of 4 KiB took, past the page cache.',
    none: NOT_PROBED,
    queries: [[buckets(PROBE, `${THE_CLAIM},operation="read"`)]],
  }),
  heat('Probe writes by duration', {
    size: [12, 8], unit: 's',
    what: 'How long the probe\'s durable overwrites of 4 KiB took. It runs outside of the pod\'s cgroup: it does not feel the pod\'s io.max.',
    none: NOT_PROBED,
    queries: [[buckets(PROBE, `${THE_CLAIM},operation="write_sync"`)]],
  }),
  lines('Probe success and delay', {
    size: [12, 7], unit: 'none', decimals: 0,
    what: 'Success is 1 while the last probe did what it should; missed counts pulses that were due while one had not come back, late is for how many seconds.',
    none: NOT_PROBED,
    colors: { success: BLUE, missed: ORANGE, 'late, seconds': RED },
    queries: [
      [`min by (cluster) (${the('volumeter_probe_success')})`, 'success'],
      [increase('cluster', 'volumeter_probe_missed_total', THE_CLAIM), 'missed'],
      [max('cluster', the('volumeter_probe_outstanding_seconds')), 'late, seconds'],
    ],
  }),
  lines('Probes left out, by reason', {
    size: [12, 7], unit: 'short', bars: true, stack: true, decimals: 0,
    what: 'Probes that were not tried or gave no figure. passive is good: its own syncs tell enough. full, read_only and not_permitted are worth a look.',
    none: 'no probe was left out, or this claim is not annotated for probing',
    colors: { passive: GREEN },
    queries: [[`${increase('cluster, reason', 'volumeter_probe_skipped_total', THE_CLAIM)} > 0`, '{{reason}}']],
  }),
];
