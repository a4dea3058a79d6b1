// @ts-check
// The overview's first part: what is wrong now.
import { alertTable, firing } from './lib/alerts.mjs';
import { ROW_TO_CLAIM, ROW_TO_NODE } from './lib/links.mjs';
import { lines } from './lib/panel.mjs';
import {
  CLAIM, CLAIMS, CLUSTER, FAILING, INFO, NAMESPACES, among, increase, max, min, newErrors, of, sum, tag,
} from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { BLUE, FEW_IS_GOOD, NEUTRAL, ORANGE, RED, words } from './lib/theme.mjs';

/** Of a claim in a table. */
export const CLAIM_LABELS = [
  { label: 'cluster', name: 'Cluster', width: 75 },
  { label: 'namespace', name: 'Namespace', width: 100 },
  { label: 'persistentvolumeclaim', name: 'Claim', link: ROW_TO_CLAIM },
  { label: 'storageclass', name: 'StorageClass', width: 115 },
];

export const alerts = [
  alertTable('Firing alerts', {
    size: [24, 9], matchers: NAMESPACES, without: ['storageclass'],
    what: 'The alerts of volumeter that fire, the critical ones first. An alert\'s name leads to its runbook, a claim or node to its page. Pages says whether a critical one pages somebody.',
    none: 'no alert fires, or the rules are not evaluated here: see Critical alerts',
  }),
];

const zero = (/** @type {string} */ metric) => `${min(CLAIM, of(metric, NAMESPACES))} == 0`;
const positive = (/** @type {string} */ metric, /** @type {string} */ more = '') =>
  `${max(CLAIM, of(metric, NAMESPACES + more))} > 0`;
const failing = (/** @type {string} */ reason) => max(CLAIM, of(FAILING, `${CLAIMS},reason="${reason}"`));
// Of the chosen StorageClasses.
const chosen = (/** @type {string} */ expr) => among(`(${expr})`, of(INFO, CLAIMS));
const says = (/** @type {string} */ text) => words({ 0: [text, RED], 1: [text, RED] });

const missing = zero('volumeter_volume_mounted');
const mismatched = positive('volumeter_volume_mount_mismatches');
const errors = newErrors(CLAIM, NAMESPACES);
// Of a claim that has several of these the first is named.
/** @type {Record<string, [number, string, string]>} */
const OTHERS = {
  ordinal: [4, 'another\'s ordinal', positive('volumeter_volume_ordinal_mismatch')],
  abnormal: [3, 'driver complains', positive('volumeter_volume_health_status_abnormal')],
  access: [2, 'access violated', positive('volumeter_volume_access_violated', ',rule=~"single_pod|read_only"')],
  expansion: [1, 'expansion waits', positive('volumeter_volume_expansion_pending_bytes')],
};
// FAILING has a reason for what else there is.
const anyProblem = [
  `count by (${CLAIM}, reason) (${of(FAILING, CLAIMS)})`,
  ...Object.entries({ not_mounted: missing, mismatch: mismatched, errors }).map(([reason, expr]) => tag(expr, 'reason', reason)),
  ...Object.entries(OTHERS).map(([reason, [, , expr]]) => tag(expr, 'reason', reason)),
].join(' or ');

export const broken = [
  rows('Claims with a problem', {
    size: [24, 7],
    what: 'Claims that hang, are read-only against all wishes, not mounted, wrongly mounted, or have errors, one row each. Errors are those of 15 minutes. A dash is no problem, or nothing known.',
    none: 'no claim that an agent reports has one of these problems',
    labels: CLAIM_LABELS,
    columns: [
      {
        name: 'Problems', width: 100, steps: [[null, BLUE], [1, ORANGE], [2, RED]],
        expr: `count by (${CLAIM}) (${anyProblem}) * on (${CLAIM}) group_left (storageclass) ${of(INFO, CLAIMS)}`,
      },
      { name: 'Calls', width: 80, words: says('hang'), expr: failing('unresponsive') },
      { name: 'Writes', width: 80, words: says('hang'), expr: failing('write_unresponsive') },
      { name: 'Probe', width: 65, words: says('fails'), expr: failing('probe') },
      { name: 'Read-only', width: 90, words: says('read-only'), expr: failing('read_only') },
      {
        name: 'Mount', width: 75, words: words({ 2: ['missing', RED], 1: ['wrong', RED] }),
        expr: chosen(`0 * (${missing}) + 2 or 0 * (${mismatched}) + 1`),
      },
      { name: 'Errors', width: 75, decimals: 0, steps: FEW_IS_GOOD, expr: chosen(errors) },
      {
        name: 'Other', width: 130,
        words: words(Object.fromEntries(Object.values(OTHERS).map(([value, text]) => [value, [text, ORANGE]]))),
        expr: chosen(Object.values(OTHERS).map(([value, , expr]) => `0 * (${expr}) + ${value}`).join(' or ')),
      },
    ],
    sort: [['Calls', 'descending'], ['Writes', 'descending'], ['Problems', 'descending']],
  }),
];

const counted = [
  ...Object.entries({ volume_filesystem_errors: 'filesystem', volume_io_errors: 'I/O', volume_kernel_messages: 'kernel log' })
    .map(([metric, kind]) => tag(`${increase(CLAIM, `volumeter_${metric}_total`, NAMESPACES, '1h')} > 0`, 'kind', kind)),
  ...Object.entries({ filesystem_errors: 'filesystem', block_device_io_errors: 'I/O', block_device_kernel_messages: 'kernel log' })
    .map(([metric, kind]) => tag(
      `${increase('cluster, node, device', `volumeter_${metric}_total`, CLUSTER, '1h')} > 0`, 'kind', kind)),
];

export const overTime = [
  lines('Alerts by severity and topic', {
    size: [12, 8], unit: 'none', stack: true, steps: NEUTRAL, decimals: 0,
    shades: { 'critical.*': RED, 'warning.*': ORANGE },
    what: 'How many alerts fired, by severity and topic. A step up is an incident\'s beginning; nothing is drawn while none fires.',
    none: 'no alert has fired in this time',
    queries: [[sum('severity, topic', firing(NAMESPACES)), '{{severity}}: {{topic}}']],
  }),
  lines('Lines of the kernels\' logs', {
    size: [12, 8], unit: 'short', bars: true, decimals: 0,
    what: 'Lines of the nodes\' kernel logs that tell of errors of storage, by kind. Any is worth a look; flat at 0 is good. Absent where the agents may not read the log.',
    none: 'no agent reads its kernel\'s log',
    queries: [[increase('cluster, kind', 'volumeter_kernel_messages_total', CLUSTER), '{{cluster}} {{kind}}']],
  }),
  rows('New errors in the last hour', {
    size: [24, 7],
    what: 'Claims and disks that counted errors in the last hour: their filesystem, their device, or the kernel\'s log. Disks are those that no claim has to itself.',
    none: 'no claim and no disk has counted an error in the last hour',
    labels: [
      ...CLAIM_LABELS.slice(0, 3),
      { label: 'node', name: 'Node', link: ROW_TO_NODE },
      { label: 'device', name: 'Device', width: 90 },
      { label: 'kind', name: 'Kind', width: 100 },
    ],
    columns: [{
      name: 'Errors', decimals: 0, steps: [[null, ORANGE], [100, RED]], width: 90,
      expr: `sort_desc(${counted.join(' or ')})`,
    }],
    sort: [['Errors', 'descending']],
  }),
];
