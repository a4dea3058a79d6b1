// @ts-check
// volumeter-probe: what the prober finds, and what it leaves out.
import { board } from './lib/board.mjs';
import { ROW_TO_CLAIM, TO_CLAIM } from './lib/links.mjs';
import { heat, lines, number, states } from './lib/panel.mjs';
import { CLAIM, NAMESPACES, buckets, howMany, increase, max, mean, min, of, rate } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { BLUE, GREEN, LATENCY, NONE_IS_GOOD, ORANGE, RED, words } from './lib/theme.mjs';
import { bursts } from './probe_bursts.mjs';

const PROBED = `${NAMESPACES},persistentvolumeclaim=~"$persistentvolumeclaim"`;
const the = (/** @type {string} */ series) => of(series, PROBED);
const NAME = '{{namespace}}/{{persistentvolumeclaim}}';
const DURATION = 'volumeter_probe_duration_seconds';
const WRITES = 'volumeter_volume_write_responsive';
const FIT = 'volumeter_volume_workload_fit';
const SHARE = 'claim:volumeter_probe_duration_seconds:share_over_25ms_10m';
const NOBODY = 'no claim is annotated for probing';
const IDLE = 'no claim is annotated for probing, or the applications\' own syncs tell enough';
const ANSWER = words({ 0: ['fails', RED], 1: ['succeeds', BLUE] });

const summary = [
  number('Claims probed', {
    size: [4, 4], unit: 'none',
    what: 'Claims whose owners agreed to be probed. Some are left out just now, as those whose own syncs tell enough.',
    none: 'no claim may be probed', queries: [[`count(count by (${CLAIM}) (${the('volumeter_probe_missed_total')}))`]],
  }),
  number('Failing', {
    size: [4, 4], unit: 'none', steps: NONE_IS_GOOD,
    what: 'Claims whose last probe did not come back, or did not do what it should. 0: some are probed, and all succeed.',
    none: 'no claim may be probed',
    queries: [[howMany(`${min(CLAIM, the('volumeter_probe_success'))} == 0`, the('volumeter_probe_success'))]],
  }),
  number('Writes hang', {
    size: [4, 4], unit: 'none', steps: NONE_IS_GOOD,
    what: 'Claims on which a probe\'s write does not come back while calls still do: a frozen filesystem, or a disk that is gone. 0: some are probed, and all answer.',
    none: 'no claim may be probed',
    queries: [[howMany(`${min(CLAIM, the(WRITES))} == 0`, the(WRITES))]],
  }),
  number('Waits the longest', {
    size: [4, 4], unit: 's', decimals: 0, steps: [[null, RED]],
    what: 'For how long the oldest probe has not come back.',
    none: 'no probe is late', queries: [[`max(${the('volumeter_probe_outstanding_seconds')})`]],
  }),
  number('Slow probes', {
    size: [4, 4], unit: 'percentunit', decimals: 0, steps: [[null, BLUE], [0.25, ORANGE], [0.5, RED]],
    what: 'The largest share of a claim\'s probes of the last ten minutes that took longer than 25 ms. Over half, where it is not usual, is a warning.',
    none: 'fewer than ten probes', queries: [[`max(${the(SHARE)})`]],
  }),
  number('Unfit for their workload', {
    size: [4, 4], unit: 'none', steps: NONE_IS_GOOD,
    what: 'Claims whose syncs of the last hour are slower than what their declared workload (etcd, postgresql, redis) asks for; those with too few syncs are not judged. 0: some declare one, and all are fit.',
    none: 'no workload is declared',
    queries: [[howMany(`${min(`${CLAIM}, workload`, the(FIT))} == 0`, the(FIT))]],
  }),
];

