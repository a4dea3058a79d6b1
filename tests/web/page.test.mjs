// @ts-check
// The status page as people see it: in Chromium, with a real agent on real volumes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { agentWith, browse, demoNode, eventually, noBrowser, noDemo } from './servers.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Opens the page, and notes what it asks for and complains of. */
async function open(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(30000);
  const asked = new Set();
  const complaints = [];
  page.on('request', (request) => asked.add(new URL(request.url()).origin + new URL(request.url()).pathname));
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(url);
  return { page, asked, complaints };
}
const names = (page) => page.locator('main table').first().locator('tbody th strong').allTextContents();
const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

test('the page of the demonstration node', { skip: noDemo }, async (t) => {
  const server = await demoNode();
  const browser = await browse();
  t.after(async () => {
    await browser.close();
    await server.end();
  });
  // Archive hangs some seconds after the start.
  for (let i = 0; i < 60; ++i) {
    if ((await eventually(server.url, { Accept: 'text/plain' })).includes('hung')) break;
    await sleep(500);
  }

  await t.test('the worst is first, with its reason, and without scripts too', async () => {
    const { page } = await open(browser, server.url, { javaScriptEnabled: false });
    assert.deepEqual((await names(page)).slice(0, 3), ['archive', 'data-orders-2', 'data-orders-1']);
    const rows = page.locator('main tbody tr');
    assert.match(await rows.nth(0).innerText(), /hung\s+no answer by the deadline/);
    assert.match(await rows.nth(1).innerText(), /9\d%[^]*over 90 %/);
    assert.equal(await page.locator('head meta[http-equiv=refresh]').getAttribute('content'), '15', 'it reloads itself');
    await page.locator('select').selectOption('monitoring');
    await page.locator('form button').click();
    assert.deepEqual(await names(page), ['buffer']);
  });

  await t.test('with scripts a namespace is one choice, and the page stays fresh where it is', async () => {
    const { page, asked, complaints } = await open(browser, server.url);
    assert.equal(await page.locator('form button').isVisible(), false);
    await page.locator('select').selectOption('monitoring');
    await page.waitForURL('**/?namespace=monitoring');
    assert.deepEqual(await names(page), ['buffer']);
    await page.evaluate(() => { document.title = 'still here'; });
    const taken = await page.locator('#taken').innerText();
    // The page's own policy forbids what waitForFunction does.
    for (let i = 0; i < 120 && await page.locator('#taken').innerText() === taken; ++i) await sleep(250);
    assert.notEqual(await page.locator('#taken').innerText(), taken, 'it is fresh');
    assert.equal(await page.title(), 'still here', 'it was not loaded anew');
    assert.deepEqual(await names(page), ['buffer'], 'nor has it forgotten the choice');
    assert.deepEqual([...asked].sort(), [server.url, `${server.url}page.js`], 'nothing from elsewhere');
    assert.deepEqual(complaints, []);
  });

  await t.test('curl and scripts choose a namespace, too', async () => {
    const table = await eventually(`${server.url}?namespace=monitoring`, { Accept: 'text/plain' });
    assert.match(table, /logs-7k2xd/);
    assert.doesNotMatch(table, /orders/);
    const json = JSON.parse(await eventually(`${server.url}api/v1/volumes?namespace=monitoring`));
    assert.deepEqual(json.volumes.map((one) => one.pod ?? one.type).filter((one) => one === 'orders-0'), []);
  });

  await t.test('it fits phones and desks', async () => {
    for (const width of [320, 390, 768, 1024, 1280, 1400]) {
      const { page } = await open(browser, server.url, { viewport: { width, height: 900 } });
      assert.ok(await wide(page) <= 0, `at ${width} it is ${await wide(page)} px too wide`);
      await page.context().close();
    }
    const { page } = await open(browser, server.url, { viewport: { width: 390, height: 900 } });
    const cell = page.locator('td[data-column=State]').first();
    assert.equal(await cell.evaluate((one) => getComputedStyle(one, '::before').content), '"State"');
  });

  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await t.test(`contrast, names and roles are what WCAG 2.1 AA asks for: ${colorScheme}`, async () => {
      const { page } = await open(browser, server.url, { colorScheme });
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'] }));
      assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`), []);
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background, colorScheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(247, 248, 250)');
    });
  }

  await t.test('the keyboard gets everywhere, and can be seen to', async () => {
    const { page } = await open(browser, server.url, { viewport: { width: 800, height: 700 } });
    const reached = [];
    for (let i = 0; i < 9; ++i) {
      await page.keyboard.press('Tab');
      reached.push(await page.evaluate(() => {
        const one = document.activeElement;
        const seen = one && getComputedStyle(one).outlineStyle !== 'none' && one.getBoundingClientRect().left >= 0;
        return `${one?.tagName.toLowerCase()} ${one?.getAttribute('aria-label') ?? one?.textContent?.slice(0, 20)}${seen ? '' : ' unseen'}`;
      }));
    }
    for (const stop of ['a Skip to the volumes', 'a metrics', 'a JSON', 'div Volumes']) {
      assert.ok(reached.includes(stop), `${stop} is not among ${reached.join(', ')}`);
    }
    assert.ok(reached.some((one) => one.startsWith('select')));
  });
});

test('hostile names are text', { skip: noBrowser }, async (t) => {
  const hostile = ['<img src=x onerror=alert(1)>', '"><script>alert(2)<', '&lt;b&gt;', '\u202egnp.exe', 'a\nb'];
  const server = await agentWith(hostile);
  const browser = await browse();
  t.after(async () => {
    await browser.close();
    await server.end();
  });
  const { page, asked, complaints } = await open(browser, server.url);
  const shown = (await page.locator('tbody th').allInnerTexts()).join('\n');
  for (const name of hostile.slice(0, 3)) assert.ok(shown.includes(name), `${name} is not in ${shown}`);
  assert.equal(await page.locator('main img, main script, main b:not(.m80):not(.m90)').count(), 0);
  assert.deepEqual(complaints, []);
  assert.deepEqual([...asked].sort(), [server.url, `${server.url}page.js`]);
});

test('an agent that is gone is said to be', { skip: noBrowser }, async (t) => {
  const server = await agentWith(['data']);
  const browser = await browse();
  t.after(() => browser.close());
  const { page } = await open(browser, server.url);
  assert.equal(await page.locator('#notice').isVisible(), false);
  await server.end();
  await page.locator('#notice').waitFor({ state: 'visible' });
  assert.match(await page.locator('#notice').innerText(), /Not fresh: the agent does not answer\. What is below is from [\d:]+ UTC\./);
  assert.ok((await names(page)).includes('data'), 'what was known stays');
});
