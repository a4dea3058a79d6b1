// @ts-check
// volumeter-claim: all that is known about one claim. The alerts of claims lead here.
import { alertTable } from './lib/alerts.mjs';
import { board } from './lib/board.mjs';
import { lines, number } from './lib/panel.mjs';
import {
  AVAILABLE, CAPACITY, GROWTH_1H, GROWTH_2H, GROWTH_6H, INODES_RATIO, SYNC_P99, THE_CLAIM, USAGE_RATIO, USED, max,
  measured, of, since, state, timeToFull,
} from './lib/promql.mjs';
import { AGE, BLUE, GREY, LATENCY, ORANGE, PURPLE, RED, SKY, STATE, TIME_LEFT, USAGE } from './lib/theme.mjs';
import { details } from './claim_details.mjs';
import { health, uses } from './claim_health.mjs';
import { probing, speed } from './claim_speed.mjs';

const the = (/** @type {string} */ series) => of(series, THE_CLAIM);
const by = (/** @type {string} */ metric) => max('cluster', of(metric, THE_CLAIM));

const slowly = `volumeter_volume_usage_method{${THE_CLAIM},method=~"walk|quota"} == 1`;

const summary = [
  number('State', {
    size: [3, 4], unit: 'none', mapping: STATE, steps: [[null, BLUE], [1, ORANGE], [2, RED]],
    what: 'The worst that is known: hangs, writes hang, not mounted, wrong mount, read-only against all wishes, probe fails, new errors in 15 minutes. "ok" means that an agent reports the claim and found none of these.',
    none: 'no agent reports this claim',
    queries: [[state('cluster', THE_CLAIM)]],
  }),
  number('Used', {
    size: [3, 4], unit: 'percentunit', steps: USAGE, decimals: 0, line: true,
    what: 'Bytes in use, as df says. 80 % warns, 90 % pages, unless the owner says otherwise.',
    none: 'usage unknown',
    queries: [[the(USAGE_RATIO)]],
  }),
  number('Left', {
    size: [3, 4], unit: 'bytes',
    what: 'Bytes that can still be written. Unknown for a directory on a shared filesystem without a quota: its neighbours may take them.',
    none: 'bytes left unknown',
    queries: [[the(AVAILABLE)]],
  }),
  number('Full in', {
    size: [3, 4], unit: 's', decimals: 1, steps: TIME_LEFT,
    what: 'When it will be full, by the faster of the two forecasts that the alerts read. Under 24 hours is a warning, under 4 a page. Absent while it does not grow, and without hours of history.',
    none: 'no known growth',
    queries: [[timeToFull(THE_CLAIM)]],
  }),
  number('Inodes', {
    size: [3, 4], unit: 'percentunit', steps: USAGE, decimals: 0,
    what: 'Inodes in use. When none is left no file can be made, however many bytes are free.',
    none: 'not counted',
    queries: [[the(INODES_RATIO)]],
  }),
  number('Sync p99', {
    size: [3, 4], unit: 's', steps: LATENCY, line: true,
    what: 'One in a hundred fsyncs takes this long or longer; over two minutes, of twenty or more.',
    none: 'too few syncs',
    queries: [[the(SYNC_P99)]],
  }),
  number('Size', {
    size: [3, 4], unit: 'bytes',
    what: 'The size of its filesystem or device; what was promised where it shares a filesystem.',
    none: 'size unknown',
    queries: [[the(CAPACITY)]],
  }),
  number('Measured', {
    size: [3, 4], unit: 's', decimals: 0, steps: AGE, matching: { '.*walked': BLUE },
    what: 'How long ago its usage was measured. Over three minutes something hangs, unless it is walked or has a quota, which takes its time.',
    none: 'never measured',
    queries: [
      [`${since(measured('cluster', THE_CLAIM))} unless on (cluster) ${slowly}`],
      [`${since(measured('cluster', THE_CLAIM))} and on (cluster) ${slowly}`, '{{cluster}} walked'],
    ],
  }),
];

