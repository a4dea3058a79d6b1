// @ts-check
// Columns that many tables have.
import { AGE, TIME_LEFT, USAGE } from './theme.mjs';

/** @typedef {import('./table.mjs').Column} Column */

/** Usage as a bar, orange from 80 %, red from 90 %. @param {string} name @param {string} expr @returns {Column} */
export const bar = (name, expr) =>
  ({ name, unit: 'percentunit', decimals: 0, width: 110, bar: true, steps: USAGE, expr });
/** The same as a number. @param {string} name @param {string} expr @returns {Column} */
export const percent = (name, expr) => ({ name, unit: 'percentunit', decimals: 0, width: 65, steps: USAGE, expr });
/** @param {string} name @param {string} expr @returns {Column} */
export const bytes = (name, expr) => ({ name, unit: 'bytes', width: 80, expr });
/** How old numbers are. @param {string} name @param {string} expr @returns {Column} */
export const age = (name, expr) => ({ name, unit: 's', decimals: 0, width: 90, steps: AGE, expr });
/** @param {string} name @param {string} expr @returns {Column} */
export const timeLeft = (name, expr) => ({ name, unit: 's', decimals: 1, width: 85, steps: TIME_LEFT, expr });
/** How many a second. @param {string} name @param {string} unit @param {string} expr @returns {Column} */
export const perSecond = (name, unit, expr) =>
  ({ name, unit, width: 95, ...(unit === 'binBps' ? {} : { decimals: 1 }), expr });
