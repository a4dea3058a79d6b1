// From Prometheus' answers to what Grafana's components draw: frames, transformed, with their settings.
import {
  FieldType, Registry, applyFieldOverrides, cacheFieldDisplayNames, createDataFrame, standardTransformers,
  standardTransformersRegistry, transformDataFrame,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';

const transformers = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));
standardTransformersRegistry.setInit(() => [...transformers.values()].map((transformation) =>
  ({ id: transformation.id, name: transformation.name, transformation, editor: () => null, imageDark: '', imageLight: '' })));

/** @param {string} text */
function number(text) {
  if (/inf/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}

/** Of a range one for each step, null where there is none. @param {any} one @param {any} answer */
function samples({ value, values }, { start, end, step }) {
  if (!values) return [value];
  const found = new Map(values);
  return Array.from({ length: (end - start) / step + 1 }, (_, index) => start + index * step)
    .map((time) => [time, found.get(time) ?? null]);
}

/**
 * The name of a series, as Prometheus' data source makes it.
 * @param {any} metric @param {string} legend @param {string} expr
 */
function named(metric, legend, expr) {
  if (legend) return legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => metric[label] ?? '');
  const { __name__: name = '', ...labels } = metric;
  const text = `${name}{${Object.entries(labels).map(([label, value]) => `${label}="${value}"`).join(', ')}}`;
  return text === '{}' ? expr : text;
}

/** A frame for each series. @param {any} answer */
function series(answer) {
  const { refId, legend, expr, step, instant, result } = answer;
  if (result.length === 0) return [createDataFrame({ refId, fields: [] })];
  return result.map((/** @type {any} */ one) => createDataFrame({
    refId,
    fields: [
      {
        name: 'Time', type: FieldType.time, config: instant ? {} : { interval: step * 1000 },
        values: samples(one, answer).map(([time]) => time * 1000),
      },
      {
        name: 'Value', type: FieldType.number, labels: one.metric,
        config: { displayNameFromDS: named(one.metric, legend, expr) },
        values: samples(one, answer).map(([, value]) => (value === null ? null : number(value))),
      },
    ],
  }));
}

/** A frame with a column for each label. @param {any} answer @param {number} queries */
function table({ refId, result }, queries) {
  const labels = [...new Set(result.flatMap((/** @type {any} */ { metric }) => Object.keys(metric).sort()))];
  return createDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, config: {}, values: result.map(({ value: [time] }) => time * 1000) },
      ...labels.map((label) => ({
        name: label, type: FieldType.string, config: {}, values: result.map(({ metric }) => metric[label] ?? ''),
      })),
      {
        name: queries > 1 ? `Value #${refId}` : 'Value', type: FieldType.number, config: {},
        values: result.map(({ value: [, value] }) => number(value)),
      },
    ],
  });
}

/** @param {any} panel */
function frames({ answers }) {
  const tables = answers.filter((/** @type {any} */ { format }) => format === 'table');
  const others = answers.filter((/** @type {any} */ { format }) => format !== 'table').flatMap(series);
  if (tables.length === 1 && tables[0].result.length === 0) return [...others, ...series(tables[0])];
  return [...others, ...tables.map((/** @type {any} */ answer) => table(answer, tables.length))];
}

const STANDARD = ['unit', 'decimals', 'min', 'max', 'noValue', 'mappings', 'thresholds', 'links', 'color', 'displayName'];
// What a panel's settings are where it does not say.
const CUSTOM = {
  timeseries: {
    drawStyle: 'line', lineInterpolation: 'linear', barAlignment: 0, barWidthFactor: 0.6, lineWidth: 1, fillOpacity: 0,
    gradientMode: 'none', spanNulls: false, insertNulls: false, showPoints: 'auto', pointSize: 5,
    stacking: { mode: 'none', group: 'A' }, axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text',
    axisBorderShow: false, scaleDistribution: { type: 'linear' }, axisCenteredZero: false,
    hideFrom: { tooltip: false, viz: false, legend: false }, thresholdsStyle: { mode: 'off' },
  },
  table: { align: 'auto', inspect: false, filterable: false, cellOptions: { type: 'auto' }, minWidth: 150, hidden: false },
};

/** The settings that Grafana's panels would have declared. @param {any} panel */
function registry({ type, fieldConfig: { defaults, overrides } }) {
  const overridden = overrides.flatMap((/** @type {any} */ { properties }) => properties)
    .filter((/** @type {any} */ { id }) => id.startsWith('custom.')).map((/** @type {any} */ { id }) => id.slice(7));
  const custom = new Set([...Object.keys({ ...CUSTOM[/** @type {'table'} */ (type)], ...defaults.custom }), ...overridden]);
  // The first step is from -Infinity, which JSON can't say.
  const stepped = (/** @type {any} */ thresholds) => thresholds && {
    ...thresholds, steps: thresholds.steps.map((/** @type {any} */ step) => ({ ...step, value: step.value ?? -Infinity })),
  };
  const item = (/** @type {string} */ path, /** @type {boolean} */ isCustom) => ({
    id: isCustom ? `custom.${path}` : path, path, name: path, isCustom,
    process: path === 'thresholds' ? stepped : (/** @type {any} */ value) => value,
    shouldApply: () => true, override: () => null, editor: () => null,
  });
  return new Registry(() => [...STANDARD.map((path) => item(path, false)), ...[...custom].map((path) => item(path, true))]);
}

/** A panel's frames, ready to be drawn. @param {any} panel @param {any} theme */
export async function prepared(panel, theme) {
  const replaceVariables = (/** @type {string} */ text) => text;
  const context = { interpolate: replaceVariables };
  const data = await firstValueFrom(transformDataFrame(panel.transformations ?? [], frames(panel), context));
  const { defaults, overrides } = panel.fieldConfig;
  const fieldConfig = {
    defaults: { ...defaults, custom: { ...CUSTOM[/** @type {'table'} */ (panel.type)], ...defaults.custom } }, overrides,
  };
  const series = applyFieldOverrides({
    data, fieldConfig, fieldConfigRegistry: registry(panel), replaceVariables, theme, timeZone: 'utc',
  });
  cacheFieldDisplayNames(series);
  return { fieldConfig, series };
}
