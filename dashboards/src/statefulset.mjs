// @ts-check
// volumeter-statefulset: the members of one set beside each other. Its claims are those that its pods
// use, as volumeter_volume_mount_info tells, not those whose names look right.
import { board } from './lib/board.mjs';
import { number } from './lib/panel.mjs';
import { CLAIM, SYNC_P99, USAGE_RATIO, max, min, state, timeToFull } from './lib/promql.mjs';
import { BLUE, ORANGE, RED, STATE, TIMES_USUAL, TIME_LEFT, USAGE } from './lib/theme.mjs';
import { SET, apart, members, space, speed, the } from './statefulset_members.mjs';

const slowest = max('cluster', the(SYNC_P99));

const summary = [
  number('Claims', {
    size: [4, 4], unit: 'none',
    what: 'Claims that the set\'s pods use. Fewer than replicas times templates is a member that is not there.',
    none: 'no pod of this set is known',
    queries: [[`count by (cluster) (count by (${CLAIM}) (${the('volumeter_volume_info')}))`]],
  }),
  number('Worst state', {
    size: [4, 4], unit: 'none', mapping: STATE, steps: [[null, BLUE], [1, ORANGE], [2, RED]],
    what: 'The worst state of any member\'s claim; Members says whose. "ok" means that agents report them and found nothing.',
    none: 'no pod of this set is known',
    queries: [[max('cluster', state(CLAIM, SET))]],
  }),
  number('Fullest', {
    size: [4, 4], unit: 'percentunit', steps: USAGE, decimals: 0,
    what: 'The fullest claim of the set.', none: 'no usage is known', queries: [[max('cluster', the(USAGE_RATIO))]],
  }),
  number('Skew of usage', {
    size: [4, 4], unit: 'percentunit', decimals: 0, steps: [[null, BLUE], [0.1, ORANGE], [0.3, RED]],
    what: 'The fullest less the emptiest claim. Replicas of one data set are alike: much skew is an uneven shard, a leak, or a member that lags.',
    none: 'no usage is known', queries: [[apart(the(USAGE_RATIO))]],
  }),
  number('Next to be full', {
    size: [4, 4], unit: 's', decimals: 1, steps: TIME_LEFT,
    what: 'When the first of its claims will be full, by the forecasts of the alerts.',
    none: 'no known growth',
    queries: [[min('cluster', timeToFull(SET))]],
  }),
  number('Slowest to others', {
    size: [4, 4], unit: 'suffix:×', decimals: 1, steps: TIMES_USUAL,
    what: 'The slowest member\'s p99 of syncs by the median of the others\'. One slow member slows a quorum\'s writes, or falls behind. Absent where fewer than two members sync twenty times in two minutes.',
    none: 'too few syncs',
    queries: [[
      `${slowest} / quantile by (cluster) (0.5, ${the(SYNC_P99)} < on (cluster) group_left () ${slowest})`]],
  }),
];

export default () => board({
  uid: 'volumeter-statefulset',
  description: 'The claims of one StatefulSet beside each other: who is full next, who is slow, and how far the members are apart.',
  marks: SET,
  rows: [
    { title: 'At a glance', panels: summary }, { title: 'Members', panels: members },
    { title: 'Space', panels: space }, { title: 'Speed', panels: speed },
  ],
});
