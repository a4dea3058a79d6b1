// What docs/flags.md says that the agent takes; a test of the agent holds that file against its code.
import { text } from './support.mjs';

const page = text('docs/flags.md');
const BOOLEAN = ['`true`', '`false`', 'off'];
/** Flags by name. */
export const flags = new Map([...page.matchAll(/^\| `(--[a-z.-]+)` \| [^|]* \| ([^|]*) \|/gm)].map(([, name, value]) =>
  [name, { boolean: BOOLEAN.includes(value), default: value.replaceAll('`', '') }]));
export const subcommands = [...page.matchAll(/^\| `volumeter ([a-z]+)/gm)].map(([, name]) => name);
/** Paths that are served. */
export const paths = [...page.matchAll(/^\| (`\/[^|]*) \|/gm)].flatMap(([, cell]) => cell.replaceAll('`', '').split(', '));

export const args = ({ spec }) => spec.template.spec.containers[0].args;
