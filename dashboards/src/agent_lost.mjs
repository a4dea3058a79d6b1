// @ts-check
// What agents lost, and what they can not see.
import { lines } from './lib/panel.mjs';
import { INTERVAL, increase, of, sum } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { NONE_IS_GOOD, ORANGE, SKY } from './lib/theme.mjs';
import { AGENTS } from './agent_panels.mjs';

const all = (/** @type {string} */ series) => of(series, AGENTS);

export const lost = [
  rows('BPF programs', {
    size: [8, 8],
    what: 'On how many nodes each program is attached, and on how many it can not be: without those for syncs and requests their latencies are absent. The agent\'s log says why.',
    none: 'no agent wants a program, or none answers',
    labels: [{ label: 'program', name: 'Program' }],
    columns: [
      { name: 'Attached', width: 90, expr: sum('program', all('volumeter_bpf_program_attached')) },
      {
        name: 'Can not be', width: 100, steps: NONE_IS_GOOD,
        expr: `count by (program) (${all('volumeter_bpf_program_attached')} == 0)`,
      },
    ],
    sort: [['Can not be', 'descending'], ['Program', 'ascending']],
  }),
  lines('Lost events', {
    size: [8, 8], unit: 'short', bars: true, decimals: 0,
    colors: { 'syncs not timed': ORANGE, 'lines of the kernel log': SKY },
    what: 'Syncs that were not timed because too many were under way, and lines of the kernel\'s log that were overwritten unread. Flat at 0 is good.',
    none: 'no agent times syncs or reads the kernel\'s log',
    queries: [
      [`sum(increase(${all('volumeter_sync_calls_lost_total')}[${INTERVAL}]))`, 'syncs not timed'],
      [`sum(increase(${all('volumeter_kernel_messages_lost_total')}[${INTERVAL}]))`, 'lines of the kernel log'],
    ],
  }),
  lines('Kernel log lines', {
    size: [8, 8], unit: 'short', bars: true, stack: true, decimals: 0,
    what: 'Lines of the nodes\' kernel logs that tell of errors of storage, by kind. Flat at 0 is good.',
    none: 'no agent reads its kernel\'s log',
    queries: [[increase('kind', 'volumeter_kernel_messages_total', AGENTS), '{{kind}}']],
  }),
];
