// @ts-check
// What bursts measured, and whether claims are fit for their workloads.
import { perSecond } from './lib/columns.mjs';
import { ROW_TO_CLAIM, TO_CLAIM } from './lib/links.mjs';
import { lines } from './lib/panel.mjs';
import { CLAIM, max, measured, min, of, since } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { BLUE, RED, words } from './lib/theme.mjs';

const NO_BURSTS = 'no claim has volumeter.io/burst: "on", or all bursts were left out';

/** @param {string} matchers */
export function bursts(matchers) {
  const the = (/** @type {string} */ series) => of(series, matchers);
  const name = '{{namespace}}/{{persistentvolumeclaim}} {{operation}}';
  const last = (/** @type {string} */ figure, /** @type {string} */ operation, more = '') =>
    max(CLAIM, `volumeter_probe_burst_${figure}{${matchers},operation="${operation}"${more}}`);
  return [
    lines('Operations of bursts', {
      size: [8, 8], unit: 'iops', link: TO_CLAIM,
      what: 'Random 4 KiB operations a second in each last burst, sixteen at a time. Half of what it was is a disk that lost its credits or gained neighbours.',
      none: NO_BURSTS, queries: [[max(`${CLAIM}, operation`, the('volumeter_probe_burst_operations_per_second')), name]],
    }),
    lines('Throughput of bursts', {
      size: [8, 8], unit: 'binBps', link: TO_CLAIM,
      what: 'Throughput of each last burst of random 4 KiB operations.',
      none: NO_BURSTS, queries: [[max(`${CLAIM}, operation`, the('volumeter_probe_burst_bytes_per_second')), name]],
    }),
    lines('Latency of bursts', {
      size: [8, 8], unit: 's', link: TO_CLAIM,
      what: 'Median and 99th percentile of each last burst\'s operations, with sixteen under way: higher than a single one\'s.',
      none: NO_BURSTS,
      queries: [[
        max(`${CLAIM}, operation, quantile`, the('volumeter_probe_burst_latency_seconds')), `${name} {{quantile}}`]],
    }),
    rows('Last bursts', {
      size: [14, 8],
      what: 'The last burst of each claim, and how old it is. Compare claims of one StorageClass: they should be alike.',
      none: NO_BURSTS,
      labels: [
        { label: 'cluster', name: 'Cluster', width: 75 },
        { label: 'namespace', name: 'Namespace', width: 100 },
        { label: 'persistentvolumeclaim', name: 'Claim', link: ROW_TO_CLAIM },
      ],
      columns: [
        {
          name: 'Age', unit: 's', decimals: 0, width: 85,
          expr: since(measured(CLAIM, matchers, 'probe_burst')),
        },
        perSecond('Reads', 'iops', last('operations_per_second', 'read')),
        perSecond('Writes', 'iops', last('operations_per_second', 'write')),
        {
          name: 'Read p99', unit: 's', width: 95,
          expr: last('latency_seconds', 'read', ',quantile="0.99"'),
        },
        {
          name: 'Write p99', unit: 's', width: 95,
          expr: last('latency_seconds', 'write', ',quantile="0.99"'),
        },
      ],
      sort: [['Age', 'ascending']],
    }),
    rows('Fit for the declared workload', {
      size: [10, 8],
      what: 'Whether each claim\'s syncs of the last hour are what its declared workload asks for: etcd p99 at most 10 ms, postgresql 25 ms, redis none above 2 s.',
      none: 'no claim declares a workload, or has too few syncs',
      labels: [
        { label: 'cluster', name: 'Cluster', width: 75 },
        { label: 'namespace', name: 'Namespace', width: 100 },
        { label: 'persistentvolumeclaim', name: 'Claim', link: ROW_TO_CLAIM },
        { label: 'workload', name: 'Workload', width: 100 },
      ],
      columns: [{
        name: 'Verdict', width: 90, words: words({ 0: ['too slow', RED], 1: ['fit', BLUE] }),
        expr: min(`${CLAIM}, workload`, the('volumeter_volume_workload_fit')),
      }],
      sort: [['Verdict', 'ascending']],
    }),
  ];
}
