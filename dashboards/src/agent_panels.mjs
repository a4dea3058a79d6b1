// @ts-check
// What agents cost, and whether they measure.
import { bytes } from './lib/columns.mjs';
import { ROW_TO_NODE, TO_NODE } from './lib/links.mjs';
import { lines } from './lib/panel.mjs';
import { CLAIM, INTERVAL, increase, max, of, since, sum } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { BLUE, GREY, ORANGE, RED } from './lib/theme.mjs';

export const AGENTS = 'cluster=~"$cluster",zone=~"$zone",node=~"$node"';
export const JOB = `job="volumeter",${AGENTS}`;
const all = (/** @type {string} */ series) => of(series, AGENTS);
const MEASURED = 'volumeter_volume_last_measured_timestamp_seconds';
const NO_AGENT = 'no agent answers';
const COLORS = { highest: ORANGE, median: BLUE };

/** Of many agents: the highest and the median. @param {string} expr @returns {[string, string][]} */
const spread = (expr) => [[`max(${expr})`, 'highest'], [`quantile(0.5, ${expr})`, 'median']];
const cpu = `rate(process_cpu_seconds_total{${JOB}}[${INTERVAL}])`;

export const cost = [
  lines('CPU', {
    size: [6, 8], unit: 'suffix:mCPU', decimals: 1, colors: COLORS,
    what: 'Thousandths of a core that an agent takes, with its workers that have ended. docs/benchmarks.md tells what to expect.',
    none: NO_AGENT, queries: spread(`1000 * ${cpu}`),
  }),
  lines('Memory', {
    size: [6, 8], unit: 'bytes', colors: COLORS,
    what: 'Resident memory of an agent, without its workers. docs/benchmarks.md tells what to expect; one that only rises leaks.',
    none: NO_AGENT, queries: spread(`process_resident_memory_bytes{${JOB}}`),
  }),
  lines('Series', {
    size: [6, 8], unit: 'short', colors: { ...COLORS, all: GREY },
    what: 'Samples of a scrape, and of all agents together: what Prometheus has to keep.',
    none: 'no agent is scraped as job volumeter',
    queries: [...spread(`scrape_samples_scraped{${JOB}}`), [`sum(scrape_samples_scraped{${JOB}})`, 'all']],
  }),
  lines('Scrape duration', {
    size: [6, 8], unit: 's', colors: COLORS,
    what: 'How long scrapes took. They do not wait for volumes: a hang shows elsewhere.',
    none: 'no agent is scraped as job volumeter', queries: spread(`scrape_duration_seconds{${JOB}}`),
  }),
  lines('Agents', {
    size: [8, 8], unit: 'none', decimals: 0, colors: { up: BLUE, down: RED },
    what: 'Agents that answered, and those that did not.',
    none: 'no agent is scraped as job volumeter',
    queries: [[`count(up{${JOB}} == 1)`, 'up'], [`count(up{${JOB}} == 0)`, 'down']],
  }),
  rows('What runs', {
    size: [8, 8],
    what: 'What runs, from what it was built, and on how many nodes.',
    none: NO_AGENT,
    labels: [
      { label: 'cluster', name: 'Cluster', width: 75 },
      { label: 'version', name: 'Version', width: 70 },
      { label: 'revision', name: 'Revision' },
      { label: 'compiler', name: 'Compiler' },
    ],
    columns: [{
      name: 'Nodes', width: 80,
      expr: `count by (cluster, version, revision, compiler) (${all('volumeter_build_info')})`,
    }],
    sort: [['Nodes', 'descending']],
  }),
  rows('Dearest agents', {
    size: [8, 8],
    what: 'The agents that take the most CPU, with their memory and series.',
    none: NO_AGENT,
    labels: [{ label: 'cluster', name: 'Cluster', width: 75 }, { label: 'node', name: 'Node', link: ROW_TO_NODE }],
    columns: [
      {
        name: 'CPU', unit: 'suffix:mCPU', decimals: 1, width: 105,
        expr: `topk(20, ${sum('cluster, node', `1000 * ${cpu}`)})`,
      },
      bytes('Memory', max('cluster, node', `process_resident_memory_bytes{${JOB}}`)),
      { name: 'Series', width: 70, expr: max('cluster, node', `scrape_samples_scraped{${JOB}}`) },
    ],
    sort: [['CPU', 'descending']],
  }),
];

export const measuring = [
  rows('Measurers that fail', {
    size: [8, 8],
    what: 'Measurers whose last round could not measure all that it should, by node. A volume that hangs makes usage fail there; anything else is in the agent\'s log.',
    none: 'all measurers succeed, or no agent answers: see Up',
    labels: [
      { label: 'cluster', name: 'Cluster', width: 75 },
      { label: 'node', name: 'Node', link: ROW_TO_NODE },
      { label: 'measurer', name: 'Measurer', width: 100 },
    ],
    columns: [{
      name: 'Fails', hidden: true,
      expr: `min by (cluster, node, measurer) (${all('volumeter_measurer_success')}) == 0`,
    }],
    sort: [['Node', 'ascending']],
  }),
  lines('Rounds of measurers', {
    size: [8, 8], unit: 's',
    what: 'The longest last round of each measurer. usage has deadlines, so a volume that hangs costs seconds; the live ones take milliseconds.',
    none: NO_AGENT, queries: [[max('measurer', all('volumeter_measurer_duration_seconds')), '{{measurer}}']],
  }),
  lines('Failed measurements, by reason', {
    size: [8, 8], unit: 'short', bars: true, stack: true, decimals: 0,
    what: 'Measurements of claims that failed. timeout is a hang, worker a worker that died, not_visible or permission a fault of the deployment.',
    none: 'every measurement has succeeded', colors: { timeout: ORANGE, worker: RED },
    queries: [[increase('reason', 'volumeter_volume_measure_errors_total', AGENTS), '{{reason}}']],
  }),
  lines('Workers', {
    size: [6, 8], unit: 'none', decimals: 0, colors: { ready: BLUE, stuck: RED },
    what: 'Worker processes of all agents. Each that is stuck sleeps over a volume that hangs; none ready is a node that measures nothing.',
    none: NO_AGENT, queries: [[sum('state', all('volumeter_workers')), '{{state}}']],
  }),
  lines('Stuck workers by node', {
    size: [6, 8], unit: 'none', decimals: 0, link: TO_NODE,
    what: 'Nodes on which workers are stuck, and how many. A click on a line leads to its node.',
    none: 'no worker is stuck',
    queries: [[
      `topk(10, ${sum('cluster, node', `volumeter_workers{${AGENTS},state="stuck"}`)} > 0)`, '{{cluster}} {{node}}']],
  }),
  lines('CPU of walks', {
    size: [6, 8], unit: 'suffix:mCPU', decimals: 2, colors: COLORS,
    what: 'Thousandths of a core that walks of directories take: at most 5, half a percent of one core.',
    none: NO_AGENT, queries: spread(`1000 * rate(${all('volumeter_walk_cpu_seconds_total')}[${INTERVAL}])`),
  }),
  lines('Age of the oldest numbers', {
    size: [6, 8], unit: 's',
    what: 'How long ago each measurer last got an answer, of the claim or node where it is the longest. usage that rises is a hang; walks and bursts take their time.',
    none: 'nothing has been measured yet',
    queries: [
      [since(`min by (measurer) (${max(`${CLAIM}, measurer`, all(MEASURED))})`), '{{measurer}}'],
      [since(`min(${all('volumeter_deleted_open_last_measured_timestamp_seconds')})`), 'deleted files'],
    ],
  }),
];
