// @ts-check
// Panels: what all of one kind have in common, so that a dashboard says only what is its own.
import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

import { NEUTRAL, UNKNOWN, thresholds } from './theme.mjs';

export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/**
 * @typedef {object} Spec
 * @property {[number, number]} size width (of 24) and height
 * @property {string} what what it is, what is bad, where it is absent: one or two sentences
 * @property {string} none what is shown where there is nothing
 * @property {string} unit
 * @property {[string, string?][]} queries [PromQL, legend]
 * @property {import('./theme.mjs').Steps} [steps]
 * @property {Record<string, string>} [colors] legend -> colour
 * @property {Record<string, string>} [shades] what legends match -> their colour, a shade of it for each
 * @property {Record<string, string>} [matching] what legends match -> their colour
 * @property {Record<string, dashboard.ValueMapping[]>} [words] legend -> words for its values
 * @property {dashboard.ValueMapping[]} [mapping] words for all values
 * @property {number} [max] where the scale ends, unless more is drawn
 * @property {boolean} [share] of a whole: nothing is above 1
 * @property {number} [decimals]
 * @property {{title: string, url: string}} [link] of each series
 */

/** @param {string} expr @param {string} [legend] @param {number} [index] */
export function target(expr, legend = '', index = 0) {
  return new prometheus.DataqueryBuilder().datasource(DATASOURCE).expr(expr).legendFormat(legend)
    .refId(String.fromCharCode(65 + index)).editorMode(prometheus.QueryEditorMode.Code);
}

/** @param {{title: string, url: string}} link */
export function dataLink({ title, url }) {
  // The SDK has one type for the links of dashboards and of data: these have a title and a URL only.
  const build = () => /** @type {dashboard.DashboardLink} */ (/** @type {unknown} */ ({ title, url }));
  return { build };
}

/**
 * @template {timeseries.PanelBuilder | stat.PanelBuilder | heatmap.PanelBuilder | bargauge.PanelBuilder |
 *   statetimeline.PanelBuilder} P
 * @param {P} panel @param {string} title @param {Spec} spec
 */
function base(panel, title, { size, what, none, unit, queries, steps, colors, shades, matching, words, mapping, link, ...spec }) {
  panel.title(title).description(what).noValue(none).unit(unit).datasource(DATASOURCE)
    .span(size[0]).height(size[1]).thresholds(thresholds(steps ?? NEUTRAL));
  if (spec.decimals !== undefined) panel.decimals(spec.decimals);
  if (mapping) panel.mappings(mapping);
  if (link) panel.dataLinks([dataLink(link)]);
  for (const [legend, color] of Object.entries(colors ?? {})) {
    panel.overrideByName(legend, [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }]);
  }
  for (const [legend, color] of Object.entries(matching ?? {})) {
    panel.overrideByRegexp(legend, [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }]);
  }
  for (const [legend, color] of Object.entries(shades ?? {})) {
    panel.overrideByRegexp(legend, [{ id: 'color', value: { mode: 'shades', fixedColor: color } }]);
  }
  for (const [legend, value] of Object.entries(words ?? {})) {
    panel.overrideByRegexp(legend, [{ id: 'mappings', value }]);
  }
  queries.forEach(([expr, legend], index) => panel.withTarget(target(expr, legend, index).range()));
  return panel;
}

/** One number, now. @param {string} title @param {Spec & {line?: boolean}} spec */
export function number(title, spec) {
  /** @type {[string, string][]} */
  const queries = spec.queries.map(([expr, legend = '{{cluster}}']) => [expr, legend]);
  const panel = base(new stat.PanelBuilder(), title, { ...spec, queries })
    .mappings([...(spec.mapping ?? []), UNKNOWN])
    .colorMode(common.BigValueColorMode.Value)
    .graphMode(spec.line ? common.BigValueGraphMode.Area : common.BigValueGraphMode.None)
    .textMode(common.BigValueTextMode.Auto)  // of several, names
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  if (!spec.line) panel.targets(queries.map(([expr, legend], i) => target(expr, legend, i).instant()));
  return panel;
}

// A line at 0 has a scale all the same: where it ends at least, by unit.
/** @type {Record<string, number>} */
const SMALLEST = {
  none: 1, short: 1, s: 0.001, bytes: 1, binBps: 1, ops: 0.1, iops: 0.1, reqps: 0.01, percentunit: 0.01,
  'suffix:s/s': 0.01, 'suffix:mCPU': 0.1,
};

