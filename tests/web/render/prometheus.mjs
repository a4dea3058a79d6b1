// What Grafana's server does between a dashboard and Prometheus: values of variables, and queries.

const SCRAPE_INTERVAL = 15;  // Grafana's default for a data source

/** @param {string} base such as http://127.0.0.1:9090 */
export function prometheus(base) {
  return async (/** @type {string} */ path, /** @type {Record<string, any>} */ parameters) => {
    const answer = await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = await answer.json();
    if (status !== 'success') throw new Error(error);
    return data;
  };
}

const escaped = (/** @type {string} */ value) =>
  value.replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&');

/** As the data source writes a variable's value into a query. @param {string | string[]} value */
function written(value) {
  if (!Array.isArray(value)) return value;
  const all = value.map(escaped);
  return all.length === 1 ? all[0] : `(${all.join('|')})`;
}

/** @param {string} text @param {Record<string, string>} values */
export const interpolated = (text, values) =>
  text.replace(/\$\{(\w+)\}|\$(\w+)/g, (whole, braced, bare) => values[braced ?? bare] ?? whole);

/**
 * The variables of a dashboard: what is given, else All, else the first that there is.
 * @param {any} dashboard @param {Record<string, string>} given @param {ReturnType<typeof prometheus>} ask
 * @param {{from: number, to: number}} range
 */
export async function variables(dashboard, given, ask, range) {
  /** @type {Record<string, string>} */
  const values = {};
  /** @type {{label: string, text: string}[]} */
  const shown = [];
  for (const { name, label, type, query, includeAll, multi, allValue } of dashboard.templating.list) {
    if (type === 'datasource') continue;
    const [, series, wanted] = /^label_values\((.*), *(\w+)\)$/.exec(interpolated(query.query, values)) ?? [];
    const options = /** @type {string[]} */ (
      await ask(`label/${wanted}/values`, { 'match[]': series, start: range.from, end: range.to }));
    if (given[name] !== undefined) {
      const chosen = given[name].split(',');
      values[name] = multi ? written(chosen) : chosen[0];
    } else if (includeAll) {
      values[name] = allValue ?? written(options);
    } else {
      values[name] = options[0] ?? '';
    }
    shown.push({ label, text: given[name] ?? (includeAll ? 'All' : values[name]) });
  }
  return { values, shown };
}

/** Steps as Grafana rounds them. @param {number} seconds */
const rounded = (seconds) =>
  [15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600].find((step) => seconds <= step * 1.25) ?? 43200;

/**
 * The answers to a panel's queries.
 * @param {any} panel @param {number} width in pixels, which is how many points it asks for
 * @param {Record<string, string>} values @param {ReturnType<typeof prometheus>} ask
 * @param {{from: number, to: number}} range
 */
export async function answers(panel, width, values, ask, { from, to }) {
  const step = Math.max(SCRAPE_INTERVAL, rounded((to - from) / (panel.maxDataPoints ?? width)));
  const all = {
    ...values, __rate_interval: `${Math.max(step + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL)}s`,
    __interval: `${step}s`, __range: `${to - from}s`,
  };
  return Promise.all((panel.targets ?? []).map(async (/** @type {any} */ { refId, expr, legendFormat, format, instant }) => {
    const query = interpolated(expr, all);
    const start = Math.floor(from / step) * step;
    const end = Math.floor(to / step) * step;
    const answer = { refId, legend: legendFormat, format, instant: !!instant, start, end, step, expr: query };
    try {
      const { result } = instant
        ? await ask('query', { query, time: to })
        : await ask('query_range', { query, start, end, step });
      return { ...answer, result };
    } catch (error) {
      return { ...answer, result: [], error: String(error) };
    }
  }));
}
