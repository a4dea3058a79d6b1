// A dashboard's page: its head, its rows and its panels.
import { EventBusSrv, ThemeContext, createTheme, dateTime } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, Icon, PanelChrome, PanelContextProvider } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

import { prepared } from './frames.mjs';
import { EDGE } from './grid.mjs';
import { Content } from './panels.jsx';

window.__grafana_public_path__ = '/public/';

const style = ({ colors, spacing, typography, shape }) => `
  html, body { margin: 0; overflow: visible; height: auto; background: ${colors.background.canvas}; }
  #page { padding: ${EDGE}px; }
  .head { display: flex; flex-wrap: wrap; gap: ${spacing(1)}; align-items: center; margin-bottom: ${spacing(2)}; }
  .head h1 { width: 100%; margin: 0; font-size: ${typography.h4.fontSize}; }
  .chosen { display: flex; border: 1px solid ${colors.border.medium}; border-radius: ${shape.radius.default}; }
  .chosen > * { padding: 5px 8px; }
  .chosen b { background: ${colors.background.secondary}; font-weight: 500; }
  .link { padding: 5px 8px; background: ${colors.secondary.main}; border-radius: ${shape.radius.default}; }
  .grid { position: relative; }
  .grid > * { position: absolute; }
  .row { display: flex; align-items: center; gap: 8px; font-size: ${typography.h5.fontSize}; }
  .row small { color: ${colors.text.secondary}; }
  .nothing { display: flex; align-items: center; justify-content: center; height: 100%; padding: 0 8px;
    text-align: center; color: ${colors.text.secondary}; font-size: ${typography.h5.fontSize}; }`;

function Panel({ panel, box, data, ...rest }) {
  const table = panel.type === 'table';
  return (
    <PanelChrome
      title={panel.title} description={panel.description} width={box.width} height={box.height} padding={table ? 'none' : 'md'}
    >
      {(width, height) => <Content panel={panel} data={data} width={width} height={height} {...rest} />}
    </PanelChrome>
  );
}

const Row = ({ panel }) => (
  <div className="row">
    <Icon name={panel.hidden ? 'angle-right' : 'angle-down'} /> {panel.title}
    {panel.hidden > 0 && <small>({panel.hidden} panels)</small>}
  </div>
);

function Page({ given, theme, panels }) {
  const timeRange = { from: dateTime(given.range.from * 1000), to: dateTime(given.range.to * 1000) };
  timeRange.raw = timeRange;
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <style>{style(theme)}</style>
      <div className="head">
        <h1>{given.title}</h1>
        {given.shown.map(({ label, text }) => <span key={label} className="chosen"><b>{label}</b><span>{text}</span></span>)}
        {given.links.map(({ title }) => <span key={title} className="link"><Icon name="apps" /> {title}</span>)}
      </div>
      <div className="grid" style={{ height: Math.max(...panels.map(({ box }) => box.y + box.height)) }}>
        {panels.map(({ panel, box, data }) => (
          <div key={panel.id} style={{ left: box.x, top: box.y, width: box.width, height: box.height }}>
            {panel.type === 'row' ? <Row panel={panel} />
              : <Panel panel={panel} box={box} data={data} timeRange={timeRange} oldTables={given.oldTables} />}
          </div>
        ))}
      </div>
      <span id="drawn" />
    </ThemeContext.Provider>
  );
}

async function draw(given) {
  await initPluginTranslations('grafana');
  const theme = createTheme({ colors: { mode: given.theme } });
  const panels = await Promise.all(given.panels.map(async ({ panel, box }) =>
    ({ panel, box, data: panel.type === 'row' ? null : await prepared(panel, theme) })));
  // Before anything is measured.
  await Promise.all([['Regular', '400'], ['Medium', '500']].map(async ([name, weight]) => {
    const face = new FontFace('Inter', `url(/public/fonts/inter/Inter-${name}.woff2)`, { weight });
    document.fonts.add(await face.load());
  }));
  createRoot(document.getElementById('page')).render(
    <PanelContextProvider value={{ eventsScope: 'global', eventBus: new EventBusSrv(), canAddAnnotations: () => false }}>
      <Page given={given} theme={theme} panels={panels} />
    </PanelContextProvider>);
}

draw(window.given);
