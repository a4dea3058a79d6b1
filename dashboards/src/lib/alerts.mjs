// @ts-check
// The alerts that fire, each with the way to its runbook.
import { ROW_TO_CLAIM, ROW_TO_NODE, ROW_TO_RUNBOOK } from './links.mjs';
import { rows } from './table.mjs';
import { ORANGE, PLAIN, RED, words } from './theme.mjs';

/** @param {string} matchers */
export const firing = (matchers) => `ALERTS{alertname=~"Volumeter.+",alertstate="firing",${matchers}}`;

/** @type {import('./table.mjs').Label[]} */
const LABELS = [
  {
    label: 'severity', name: 'Severity', width: 90,
    words: words({ critical: ['critical', RED], warning: ['warning', ORANGE] }),
  },
  { label: 'alertname', name: 'Alert', width: 250, link: ROW_TO_RUNBOOK },
  { label: 'cluster', name: 'Cluster', width: 75 },
  { label: 'namespace', name: 'Namespace', width: 100 },
  { label: 'persistentvolumeclaim', name: 'Claim', link: ROW_TO_CLAIM },
  { label: 'node', name: 'Node', link: ROW_TO_NODE },
  { label: 'what', name: 'What' },
  { label: 'storageclass', name: 'StorageClass', width: 110 },
  { label: 'page', name: 'Pages', width: 75, words: words({ true: ['yes', PLAIN], false: ['nobody', ORANGE] }) },
];

// What else alerts name, in one column.
const WHAT = ['device', 'mountpoint', 'kind', 'measurer', 'source', 'operation', 'workload', 'persistentvolume',
  'volumeattachment', 'cronjob'].map((label) => `"${label}"`).join(', ');
const named = (/** @type {string} */ expr) =>
  `label_replace(label_join(${expr}, "what", " ", ${WHAT}), "what", "$1", "what", " *(.*?) *")`;

/**
 * @param {string} title
 * @param {{size: [number, number], what: string, none: string, matchers: string, without?: string[]}} spec
 */
export function alertTable(title, { size, what, none, matchers, without = [] }) {
  return rows(title, {
    size, what, none,
    labels: LABELS.filter(({ label }) => !without.includes(label))
      .map((one) => (one.label === 'alertname' && without.includes('persistentvolumeclaim') ? { ...one, width: undefined } : one)),
    columns: [{
      name: 'For', unit: 's', decimals: 0, width: 85,
      expr: named(`(time() - ALERTS_FOR_STATE{alertname=~"Volumeter.+",${matchers}} ` +
        `and ignoring (alertstate) ${firing(matchers)})`),
    }],
    sort: [['Severity', 'ascending'], ['For', 'descending']],
  });
}
