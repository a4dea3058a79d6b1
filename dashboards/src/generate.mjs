// @ts-check
// Writes dashboards/*.json: node dashboards/src/generate.mjs
import { writeFileSync } from 'node:fs';

import { generate } from './all.mjs';

for (const { file, text } of generate()) writeFileSync(file, text);