const alerts = alertTable('Alerts of this claim', {
  size: [24, 5], matchers: THE_CLAIM, without: ['namespace', 'persistentvolumeclaim', 'node'],
  what: 'What fires for this claim, each with its runbook: a click on the name. Alerts that its owner does not want are not here.',
  none: 'no alert of this claim fires, or the rules are not evaluated here',
});

const space = [
  lines('Usage', {
    size: [6, 8], unit: 'percentunit', steps: USAGE, limits: true, max: 1, decimals: 1,
    what: 'Shares of bytes and inodes in use, with lines at 80 % (warning) and 90 % (page), and the owner\'s own limits where there are any.',
    none: 'its usage is unknown: a block device, a network share without walks, or a first walk under way',
    colors: { bytes: BLUE, inodes: PURPLE, 'owner: warning': ORANGE, 'owner: critical': RED },
    queries: [
      [the(USAGE_RATIO), 'bytes'],
      [the(INODES_RATIO), 'inodes'],
      [`min by (cluster, severity) (${the('volumeter_volume_usage_threshold_ratio')})`, 'owner: {{severity}}'],
    ],
  }),
  lines('Bytes', {
    size: [6, 8], unit: 'bytes',
    what: 'Bytes in use, the size, and what the claim requests. Requested above the size is an expansion that has not arrived.',
    none: 'neither its usage nor its size is known',
    colors: { used: BLUE, size: ORANGE, requested: GREY, 'deleted, still open': PURPLE, 'expansion pending': RED },
    queries: [
      [the(USED), 'used'],
      [the(CAPACITY), 'size'],
      [by('volumeter_volume_requested_bytes'), 'requested'],
      [`sum by (cluster) (${the('volumeter_volume_deleted_open_bytes')} > 0)`, 'deleted, still open'],
      [`${by('volumeter_volume_expansion_pending_bytes')} > 0`, 'expansion pending'],
    ],
  }),
  lines('Forecast', {
    size: [6, 8], unit: 's', steps: TIME_LEFT, limits: true, log: true,
    what: 'Time until it is full, by its growth of two hours and of one, above all that it held in the week before; lines at 24 and 4 hours. It is absent while the claim does not grow that way, and without hours of history.',
    none: 'it does not grow, or has too little history',
    colors: { 'as in the last 2 hours': BLUE, 'as in the last hour': ORANGE },
    queries: [
      [`${the(AVAILABLE)} / (${the(GROWTH_2H)} > 0)`, 'as in the last 2 hours'],
      [`${the(AVAILABLE)} / (${the(GROWTH_1H)} > 0)`, 'as in the last hour'],
    ],
  }),
  lines('Growth', {
    size: [6, 8], unit: 'binBps',
    what: 'How fast the high-water mark rises above the week before: over six hours, at least over two, at least over one. 0 or less is no growth and not drawn.',
    none: 'it does not grow, or has too little history',
    colors: { '6 h': SKY, '2 h': BLUE, '1 h': ORANGE },
    queries: [
      [`${the(GROWTH_6H)} > 0`, '6 h'],
      [`${the(GROWTH_2H)} > 0`, '2 h'],
      [`${the(GROWTH_1H)} > 0`, '1 h'],
    ],
  }),
];

export default () => board({
  uid: 'volumeter-claim',
  description: 'One PersistentVolumeClaim: how full, how fast, how healthy, who uses it, and whose wait it is. Choose a cluster where claims of several have the same name.',
  marks: THE_CLAIM,
  rows: [
    { title: 'At a glance', panels: [...summary, alerts] },
    { title: 'Space', panels: space },
    { title: 'Health', panels: health },
    { title: 'Speed', panels: speed },
    { title: 'Who uses it, and what it is', panels: uses },
    { title: 'Probe', collapsed: true, panels: probing },
    { title: 'Details: device, NFS, walks, leftovers', collapsed: true, panels: details },
  ],
});