const latency = [
  heat('Durable writes by duration', {
    size: [12, 9], unit: 's',
    what: 'How many probes\' durable overwrites of 4 KiB took how long, all chosen claims together. Bounds are 1, 5, 10, 25 and 500 ms.',
    none: IDLE, queries: [[buckets(DURATION, `${PROBED},operation="write_sync"`)]],
  }),
  heat('Reads by duration', {
    size: [12, 9], unit: 's',
    what: 'How many probes\' reads of 4 KiB, past the page cache, took how long, all chosen claims together.',
    none: IDLE, queries: [[buckets(DURATION, `${PROBED},operation="read"`)]],
  }),
  lines('Mean durable write', {
    size: [8, 8], unit: 's', steps: LATENCY, link: TO_CLAIM,
    what: 'The mean of each claim\'s durable overwrites. A percentile of so coarse a histogram would be made up.',
    none: IDLE, queries: [[mean(CLAIM, DURATION, `${PROBED},operation="write_sync"`), NAME]],
  }),
  lines('Share over 25 ms', {
    size: [8, 8], unit: 'percentunit', share: true, link: TO_CLAIM,
    what: 'Which share of each claim\'s probes of ten minutes took longer than 25 ms, and what is usual. Over half where fewer than a quarter is usual is a warning.',
    none: 'no claim had ten probes in ten minutes',
    queries: [
      [the(SHARE), `${NAME} {{operation}}`],
      [the('claim:volumeter_probe_duration_seconds:share_over_25ms_1d'), `${NAME} {{operation}}, usual`],
    ],
  }),
  lines('First write', {
    size: [8, 8], unit: 's', link: TO_CLAIM,
    what: 'What a probe costs its claim: mean time to make its file and first block durable, which commits the filesystem\'s journal. The claim\'s own syncs wait as long.',
    none: IDLE,
    queries: [[
      `${rate(CLAIM, 'volumeter_probe_first_write_seconds_total', PROBED)} / ` +
      `(${rate(CLAIM, `${DURATION}_count`, `${PROBED},operation="write_sync"`)} > 0)`, NAME]],
  }),
];

const outcome = [
  states('Success', {
    size: [12, 9], unit: 'none', mapping: ANSWER, steps: [[null, RED], [1, BLUE]],
    what: 'Whether each claim\'s last probe came back and did what it should. A gap is a claim whose own syncs tell enough.',
    none: IDLE, queries: [[min(CLAIM, the('volumeter_probe_success')), NAME]],
  }),
  lines('Left out, by reason', {
    size: [12, 9], unit: 'short', bars: true, stack: true, decimals: 0,
    what: 'Probes that were not tried or gave no figure. passive is good: own syncs tell enough. full, read_only, not_permitted and not_visible are worth a look; cached and cpu are figures withheld.',
    none: 'no probe was left out', colors: { passive: GREEN },
    queries: [[`${increase('reason', 'volumeter_probe_skipped_total', PROBED)} > 0`, '{{reason}}']],
  }),
  lines('Missed', {
    size: [12, 8], unit: 'short', bars: true, decimals: 0, link: TO_CLAIM,
    what: 'Pulses that were due while the one before had not come back. Flat at 0 is good.',
    none: NOBODY, queries: [[increase(CLAIM, 'volumeter_probe_missed_total', PROBED), NAME]],
  }),
  lines('Late', {
    size: [12, 8], unit: 's', link: TO_CLAIM,
    what: 'For how long the oldest probe of a claim has not come back. A line that rises is a frozen filesystem or a lost disk.',
    none: 'no probe is late', queries: [[max(CLAIM, the('volumeter_probe_outstanding_seconds')), NAME]],
  }),
  rows('What was left out, by claim', {
    size: [24, 8],
    what: 'Probes that were left out in the last hour, by claim and reason. A claim that is in here only with other reasons than passive is not watched by the prober.',
    none: 'no probe was left out in the last hour',
    labels: [
      { label: 'cluster', name: 'Cluster', width: 75 },
      { label: 'namespace', name: 'Namespace', width: 100 },
      { label: 'persistentvolumeclaim', name: 'Claim', link: ROW_TO_CLAIM },
      { label: 'reason', name: 'Reason' },
    ],
    columns: [{
      name: 'Probes', decimals: 0, width: 100,
      expr: `topk(100, ${increase(`${CLAIM}, reason`, 'volumeter_probe_skipped_total', PROBED, '1h')} > 0)`,
    }],
    sort: [['Probes', 'descending']],
  }),
];

export default () => board({
  uid: 'volumeter-probe',
  description: 'What the prober and its bursts find on claims whose owners agreed, what was left out and why, and whether claims are fit for their declared workloads.',
  rows: [
    { title: 'At a glance', panels: summary },
    { title: 'Latency of probes', panels: latency },
    { title: 'Success, and what was left out', panels: outcome },
    { title: 'Bursts and fit for a workload', panels: bursts(PROBED) },
  ],
});
