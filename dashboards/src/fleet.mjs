// @ts-check
// volumeter-fleet: what hurts, what will, and where to go on.
import { firing } from './lib/alerts.mjs';
import { board } from './lib/board.mjs';
import { number } from './lib/panel.mjs';
import {
  CAPACITY, CLAIM, CLAIMS, CLUSTER, FAILING, GROWTH_2H, INFO, NAMESPACES, USAGE_RATIO, USED, among, howMany, max,
  measured, min, of, orNone, since, timeToFull,
} from './lib/promql.mjs';
import { AGE, FEW_IS_GOOD, NONE_IS_GOOD, USAGE } from './lib/theme.mjs';
import { capacity } from './fleet_capacity.mjs';
import { next } from './fleet_next.mjs';
import { alerts, broken, overTime } from './fleet_now.mjs';
import { leftBehind, slow } from './fleet_slow.mjs';

const alertsOf = (/** @type {string} */ severity) => orNone(
  `count(${firing(`${NAMESPACES},severity="${severity}"`)})`, `sum(cluster:volumeter_agents_up:count{${CLUSTER}})`);
const seen = `count(${of(INFO, CLAIMS)})`;

const summary = [
  number('Critical alerts', {
    size: [3, 4], unit: 'none', steps: NONE_IS_GOOD,
    what: 'Alerts of volumeter with severity critical that fire now. 0 is said only while this Prometheus evaluates the rules.',
    none: 'rules not evaluated',
    queries: [[alertsOf('critical')]],
  }),
  number('Warnings', {
    size: [3, 4], unit: 'none', steps: FEW_IS_GOOD,
    what: 'Alerts of volumeter with severity warning that fire now. 0 is said only while this Prometheus evaluates the rules.',
    none: 'rules not evaluated',
    queries: [[alertsOf('warning')]],
  }),
  number('Out of use', {
    size: [3, 4], unit: 'none', steps: NONE_IS_GOOD,
    what: 'Claims that hang, fail their probe, are read-only against all wishes, not mounted under a running pod, or wrongly mounted. Any is bad. 0: agents report claims, and none of them is.',
    none: 'no claim is reported',
    queries: [[orNone(
      `count(count by (${CLAIM}) (${of(FAILING, CLAIMS)}) or ` +
      `(${among(`(${min(CLAIM, of('volumeter_volume_mounted', NAMESPACES))} == 0 or ` +
        `${max(CLAIM, of('volumeter_volume_mount_mismatches', NAMESPACES))} > 0)`, of(INFO, CLAIMS))}))`, seen)]],
  }),
  number('Claims over 90 %', {
    size: [4, 4], unit: 'none', steps: NONE_IS_GOOD,
    what: 'Claims that use more than 90 % of their bytes. 0: some have a known usage, and none is so full.',
    none: 'no usage is known',
    queries: [[howMany(`${of(USAGE_RATIO, CLAIMS)} >= 0.9`, of(USAGE_RATIO, CLAIMS))]],
  }),
  number('Full in a day', {
    size: [3, 4], unit: 'none', steps: FEW_IS_GOOD,
    what: 'Claims that will be full within 24 hours by one of the two forecasts. 0: some have hours of history, and none will.',
    none: 'too little history',
    queries: [[howMany(`(${timeToFull(CLAIMS)}) < 86400`, of(GROWTH_2H, CLAIMS))]],
  }),
  number('Agents down', {
    size: [3, 4], unit: 'none', steps: FEW_IS_GOOD,
    what: 'Agents that Prometheus cannot scrape: their nodes\' volumes are not watched. 0: there are agents, and all answer.',
    none: 'no agents scraped',
    queries: [[howMany(`up{job="volumeter",${CLUSTER}} == 0`, `up{job="volumeter",${CLUSTER}}`)]],
  }),
  number('Oldest usage', {
    size: [3, 4], unit: 's', decimals: 0, steps: AGE,
    what: 'How long ago the usage of the claim that was measured least recently was measured; walks and quotas, which take their time, are left out. Over three minutes something hangs.',
    none: 'no usage is known',
    queries: [[`max(${since(measured(CLAIM, NAMESPACES))}` +
      ` unless on (${CLAIM}) volumeter_volume_usage_method{${NAMESPACES},method=~"walk|quota"} == 1)`]],
  }),
  number('Used', {
    size: [2, 4], unit: 'percentunit', steps: USAGE, decimals: 0,
    what: 'Bytes in use of the bytes of all claims whose usage is known. Each claim counts once, however many nodes mount it.',
    none: 'no usage is known',
    queries: [[`sum(${of(USED, CLAIMS)}) / sum(${among(of(CAPACITY, CLAIMS), of(USED, CLAIMS))})`]],
  }),
];

export default () => board({
  uid: 'volumeter-fleet',
  description: 'What hurts now, what will next, and what to do: firing alerts with their runbooks, claims that are out of use, full, filling up or slow, the worst first.',
  rows: [
    { title: 'At a glance', panels: summary },
    { title: 'What hurts', panels: [...alerts, ...broken] },
    { title: 'What will hurt next', panels: next },
    { title: 'What is slow', panels: slow },
    { title: 'Alerts and errors over time', panels: overTime },
    { title: 'Left behind', panels: leftBehind },
    { title: 'Capacity by StorageClass, zone, namespace and owner', collapsed: true, panels: capacity },
  ],
});
