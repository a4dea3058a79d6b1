// @ts-check
// Where agents have their names from.
import { ROW_TO_NODE } from './lib/links.mjs';
import { lines } from './lib/panel.mjs';
import { INTERVAL, min, of, quantile, since } from './lib/promql.mjs';
import { rows } from './lib/table.mjs';
import { AGENTS, JOB } from './agent_panels.mjs';

const all = (/** @type {string} */ series) => of(series, AGENTS);
const rates = (/** @type {string} */ by, /** @type {string} */ series) =>
  `sum by (${by}) (rate(${all(series)}[${INTERVAL}]))`;
const NO_REQUESTS = 'the agents ask no API server: names come from the node alone';

export const sources = [
  lines('Age of sources', {
    size: [8, 8], unit: 's',
    what: 'How long ago each source was last read in full, on the node where it is the oldest. One that rises can not be read: new volumes lack their names.',
    none: 'no agent answers',
    queries: [[since(min('source', all('volumeter_metadata_source_last_success_timestamp_seconds'))), '{{source}}']],
  }),
  rows('Sources that can not be read', {
    size: [8, 8],
    what: 'Sources that could not be read when last tried, by node.',
    none: 'all sources can be read, or no agent answers: see Up',
    labels: [
      { label: 'cluster', name: 'Cluster', width: 75 },
      { label: 'node', name: 'Node', link: ROW_TO_NODE },
      { label: 'source', name: 'Source' },
    ],
    columns: [{
      name: 'Down', hidden: true,
      expr: `min by (cluster, node, source) (${all('volumeter_metadata_source_up')}) == 0`,
    }],
    sort: [['Node', 'ascending']],
  }),
  lines('Requests for names', {
    size: [8, 8], unit: 'reqps',
    what: 'Requests of all agents to API servers and kubelets, by resource and status. 4xx is a missing permission or object; error is no answer.',
    none: NO_REQUESTS,
    queries: [[rates('resource, verb, code', 'volumeter_metadata_requests_total'), '{{verb}} {{resource}} {{code}}']],
  }),
  lines('Duration of requests', {
    size: [8, 8], unit: 's',
    what: 'Median and 99th percentile of how long requests for names took, watches left out. It says how the API server is.',
    none: NO_REQUESTS,
    queries: [
      [quantile(0.5, 'source', 'volumeter_metadata_request_duration_seconds', AGENTS), '{{source}} p50'],
      [quantile(0.99, 'source', 'volumeter_metadata_request_duration_seconds', AGENTS), '{{source}} p99'],
    ],
  }),
  lines('Bytes of names', {
    size: [8, 8], unit: 'binBps',
    what: 'Bytes of answers to requests for names, as they came over the wire, of all agents: the API server\'s burden.',
    none: NO_REQUESTS, queries: [[rates('source', 'volumeter_metadata_received_bytes_total'), '{{source}}']],
  }),
  lines('Open files', {
    size: [8, 8], unit: 'short',
    what: 'File descriptors that agents hold open, the highest and the median. One that only rises leaks.',
    none: 'no agent answers',
    queries: [[`max(process_open_fds{${JOB}})`, 'highest'], [`quantile(0.5, process_open_fds{${JOB}})`, 'median']],
  }),
];
