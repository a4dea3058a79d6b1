// @ts-check
// From an alert to a dashboard, and from there to the next: each link leads somewhere.
import assert from 'node:assert/strict';
import test from 'node:test';

import { alerts, dashboards, linksOf, panels } from './support.mjs';

const uids = dashboards.map(({ uid }) => uid);
const variables = (/** @type {any} */ dashboard) =>
  new Set(dashboard.templating.list.map((/** @type {any} */ { name }) => name));
const byUid = new Map(dashboards.map((dashboard) => [dashboard.uid, dashboard]));

/** That a link leads to a dashboard that is there, with variables that it has. @param {string} url */
function check(url) {
  if (url.startsWith('https://volumeter.io/docs/runbooks/')) return;
  const [, uid, query] = /^\/d\/([\w-]+)\?(.*)$/.exec(url) ?? [];
  assert.ok(byUid.has(uid), `${url}: no such dashboard`);
  const known = variables(byUid.get(uid));
  assert.match(query, /^\$\{datasource:queryparam\}/, `${url}: it keeps the data source`);
  for (const [, given, carried] of query.matchAll(/var-(\w+)=|\$\{(\w+):queryparam\}/g)) {
    assert.ok(known.has(given ?? carried), `${url}: ${uid} has no variable ${given ?? carried}`);
  }
}

/** What a template can become: with the label, and without. @param {string} url @returns {string[]} */
function filledIn(url) {
  const [text, yes, no] = /\{\{ with [^}]*\}\}(.*?)\{\{ else \}\}(.*?)\{\{ end \}\}/.exec(url) ?? [];
  if (text === undefined) return [url.replace(/\{\{[^}]*\}\}/g, 'x')];
  return [yes, no].flatMap((one) => filledIn(url.replace(text, one)));
}

test('alerts link to dashboards that are there, with variables that they have', () => {
  const urls = alerts();
  assert.ok(urls.length > 30);
  for (const url of urls.flatMap(filledIn)) {
    const [, uid, query] = /\/d\/([\w-]+)\?(.*)$/.exec(url) ?? [];
    assert.ok(byUid.has(uid), `${url}: no such dashboard`);
    for (const [, name] of query.matchAll(/var-(\w+)=/g)) {
      assert.ok(variables(byUid.get(uid)).has(name), `${url}: ${uid} has no variable ${name}`);
    }
  }
});

for (const dashboard of dashboards) {
  test(`${dashboard.uid}: links lead somewhere`, () => {
    assert.deepEqual(dashboard.links.map((/** @type {any} */ { url }) => /\/d\/([\w-]+)/.exec(url)?.[1]).sort(),
      uids.filter((uid) => uid !== dashboard.uid).sort(), 'to each of the others');
    for (const { url, keepTime } of dashboard.links) {
      check(url);
      assert.ok(keepTime, url);
    }
    for (const panel of panels(dashboard)) {
      for (const url of linksOf(panel)) {
        check(url);
        if (!url.startsWith('/d/')) continue;
        assert.ok(url.endsWith('${__url_time_range}'), `${panel.title}: ${url} keeps the time`);
        for (const [, column] of url.matchAll(/__data\.fields\.(\w+)/g)) {
          const names = Object.values(panel.transformations.at(-1).options.renameByName);
          assert.ok(column === 'Cluster' || names.includes(column), `${panel.title}: no column ${column}`);
        }
      }
    }
  });
}
