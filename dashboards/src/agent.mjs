// @ts-check
// volumeter-agent: whether the watchers are well.
import { board } from './lib/board.mjs';
import { number } from './lib/panel.mjs';
import { howMany, of } from './lib/promql.mjs';
import { BLUE, FEW_IS_GOOD, NONE_IS_GOOD, ORANGE } from './lib/theme.mjs';
import { lost } from './agent_lost.mjs';
import { AGENTS, JOB, cost, measuring } from './agent_panels.mjs';
import { sources } from './agent_sources.mjs';

const all = (/** @type {string} */ series) => of(series, AGENTS);

const summary = [
  number('Up', {
    size: [2, 4], unit: 'none',
    what: 'Agents that answer Prometheus.',
    none: 'no agents scraped', queries: [[`count(up{${JOB}} == 1)`]],
  }),
  number('Down', {
    size: [2, 4], unit: 'none', steps: NONE_IS_GOOD,
    what: 'Agents that do not answer: their nodes\' volumes are not watched. 0: there are agents, and all answer.',
    none: 'no agents scraped', queries: [[howMany(`up{${JOB}} == 0`, `up{${JOB}}`)]],
  }),
  number('Versions', {
    size: [3, 4], unit: 'none', steps: [[null, BLUE], [2, ORANGE]],
    what: 'How many versions run. More than one is a rollout under way, or one that stopped.',
    none: 'no agent answers', queries: [[`count(count by (version, revision) (${all('volumeter_build_info')}))`]],
  }),
  number('Restarts, 1 h', {
    size: [3, 4], unit: 'none', steps: FEW_IS_GOOD, decimals: 0,
    what: 'How often agents have started again in the last hour. Each restart loses histograms of that node.',
    none: 'no agent answers', queries: [[`sum(changes(process_start_time_seconds{${JOB}}[1h]))`]],
  }),
  number('Slowest scrape', {
    size: [4, 4], unit: 's', line: true, steps: [[null, BLUE], [1, ORANGE]],
    what: 'The slowest scrape of an agent. It never waits for a volume: a second is a node without CPU, or far too many series.',
    none: 'no agents scraped', queries: [[`max(scrape_duration_seconds{${JOB}})`]],
  }),
  number('Measurers failing', {
    size: [4, 4], unit: 'none', steps: FEW_IS_GOOD,
    what: 'Measurers, on any node, whose last round could not measure all that it should. 0: they report, and all could.',
    none: 'no agent answers',
    queries: [[howMany(`${all('volumeter_measurer_success')} == 0`, all('volumeter_measurer_success'))]],
  }),
  number('Sources down', {
    size: [3, 4], unit: 'none', steps: FEW_IS_GOOD,
    what: 'Sources of the inventory, on any node, that could not be read when last tried. 0: they report, and all could.',
    none: 'no agent answers',
    queries: [[howMany(`${all('volumeter_metadata_source_up')} == 0`, all('volumeter_metadata_source_up'))]],
  }),
  number('Stuck workers', {
    size: [3, 4], unit: 'none', steps: FEW_IS_GOOD,
    what: 'Worker processes that sleep in the kernel over a volume that hangs, on all nodes.',
    none: 'no agent answers', queries: [[`sum(volumeter_workers{${AGENTS},state="stuck"})`]],
  }),
];

export default () => board({
  uid: 'volumeter-agent',
  description: 'The agents themselves: whether they are up and what they cost, whether they can measure and name what they see, and what they lost.',
  rows: [
    { title: 'At a glance', panels: summary },
    { title: 'What it costs', panels: cost },
    { title: 'Measuring', panels: measuring },
    { title: 'Names: sources and API requests', panels: sources },
    { title: 'What was lost or can not be seen', panels: lost },
  ],
});
