// @ts-check
// The dashboards, and their files.
import { fileURLToPath } from 'node:url';

import agent from './agent.mjs';
import claim from './claim.mjs';
import fleet from './fleet.mjs';
import node from './node.mjs';
import probe from './probe.mjs';
import statefulset from './statefulset.mjs';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** What the files should hold. @returns {{file: string, text: string}[]} */
export function generate() {
  return [fleet, claim, node, statefulset, probe, agent].map((make) => {
    const dashboard = make();
    return { file: `${FOLDER}${dashboard.uid}.json`, text: `${JSON.stringify(dashboard, null, 2)}\n` };
  });
}
