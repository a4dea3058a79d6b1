// @ts-check
// The members of a StatefulSet, beside each other.
import { bar, bytes, perSecond, timeLeft } from './lib/columns.mjs';
import { ROW_TO_CLAIM, ROW_TO_NODE, TO_CLAIM } from './lib/links.mjs';
import { gauges, lines, states } from './lib/panel.mjs';
import {
  AVAILABLE, CAPACITY, CLAIM, SYNC_P99, USAGE_RATIO, USED, max, mean, min, of, rate, state, timeToFull,
} from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { BLUE, DIGITS, LATENCY, ORANGE, RED, STATE, TIME_LEFT, USAGE } from './lib/theme.mjs';

export const SET = 'cluster=~"$cluster",namespace="$namespace",persistentvolumeclaim=~"$persistentvolumeclaim"';
export const the = (/** @type {string} */ series) => of(series, SET);
const NAME = '{{persistentvolumeclaim}}';
// A member has its colour in each panel, whoever is absent.
const matching = Object.fromEntries(DIGITS.map((color, digit) => [`.*${digit}`, color]));
const each = (/** @type {string} */ metric) => rate(CLAIM, metric, SET);
const NO_USAGE = 'no claim of this set has a known usage';
const NO_SYNCS = 'no member syncs, or the BPF programs are not attached';

/** How far the members are apart. @param {string} expr */
export const apart = (expr) => `${max('cluster', expr)} - ${min('cluster', expr)}`;

export const members = [
  rows('Members', {
    size: [24, 9],
    what: 'Each claim with the pod that has it, the worst first. A dash is unknown or nothing to tell.',
    none: 'no pod of this set is known',
    labels: [
      { label: 'cluster', name: 'Cluster', width: 75 },
      { label: 'namespace', name: 'Namespace', hidden: true },
      { label: 'persistentvolumeclaim', name: 'Claim', link: ROW_TO_CLAIM },
      { label: 'pod', name: 'Pod' },
      { label: 'node', name: 'Node', link: ROW_TO_NODE },
    ],
    columns: [
      { name: 'State', width: 95, words: STATE, expr: state(CLAIM, SET) },
      {
        name: 'Used by', hidden: true,
        expr: max(`${CLAIM}, pod, node`, `volumeter_volume_mount_info{${SET},owner_kind="StatefulSet"}`),
      },
      bar('Used', max(CLAIM, the(USAGE_RATIO))),
      bytes('Left', max(CLAIM, the(AVAILABLE))),
      bytes('Size', max(CLAIM, the(CAPACITY))),
      timeLeft('Full in', max(CLAIM, timeToFull(SET))),
      { name: 'Sync p99', unit: 's', width: 80, steps: LATENCY, expr: max(CLAIM, the(SYNC_P99)) },
      perSecond('Syncs', 'ops', each('volumeter_volume_sync_latency_seconds_count')),
      perSecond('Written', 'binBps', each('volumeter_volume_io_written_bytes_total')),
    ],
    sort: [['State', 'descending'], ['Used', 'descending']],
  }),
  states('States', {
    size: [24, 7], unit: 'none', mapping: STATE, steps: [[null, BLUE], [1, ORANGE], [2, RED]],
    what: 'The worst state of each member\'s claim over time: who was first.',
    none: 'no pod of this set is known',
    queries: [[state(CLAIM, SET), NAME]],
  }),
];

export const space = [
  gauges('Usage, side by side', {
    size: [8, 9], unit: 'percentunit', steps: USAGE, max: 1, decimals: 0, link: TO_CLAIM,
    what: 'How full each claim is now; orange from 80 %, red from 90 %.', none: NO_USAGE,
    queries: [[`sort_desc(${the(USAGE_RATIO)})`, NAME]],
  }),
  lines('Usage', {
    size: [16, 9], unit: 'percentunit', steps: USAGE, limits: true, max: 1, decimals: 1, link: TO_CLAIM, matching,
    what: 'How full each claim is, with lines at 80 % (warning) and 90 % (page). Lines that part are a skew that grows.', none: NO_USAGE,
    queries: [[the(USAGE_RATIO), NAME]],
  }),
  lines('Skew of bytes in use', {
    size: [12, 8], unit: 'bytes',
    what: 'The most bytes that a member has in use, the fewest, and the difference. It compares members of unlike sizes, too.', none: NO_USAGE,
    colors: { most: ORANGE, fewest: BLUE, difference: RED },
    queries: [
      [max('cluster', the(USED)), 'most'], [min('cluster', the(USED)), 'fewest'], [apart(the(USED)), 'difference'],
    ],
  }),
  lines('Time to full', {
    size: [12, 8], unit: 's', steps: TIME_LEFT, limits: true, log: true, link: TO_CLAIM, matching,
    what: 'When each claim will be full, by the forecasts of the alerts, with lines at 24 and 4 hours. The lowest is next.',
    none: 'none grows, or there is too little history', queries: [[timeToFull(SET), NAME]],
  }),
];

export const speed = [
  lines('Sync latency, p99', {
    size: [12, 9], unit: 's', steps: LATENCY, link: TO_CLAIM, matching,
    what: 'The 99th percentile of each member\'s fsyncs, of twenty or more in two minutes. One line above the others is that member\'s disk or node.',
    none: NO_SYNCS, queries: [[the(SYNC_P99), NAME]],
  }),
  lines('Sync latency, mean', {
    size: [12, 9], unit: 's', link: TO_CLAIM, matching,
    what: 'The mean duration of each member\'s fsyncs; of members that sync seldom, too.',
    none: NO_SYNCS, queries: [[mean(CLAIM, 'volumeter_volume_sync_latency_seconds', SET), NAME]],
  }),
  lines('Syncs', {
    size: [8, 8], unit: 'ops', link: TO_CLAIM, matching,
    what: 'Syncs each second. The busiest is the leader, as a rule; one at 0 does not take part.',
    none: NO_SYNCS, queries: [[each('volumeter_volume_sync_latency_seconds_count'), NAME]],
  }),
  lines('Written', {
    size: [8, 8], unit: 'binBps', link: TO_CLAIM, matching,
    what: 'Bytes that each member\'s device wrote each second. Absent where it has no device of its own.',
    none: 'no member has a device of its own', queries: [[each('volumeter_volume_io_written_bytes_total'), NAME]],
  }),
  lines('Wait above the device', {
    size: [8, 8], unit: 'suffix:s/s', decimals: 3, link: TO_CLAIM, matching,
    what: 'Seconds that members waited for syncs while their disk was idle, each second: throttling, the journal or the filesystem.',
    none: NO_SYNCS, queries: [[rate(CLAIM, 'volumeter_volume_wait_seconds_total', `${SET},cause="above"`), NAME]],
  }),
];
