// @ts-check
// Tables of what holds now, one row a thing, the worst first.
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as table from '@grafana/grafana-foundation-sdk/table';

import { DATASOURCE, target } from './panel.mjs';
import { BLUE, NEUTRAL, PLAIN, UNKNOWN } from './theme.mjs';

/** @typedef {import('@grafana/grafana-foundation-sdk/dashboard').ValueMapping} Mapping */

/**
 * A column of values, from a query of its own.
 * @typedef {object} Column
 * @property {string} name
 * @property {string} expr
 * @property {string} [unit]
 * @property {import('./theme.mjs').Steps} [steps] colours its text
 * @property {boolean} [bar] 0 to 1, drawn as a bar
 * @property {Mapping[]} [words]
 * @property {number} [width]
 * @property {number} [decimals]
 * @property {boolean} [hidden] the query decides which rows there are, or which labels they have
 */

/**
 * @typedef {object} Label
 * @property {string} label
 * @property {string} name of its column, without spaces: links refer to it
 * @property {{title: string, url: string}} [link]
 * @property {number} [width]
 * @property {Mapping[]} [words]
 * @property {boolean} [hidden] rows differ by it, and links need it
 */

const ref = (/** @type {number} */ index) => String.fromCharCode(65 + index);

// What is well is plain in a table: a colour is for what isn't.
const plain = (/** @type {string | undefined} */ color) => (color === BLUE ? PLAIN : color);
/** @param {Mapping[]} words @returns {Mapping[]} */
const calm = (words) => words.map((one) => (one.type !== dashboard.MappingType.ValueToText ? one : {
  ...one,
  options: Object.fromEntries(Object.entries(one.options).map(([value, { color, ...result }]) =>
    [value, { ...result, color: plain(color) }])),
}));

/** @param {Column} column */
function properties({ unit, steps, bar, words, width, decimals }) {
  const colored = (steps ?? NEUTRAL).map(([value, color]) => ({ value, color: bar ? color : plain(color) }));
  const cell = bar
    ? { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' }
    : { type: steps || words ? 'color-text' : 'auto' };
  return [
    ...(unit ? [{ id: 'unit', value: unit }] : []),
    { id: 'custom.cellOptions', value: cell },
    { id: 'thresholds', value: { mode: 'absolute', steps: colored } },
    ...(bar ? [{ id: 'min', value: 0 }, { id: 'max', value: 1 }] : []),
    ...(words || steps ? [{ id: 'mappings', value: [...calm(words ?? []), UNKNOWN] }] : []),
    ...(words ? [{ id: 'custom.align', value: 'left' }] : []),
    ...(width ? [{ id: 'custom.width', value: width }] : []),
    ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }]),
  ];
}

/**
 * The first column's query finds something whenever another does: the name of its values depends on it.
 * @param {string} title
 * @param {object} spec
 * @param {[number, number]} spec.size
 * @param {string} spec.what
 * @param {string} spec.none
 * @param {Label[]} spec.labels
 * @param {Column[]} spec.columns
 * @param {[string, 'ascending' | 'descending'][]} spec.sort
 */
export function rows(title, { size, what, none, labels, columns, sort }) {
  const panel = new table.PanelBuilder().title(title).description(what).noValue(none).unit('none')
    .datasource(DATASOURCE).span(size[0]).height(size[1]).cellHeight(common.TableCellHeight.Sm)
    .showHeader(true).minWidth(80).align(common.FieldTextAlignment.Auto)
    .sortBy(sort.map(([name, way]) =>
      new common.TableSortByFieldStateBuilder().displayName(name).desc(way === 'descending')));

  // Nothing known about a cell is a dash, not the sentence that an empty table has.
  panel.overrideByRegexp('.*', [{ id: 'noValue', value: '–' }]);
  for (const { name, link, width, words, hidden } of labels) {
    panel.overrideByName(name, [
      ...(link ? [{ id: 'links', value: [link] }] : []),
      ...(width ? [{ id: 'custom.width', value: width }] : []),
      // The one is Grafana's until 12.1, the other since.
      ...(hidden ? [{ id: 'custom.hidden', value: true }, { id: 'custom.hideFrom.viz', value: true }] : []),
      ...(words ? [{ id: 'mappings', value: calm(words) }, { id: 'custom.cellOptions', value: { type: 'color-text' } }] : []),
    ]);
  }
  columns.forEach((column, index) => {
    if (!column.hidden) panel.overrideByName(column.name, properties(column));
    panel.withTarget(target(column.expr, '', index).instant().format(prometheus.PromQueryFormat.Table));
  });

  // Grafana names the column of a single answer "Value", and those of several "Value #A" and so on.
  /** @type {[string, string][]} */
  const names = [
    ...labels.map(({ label, name }) => /** @type {[string, string]} */ ([label, name])),
    ...columns.flatMap(({ name, hidden }, index) => (hidden ? [] : index === 0
      ? /** @type {[string, string][]} */ ([['Value', name], [`Value #${ref(index)}`, name]])
      : /** @type {[string, string][]} */ ([[`Value #${ref(index)}`, name]]))),
  ];
  panel.transformations([
    // First, as rows are merged where all other labels agree, and the name of a series is one of them.
    { id: 'filterFieldsByName', options: { include: { names: ['Time', ...names.map(([from]) => from)] } } },
    ...(columns.length > 1 ? [{ id: 'merge', options: {} }] : []),
    {
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries(names.map(([from], index) => [from, index])),
        renameByName: Object.fromEntries(names),
      },
    },
  ]);
  return panel;
}
