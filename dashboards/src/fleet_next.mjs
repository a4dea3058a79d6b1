// @ts-check
// The overview's second part: what will be wrong.
import { bar, bytes, perSecond, percent, timeLeft } from './lib/columns.mjs';
import { ROW_TO_NODE } from './lib/links.mjs';
import {
  AVAILABLE, CAPACITY, CLAIM, CLAIMS, CLUSTER, INODES_RATIO, NAMESPACES, USAGE_RATIO, among, growth, max, of,
  since, timeToFull,
} from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { AGE } from './lib/theme.mjs';
import { CLAIM_LABELS } from './fleet_now.mjs';

const soonest = `bottomk(20, ${timeToFull(CLAIMS)})`;
const fullest = `topk(20, ${of(USAGE_RATIO, CLAIMS)})`;
const FILESYSTEM = 'cluster, node, device, mountpoint, fstype';
const fullestFilesystems = `topk(15, filesystem:volumeter_filesystem_usage_ratio:max{${CLUSTER}})`;
const ofFilesystems = (/** @type {string} */ series) =>
  `filesystem:volumeter_filesystem_${series}{${CLUSTER}} and on (${FILESYSTEM}) ${fullestFilesystems}`;

const MEASURED = 'volumeter_volume_last_measured_timestamp_seconds';
// Of those, too, whose numbers are too old to be told.
const lately = (/** @type {string} */ series) => `last_over_time(${series}[1h])`;

export const next = [
  rows('Claims by time to full', {
    size: [12, 9],
    what: 'When each claim will be full if it goes on growing, soonest first: by the faster of the forecasts of the alerts (two hours\' and one hour\'s growth above all of the week before). Claims that do not grow, or lack hours of history, are absent.',
    none: 'no claim grows, or there is too little history',
    labels: CLAIM_LABELS.slice(0, 3),
    columns: [
      timeLeft('Full in', soonest),
      bar('Used', among(of(USAGE_RATIO, CLAIMS), soonest)),
      bytes('Left', among(of(AVAILABLE, CLAIMS), soonest)),
      perSecond('Growth', 'binBps', among(growth(CLAIMS), soonest)),
    ],
    sort: [['Full in', 'ascending']],
  }),
  rows('Fullest claims', {
    size: [12, 9],
    what: 'The claims that use the most of their bytes: from 80 % on there is a warning, from 90 % a page, unless the owner says otherwise (on its page). Claims whose usage is unknown are absent. Above 100 % a directory holds more than was promised.',
    none: 'no claim has a known usage',
    labels: CLAIM_LABELS.slice(0, 3),
    columns: [
      bar('Used', fullest),
      percent('Inodes', among(of(INODES_RATIO, CLAIMS), fullest)),
      bytes('Left', among(of(AVAILABLE, CLAIMS), fullest)),
      bytes('Size', among(of(CAPACITY, CLAIMS), fullest)),
    ],
    sort: [['Used', 'descending']],
  }),
  rows('Fullest filesystems of nodes', {
    size: [12, 8],
    what: 'The nodes\' own filesystems, those beneath shared volumes, and network shares (without a node). From 90 % on everything on them is about to stop.',
    none: 'no filesystem of a node is measured',
    labels: [
      { label: 'cluster', name: 'Cluster', width: 75 },
      { label: 'node', name: 'Node', link: ROW_TO_NODE },
      { label: 'mountpoint', name: 'Mountpoint' },
      { label: 'device', name: 'Device', width: 100 },
    ],
    columns: [
      bar('Used', fullestFilesystems),
      percent('Inodes', ofFilesystems('inodes_usage_ratio:max')),
      bytes('Left', ofFilesystems('available_bytes:min')),
    ],
    sort: [['Used', 'descending']],
  }),
  rows('Oldest numbers', {
    size: [12, 8],
    what: 'Claims whose usage was measured the longest ago; walks and quotas are left out. Over three minutes it hangs, or its agent does; ten minutes later its usage is unknown.',
    none: 'no claim has a known usage',
    labels: CLAIM_LABELS.slice(0, 3),
    columns: [{
      name: 'Measured', unit: 's', decimals: 0, width: 110, steps: AGE,
      expr: `topk(15, ${since(max(CLAIM, lately(`${MEASURED}{${NAMESPACES},measurer="usage"}`)))}` +
        ` unless on (${CLAIM}) ${lately(`volumeter_volume_usage_method{${NAMESPACES},method=~"walk|quota"}`)} == 1)`,
    }],
    sort: [['Measured', 'descending']],
  }),
];
