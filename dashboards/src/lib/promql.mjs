// @ts-check
// What the queries have in common. A claim is one series, however many nodes report it: gauges are the
// max (or min) by claim, counters the sum of their rates.
import { STATES } from './theme.mjs';

/** A claim's identity. `cluster` is empty where nobody set it. */
export const CLAIM = 'cluster, namespace, persistentvolumeclaim';
export const INTERVAL = '$__rate_interval';

// Matchers, for variables that can hold several values and All (.*), which matches an absent label, too.
export const CLUSTER = 'cluster=~"$cluster"';
export const NAMESPACES = `${CLUSTER},namespace=~"$namespace"`;
export const CLAIMS = `${NAMESPACES},storageclass=~"$storageclass"`;
// And for pages of one thing.
export const THE_CLAIM = `${CLUSTER},namespace="$namespace",persistentvolumeclaim="$persistentvolumeclaim"`;
export const THE_NODE = `${CLUSTER},node="$node"`;

// Series of alerts/recording.yaml and alerts/cluster.yaml.
export const GROWTH_2H = 'claim:volumeter_volume_stats_used_bytes:growth_2h';
export const GROWTH_1H = 'claim:volumeter_volume_stats_used_bytes:growth_1h';
export const GROWTH_6H = 'claim:volumeter_volume_stats_used_bytes:growth_6h';
export const USAGE_RATIO = 'claim:volumeter_volume_usage_ratio:max';
export const INODES_RATIO = 'claim:volumeter_volume_inodes_usage_ratio:max';
export const AVAILABLE = 'claim:volumeter_volume_stats_available_bytes:min';
export const CAPACITY = 'claim:volumeter_volume_stats_capacity_bytes:max';
export const USED = 'claim:volumeter_volume_stats_used_bytes:max';
export const SYNC_P99 = 'claim:volumeter_volume_sync_latency_seconds:p99_2m';
export const SYNC_USUAL = 'claim:volumeter_volume_sync_latency_seconds:p99_1d';
export const IO_P99 = 'claim:volumeter_volume_io_latency_seconds:p99_2m';
export const IO_USUAL = 'claim:volumeter_volume_io_latency_seconds:p99_1d';
export const FAILING = 'claim:volumeter_volume_failing:any';
export const INFO = 'claim:volumeter_volume_info:any';

/** @param {string} series @param {string} matchers */
export const of = (series, matchers) => `${series}{${matchers}}`;
/** @param {string} by @param {string} expr */
export const max = (by, expr) => `max by (${by}) (${expr})`;
/** @param {string} by @param {string} expr */
export const min = (by, expr) => `min by (${by}) (${expr})`;
/** @param {string} by @param {string} expr */
export const sum = (by, expr) => `sum by (${by}) (${expr})`;
/** @param {string} by @param {string} series @param {string} matchers */
export const rate = (by, series, matchers) => `sum by (${by}) (rate(${of(series, matchers)}[${INTERVAL}]))`;
/** @param {string} by @param {string} series @param {string} matchers @param {string} [range] */
export const increase = (by, series, matchers, range = INTERVAL) =>
  `sum by (${by}) (increase(${of(series, matchers)}[${range}]))`;
/** A mean from a histogram. @param {string} by @param {string} series @param {string} matchers */
export const mean = (by, series, matchers) =>
  `${rate(by, `${series}_sum`, matchers)} / (${rate(by, `${series}_count`, matchers)} > 0)`;
/** @param {number} q @param {string} by @param {string} series @param {string} matchers */
export const quantile = (q, by, series, matchers) =>  // of nothing it is NaN, which >= 0 leaves out
  `histogram_quantile(${q}, ${rate(`${by}, le`, `${series}_bucket`, matchers)}) >= 0`;
/** For heatmaps. @param {string} series @param {string} matchers */
export const buckets = (series, matchers) => increase('le', `${series}_bucket`, matchers);
/** Those claims only. @param {string} expr @param {string} which */
export const among = (expr, which) => `${expr} and on (${CLAIM}) ${which}`;
/** A truthful 0: nothing is found where it is looked for. @param {string} expr @param {string} there */
export const orNone = (expr, there) => `${expr} or 0 * ${there}`;
/** How many, or a truthful 0. @param {string} bad @param {string} all */
export const howMany = (bad, all) => orNone(`count(${bad})`, `count(${all})`);
/** @param {string} expr @param {string} label @param {string} value */
export const tag = (expr, label, value) => `label_replace(${expr}, "${label}", "${value}", "", "")`;
/** Age of a timestamp. @param {string} expr */
export const since = (expr) => `time() - ${expr}`;
/** When each was last measured. @param {string} by @param {string} matchers @param {string} [measurer] */
export const measured = (by, matchers, measurer = 'usage') =>
  max(by, `volumeter_volume_last_measured_timestamp_seconds{${matchers},measurer="${measurer}"}`);

/** Bytes a second, by the faster of the two forecasts that the alerts read. @param {string} matchers */
export const growth = (matchers) =>
  `max without (window) (${tag(of(GROWTH_2H, matchers), 'window', '2h')} or ` +
  `${tag(of(GROWTH_1H, matchers), 'window', '1h')}) > 0`;
/** Seconds until full. @param {string} matchers */
export const timeToFull = (matchers) => `${of(AVAILABLE, matchers)} / (${growth(matchers)})`;

/** @param {string} by @param {string} matchers New errors of the last quarter of an hour. */
export const newErrors = (by, matchers) =>
  ['filesystem_errors', 'io_errors', 'kernel_messages']
    .map((kind) => `${increase(by, `volumeter_volume_${kind}_total`, matchers, '15m')} > 0`)
    .join(` or on (${by}) `);

/** Read-only, and nobody wished it. @param {string} by @param {string} matchers */
export const readOnly = (by, matchers) =>
  max(by, `volumeter_volume_read_only{${matchers},cause=~"emergency|shutdown"} == 1 or ` +
    `(volumeter_volume_read_only{${matchers},cause="superblock"} == 1 unless on (${CLAIM}, node) ` +
    `volumeter_volume_read_only{${matchers},cause="claim"} == 1)`);

/**
 * The worst that is known of each, as a number of STATES. 0 is the truth: an agent reports it and none
 * of the others holds.
 * @param {string} by @param {string} matchers
 */
export function state(by, matchers) {
  const zero = (/** @type {string} */ metric) => `${min(by, of(metric, matchers))} == 0`;
  /** @type {Record<string, string>} */
  const found = {
    hangs: zero('volumeter_volume_responsive'),
    'writes hang': zero('volumeter_volume_write_responsive'),
    'not mounted': zero('volumeter_volume_mounted'),
    'wrong mount': `${max(by, of('volumeter_volume_mount_mismatches', matchers))} > 0`,
    'read-only': readOnly(by, matchers),
    'probe fails': zero('volumeter_probe_success'),
    'new errors': newErrors(by, matchers),
    ok: max(by, of('volumeter_volume_info', matchers)),
  };
  return Object.entries(found)
    .map(([name, expr]) => {
      const number = STATES.findIndex(([text]) => text === name);
      return number === 0 ? `0 * ${expr}` : `0 * (${expr}) + ${number}`;
    })
    .join(' or ');
}
