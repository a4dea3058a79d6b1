// Each kind of panel, with Grafana's own components.
import { FieldType, VizOrientation, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, Table, TimeSeries, VizRepeater, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const nothing = ({ series }) => series.length === 0 || series.every((frame) => frame.length === 0);
const replaceVariables = (text) => text;

/** What Grafana shows where a panel has no data. */
const Nothing = ({ text }) => <div className="nothing">{text}</div>;

function values({ data, panel, theme, sparkline }) {
  return getFieldDisplayValues({
    fieldConfig: data.fieldConfig, reduceOptions: { values: false, ...panel.options.reduceOptions }, replaceVariables, theme,
    data: data.series, sparkline, timeZone: 'utc',
  });
}

function Stat({ panel, data, width, height, timeRange }) {
  const theme = useTheme2();
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => values({ data, panel, theme, sparkline: options.graphMode !== 'none' })}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width: w, height: h, count, alignmentFactors }) => {
        if (value.sparkline) value.sparkline.timeRange = timeRange;
        return (
          <BigValue
            value={value.display} count={count} sparkline={value.sparkline} colorMode={options.colorMode}
            graphMode={options.graphMode} justifyMode={options.justifyMode} textMode={options.textMode}
            alignmentFactors={alignmentFactors} text={options.text} width={w} height={h} theme={theme}
            disableWideLayout={!options.wideLayout}
          />
        );
      }}
      width={width} height={height} source={data} itemSpacing={3} renderCounter={0} autoGrid orientation={options.orientation}
    />
  );
}

function Bars({ panel, data, width, height }) {
  const theme = useTheme2();
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => values({ data, panel, theme, sparkline: false })}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value: { field, display, view, colIndex }, alignmentFactors, orientation, width: w, height: h }) => (
        <BarGauge
          value={display} width={w} height={h} orientation={orientation} field={field} text={options.text}
          display={view?.getFieldDisplayProcessor(colIndex)} theme={theme} itemSpacing={10} displayMode={options.displayMode}
          alignmentFactors={alignmentFactors} showUnfilled={options.showUnfilled} valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement} isOverflow={false}
        />
      )}
      width={width} height={height} source={data} itemSpacing={10} renderCounter={0}
      orientation={options.orientation ?? VizOrientation.Horizontal}
      minVizWidth={options.minVizWidth} minVizHeight={options.minVizHeight} maxVizHeight={options.maxVizHeight}
    />
  );
}

function Lines({ panel, data, width, height, timeRange }) {
  const frames = data.series.filter(({ fields }) => fields.some(({ type }) => type === FieldType.number)).map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) => (field.type === FieldType.number
      ? { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) } : field)),
  }));
  return (
    <TimeSeries
      frames={frames} structureRev={1} timeRange={timeRange} timeZone="utc" width={width} height={height}
      legend={panel.options.legend} options={panel.options}
    >
      {() => null}
    </TimeSeries>
  );
}

function Rows({ panel, data, width, height, timeRange, oldTables }) {
  const Component = oldTables ? Table : TableNG;
  const { options } = panel;
  return (
    <Component
      height={height} width={width} data={data.series[0]} noHeader={!options.showHeader} showTypeIcons={options.showTypeIcons}
      resizable initialSortBy={options.sortBy} footerOptions={options.footer} cellHeight={options.cellHeight}
      timeRange={timeRange} fieldConfig={data.fieldConfig} structureRev={1}
    />
  );
}

const KINDS = { stat: Stat, bargauge: Bars, timeseries: Lines, table: Rows };
// These say themselves that there is nothing.
const SAYS_SO = ['stat', 'bargauge'];

/** @param {any} props */
export function Content(props) {
  const { panel, data } = props;
  const failed = panel.answers.find(({ error }) => error);
  if (failed) return <Nothing text={failed.error} />;
  const Kind = KINDS[panel.type];
  if (!SAYS_SO.includes(panel.type) && nothing(data)) return <Nothing text={panel.fieldConfig.defaults.noValue} />;
  if (Kind) return <Kind {...props} />;
  return <Nothing text={`not drawn here: ${panel.type}, of ${data.series.length} series`} />;
}