/**
 * Lines over time. `limits` draws the steps as lines across the panel.
 * @param {string} title
 * @param {Spec & {limits?: boolean, stack?: boolean, bars?: boolean, list?: boolean, log?: boolean}} spec
 */
export function lines(title, spec) {
  const panel = base(new timeseries.PanelBuilder(), title, spec).min(0)
    .drawStyle(spec.bars ? common.GraphDrawStyle.Bars : common.GraphDrawStyle.Line)
    .lineWidth(spec.bars ? 1 : 2).fillOpacity(spec.stack || spec.bars ? 40 : 0).showPoints(common.VisibilityMode.Auto)
    .stacking(new common.StackingConfigBuilder()
      .mode(spec.stack ? common.StackingMode.Normal : common.StackingMode.None).group('A'))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.PaletteClassic))
    .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder()
      .mode(spec.limits ? common.GraphThresholdsStyleMode.Dashed : common.GraphThresholdsStyleMode.Off))
    .legend(new common.VizLegendOptionsBuilder().showLegend(true).placement(common.LegendPlacement.Bottom)
      .displayMode(spec.list ? common.LegendDisplayMode.List : common.LegendDisplayMode.Table)
      .calcs(spec.list ? [] : ['lastNotNull', 'max']).sortBy(spec.bars ? 'Max' : 'Last *').sortDesc(true))
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi)
      .sort(common.SortOrder.Descending));
  if (spec.share) panel.max(1);
  else if (!spec.log) panel.axisSoftMax(spec.max ?? SMALLEST[spec.unit]);  // more than was promised is drawn, too
  if (spec.log) {
    panel.scaleDistribution(new common.ScaleDistributionConfigBuilder().type(common.ScaleDistribution.Log).log(10));
  }
  return panel;
}

/** A histogram over time: the query is increase() by le. @param {string} title @param {Spec} spec */
export function heat(title, spec) {
  return base(new heatmap.PanelBuilder(), title, spec).maxDataPoints(120)
    .targets(spec.queries.map(([expr], i) => target(expr, '{{le}}', i).range()
      .format(prometheus.PromQueryFormat.Heatmap)))
    .calculate(false).cellGap(1).showValue(common.VisibilityMode.Never).showLegend()
    .yAxis(new heatmap.YAxisConfigBuilder().unit(spec.unit).axisPlacement(common.AxisPlacement.Left))
    .rowsFrame(new heatmap.RowsHeatmapOptionsBuilder().layout(common.HeatmapCellLayout.Auto))
    .cellValues(new heatmap.CellValuesBuilder().unit('short').decimals(0))
    .filterValues(new heatmap.FilterValueRangeBuilder().le(1e-9))
    .tooltip(new heatmap.HeatmapTooltipBuilder().mode(common.TooltipDisplayMode.Single).yHistogram(true))
    .color(new heatmap.HeatmapColorOptionsBuilder().mode(heatmap.HeatmapColorMode.Scheme).scheme('Viridis')
      .scale(heatmap.HeatmapColorScale.Exponential).exponent(0.5).steps(64).fill('dark-orange').reverse(false));
}

/** States over time, in words. @param {string} title @param {Spec} spec */
export function states(title, spec) {
  return base(new statetimeline.PanelBuilder(), title, spec)
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .mergeValues(true).showValue(common.VisibilityMode.Auto).rowHeight(0.85).fillOpacity(80).lineWidth(0)
    .legend(new common.VizLegendOptionsBuilder().showLegend(false)
      .displayMode(common.LegendDisplayMode.Hidden).placement(common.LegendPlacement.Bottom).calcs([]))
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Single)
      .sort(common.SortOrder.None));
}

/** Bars beside each other, now. @param {string} title @param {Spec} spec */
export function gauges(title, spec) {
  return base(new bargauge.PanelBuilder(), title, spec).min(0)
    .targets(spec.queries.map(([expr, legend], i) => target(expr, legend, i).instant()))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    // Lines of text, rather than as large as fits.
    .sizing(common.BarGaugeSizing.Manual).minVizHeight(34).maxVizHeight(40)
    .text(new common.VizTextDisplayOptionsBuilder().titleSize(13).valueSize(14))
    .max(spec.max ?? 1).displayMode(common.BarGaugeDisplayMode.Basic).orientation(common.VizOrientation.Horizontal)
    .valueMode(common.BarGaugeValueMode.Text).showUnfilled(true).namePlacement(common.BarGaugeNamePlacement.Top)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']));
}
