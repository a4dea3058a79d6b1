// @ts-check
// volumeter-node: a node's claims, filesystems, disks and pods. The alerts of nodes lead here.
import { alertTable } from './lib/alerts.mjs';
import { board } from './lib/board.mjs';
import { number } from './lib/panel.mjs';
import { CLAIM, THE_NODE, max, of, orNone, state, sum } from './lib/promql.mjs';
import { BLUE, FEW_IS_GOOD, NONE_IS_GOOD, ORANGE, RED, USAGE, words } from './lib/theme.mjs';
import { claims, pods } from './node_claims.mjs';
import { devices, filesystems, system } from './node_disks.mjs';

const here = (/** @type {string} */ series) => of(series, THE_NODE);

const summary = [
  number('Agent', {
    size: [2, 4], unit: 'none', steps: [[null, RED], [1, BLUE]], mapping: words({ 0: ['down', RED], 1: ['up', BLUE] }),
    what: 'Whether Prometheus can scrape the agent of this node. While it is down nothing below is new.',
    none: 'no agent scraped',
    queries: [[max('cluster', `up{job="volumeter",${THE_NODE}}`)]],
  }),
  number('Claims', {
    size: [3, 4], unit: 'none',
    what: 'Claims that pods of this node use.',
    none: 'no claim is used here',
    queries: [[`count by (cluster) (count by (${CLAIM}) (${here('volumeter_volume_info')}))`]],
  }),
  number('Out of use', {
    size: [3, 4], unit: 'none', steps: NONE_IS_GOOD,
    what: 'Claims of this node that hang, fail their probe, are read-only against all wishes, not mounted under a running pod, or wrongly mounted. 0: claims are there, and none of them is.',
    none: 'no claim is used here',
    queries: [[orNone(
      `count by (cluster) ((${state(CLAIM, THE_NODE)}) >= 2)`,
      `count by (cluster) (${here('volumeter_volume_info')})`)]],
  }),
  number('Fullest claim', {
    size: [3, 4], unit: 'percentunit', steps: USAGE, decimals: 0,
    what: 'The fullest claim of this node. 80 % warns, 90 % pages.',
    none: 'no usage is known',
    queries: [[max('cluster', here('volumeter_volume_usage_ratio'))]],
  }),
  number('Fullest filesystem', {
    size: [4, 4], unit: 'percentunit', steps: USAGE, decimals: 0,
    what: 'The fullest of the node\'s own filesystems and of those beneath shared volumes. When the kubelet\'s is full, pods are evicted.',
    none: 'none is measured',
    queries: [[max('cluster', here('filesystem:volumeter_filesystem_usage_ratio:max'))]],
  }),
  number('Tasks waiting', {
    size: [3, 4], unit: 'percentunit', decimals: 0, line: true, steps: [[null, BLUE], [0.3, ORANGE], [0.6, RED]],
    what: 'Share of the time in which some task of the node waited for I/O (PSI). High and not falling is a slow or hanging disk.',
    none: 'the kernel has no PSI',
    queries: [[sum('cluster', `rate(${here('volumeter_pressure_io_waiting_seconds_total')}[$__rate_interval])`)]],
  }),
  number('Stuck workers', {
    size: [3, 4], unit: 'none', steps: FEW_IS_GOOD,
    what: 'Worker processes of the agent that sleep in the kernel over a volume that hangs. The others go on.',
    none: 'no agent scraped',
    queries: [[max('cluster', `volumeter_workers{${THE_NODE},state="stuck"}`)]],
  }),
  number('Orphans', {
    size: [3, 4], unit: 'none', steps: FEW_IS_GOOD,
    what: 'Directories, mounts, staged volumes and loop devices that belong to no pod.',
    none: 'not all pods known',
    queries: [[sum('cluster', here('volumeter_orphans'))]],
  }),
];

const alerts = alertTable('Alerts of this node', {
  size: [24, 5], matchers: THE_NODE, without: ['node', 'namespace', 'persistentvolumeclaim', 'storageclass'],
  what: 'What fires for this node: its filesystems, disks, leftovers and agent, each with its runbook. Alerts of claims are on their own pages; State below tells of them.',
  none: 'no alert of this node fires, or the rules are not evaluated here',
});

export default () => board({
  uid: 'volumeter-node',
  description: 'One node: its claims with their state, its filesystems and disks, its pods\' ephemeral storage, what was left behind, and its agent.',
  marks: THE_NODE,
  rows: [
    { title: 'At a glance', panels: [...summary, alerts] },
    { title: 'Claims', panels: claims },
    { title: 'Filesystems', panels: filesystems },
    { title: 'Disks', panels: devices },
    { title: 'Pods', panels: pods },
    { title: 'Pressure, kernel log, agent and leftovers', panels: system },
  ],
});
