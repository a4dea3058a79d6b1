#!/usr/bin/env node
// Draws a dashboard as Grafana would, without Grafana: see README.md.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { build } from 'esbuild';
import { chromium } from 'playwright-core';

import { cut } from './cut.mjs';
import { placed } from './grid.mjs';
import { answers, prometheus, variables } from './prometheus.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DASHBOARDS = fileURLToPath(new URL('../../../dashboards/', import.meta.url));
const PAGE = 'http://render.invalid/';
const HTML = '<!doctype html><link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css">' +
  '<div id="page"></div><script src="/page.js"></script>';

const { values: options } = parseArgs({
  options: {
    prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
    dashboard: { type: 'string', multiple: true, default: [] },
    var: { type: 'string', multiple: true, default: [] },
    from: { type: 'string', default: '30m' },  // so long ago
    to: { type: 'string', default: '0m' },
    theme: { type: 'string', default: 'dark' },
    width: { type: 'string', default: '1400' },
    height: { type: 'string' },  // of the picture; without it all
    row: { type: 'string' },  // only the row of this title
    open: { type: 'boolean', default: false },  // rows that are collapsed, too
    'old-tables': { type: 'boolean', default: false },  // those before Grafana 12.2
    out: { type: 'string', multiple: true, default: [] },
  },
});
if (options.dashboard.length === 0 || options.dashboard.length !== options.out.length) {
  console.error('render.mjs: as many --dashboard UID as --out FILE.png, one or more');
  process.exit(2);
}

/** @param {string} text such as 30m */
function seconds(text) {
  const [, number, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`"${text}" is no time such as 30m`);
  return Number(number) * { s: 1, m: 60, h: 3600, d: 86400 }[/** @type {'s'} */ (unit)];
}

const directory = mkdtempSync(join(tmpdir(), 'volumeter-render-'));

function bundled() {
  // It is CommonJS, whose default an .mjs file doesn't get as it does from bundlers of TypeScript.
  const scrollbars = {
    name: 'scrollbars',
    setup(/** @type {import('esbuild').PluginBuild} */ bundler) {
      bundler.onResolve({ filter: /^react-custom-scrollbars-2$/ }, ({ importer }) =>
        (importer.endsWith('.mjs') ? { path: 'scrollbars', namespace: 'own' } : undefined));
      bundler.onLoad({ filter: /./, namespace: 'own' }, () =>
        ({ contents: "export { Scrollbars as default } from 'react-custom-scrollbars-2'", resolveDir: HERE }));
    },
  };
  return build({
    entryPoints: [`${HERE}page.jsx`], outfile: `${directory}/page.js`, bundle: true, format: 'iife', jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    loader: { '.svg': 'dataurl', '.ttf': 'empty' }, logLevel: 'error', plugins: [scrollbars],
  });
}

/** What the page asks for: itself, Grafana's fonts and icons. @param {string} path */
function file(path) {
  if (path === '/') return { contentType: 'text/html', body: HTML };
  if (path === '/page.js' || path === '/page.css') return { path: directory + path };
  const [, weight] = /fonts\/inter\/Inter-(Regular|Medium)\.woff2$/.exec(path) ?? [];
  if (weight) {
    const number = weight === 'Medium' ? 500 : 400;
    return { path: `${HERE}node_modules/@fontsource/inter/files/inter-latin-${number}-normal.woff2` };
  }
  const [, icon] = /build\/(img\/.*)$/.exec(path) ?? [];
  const found = `${HERE}node_modules/@grafana/ui/dist/public/${icon}`;
  return icon && existsSync(found) ? { path: found } : { body: '' };
}

/** @param {any} dashboard @param {string[]} given */
async function asked(dashboard, given) {
  const ask = prometheus(options.prometheus);
  const now = Math.floor(Date.now() / 1000);
  const range = { from: now - seconds(options.from), to: now - seconds(options.to) };
  const chosen = Object.fromEntries(given.map((one) => one.split(/=(.*)/)));
  const { values, shown } = await variables(dashboard, chosen, ask, range);
  const panels = placed(dashboard, Number(options.width), options);
  for (const { panel, box } of panels) {
    if (panel.type !== 'row') panel.answers = await answers(panel, box.width, values, ask, range);
  }
  return { title: dashboard.title, links: dashboard.links, shown, values, range, panels };
}

/**
 * Draws one dashboard, and says what does not fit.
 * @param {import('playwright-core').Browser} browser @param {string} uid @param {string} out
 */
async function draw(browser, uid, out) {
  const dashboard = JSON.parse(readFileSync(`${DASHBOARDS}${uid}.json`, 'utf8'));
  const data = await asked(dashboard, options.var);
  const width = Number(options.width);
  const page = await browser.newPage({ viewport: { width, height: 1000 }, timezoneId: 'UTC' });
  page.on('pageerror', (error) => console.error(`${uid}: ${error.stack ?? error}`));
  page.on('console', (message) => { if (message.type() === 'error') console.error(`${uid}: ${message.text()}`); });
  await page.route('**/*', (route) => route.fulfill(file(new URL(route.request().url()).pathname)));
  await page.addInitScript((given) => { /** @type {any} */ (globalThis).given = given; },
    { ...data, theme: options.theme, oldTables: options['old-tables'] });
  await page.goto(PAGE);
  await page.waitForSelector('#drawn', { state: 'attached' });
  // Tables draw what is in sight only, and charts after they were measured.
  const height = await page.evaluate(() => document.getElementById('page')?.offsetHeight ?? 0);
  await page.setViewportSize({ width, height });
  await page.waitForTimeout(1500);
  await page.screenshot({ path: out, clip: { x: 0, y: 0, width, height: Number(options.height ?? height) } });
  for (const complaint of await page.evaluate(cut)) console.log(`${uid}: ${complaint}`);
  for (const { panel } of data.panels) {
    for (const { error, expr, refId } of panel.answers ?? []) {
      if (error) console.error(`${uid}: ${panel.title}/${refId}: ${error}: ${expr}`);
    }
  }
  await page.close();
}

let browser;
try {
  await bundled();
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  for (const [index, uid] of options.dashboard.entries()) await draw(browser, uid, options.out[index]);
} finally {
  await browser?.close();
  rmSync(directory, { recursive: true });
}
