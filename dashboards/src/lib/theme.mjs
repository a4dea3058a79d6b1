// @ts-check
// Colours that people with any colour vision can tell apart (Okabe and Ito), thresholds, and the words
// that stand beside each colour.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';

export const BLUE = '#0072B2';
export const SKY = '#56B4E9';
export const ORANGE = '#E69F00';
export const RED = '#D55E00';
export const GREEN = '#009E73';
export const PURPLE = '#CC79A7';
export const GREY = '#8E8E8E';
/** The theme's own colour of text, dark or light. */
export const PLAIN = 'text';

/** Of ten, as of the last digits of ordinals: those, and three of Paul Tol's that differ from them. */
export const DIGITS = [BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY, '#DDCC77', '#882255', '#44AA99'];

/** @typedef {[number | null, string][]} Steps */

/** @type {Steps} Where the alerts begin: 80 % warns, 90 % pages. */
export const USAGE = [[null, BLUE], [0.8, ORANGE], [0.9, RED]];
/** @type {Steps} */
export const NEUTRAL = [[null, BLUE]];
/** @type {Steps} Any is bad. */
export const NONE_IS_GOOD = [[null, BLUE], [1, RED]];
/** @type {Steps} Any deserves a look. */
export const FEW_IS_GOOD = [[null, BLUE], [1, ORANGE]];
/** @type {Steps} */
export const ONE_IS_GOOD = [[null, RED], [1, BLUE]];
/** @type {Steps} The forecasts' alerts: a day, and four hours. */
export const TIME_LEFT = [[null, RED], [4 * 3600, ORANGE], [24 * 3600, BLUE]];
/** @type {Steps} From 180 s on VolumeterMeasurementStale counts. */
export const AGE = [[null, BLUE], [60, ORANGE], [180, RED]];
/** @type {Steps} The floors of VolumeterVolumeSyncSlow and VolumeterVolumeIoSlow. */
export const LATENCY = [[null, BLUE], [0.025, ORANGE], [0.05, RED]];
/** @type {Steps} Times what is usual: from three on VolumeterVolumeSyncSlow counts. */
export const TIMES_USUAL = [[null, BLUE], [2, ORANGE], [3, RED]];

/** @param {Steps} steps */
export function thresholds(steps) {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps(steps.map(([value, color]) => ({ value, color })));
}

/**
 * Words for values.
 * @param {Record<string, [string, string]>} words value -> [text, colour]
 * @returns {dashboard.ValueMapping[]}
 */
export function words(words) {
  const options = Object.entries(words).map(
    ([value, [text, color]], index) => /** @type {const} */ ([value, { text, color, index }]));
  return [{ type: dashboard.MappingType.ValueToText, options: Object.fromEntries(options) }];
}

/**
 * What is unknown is grey, not the colour of the lowest step, which may be red.
 * @type {dashboard.ValueMapping}
 */
export const UNKNOWN = {
  type: dashboard.MappingType.SpecialValue,
  options: { match: dashboard.SpecialValueMatch.NullAndNan, result: { color: GREY } },
};

/**
 * The state of a claim, as state() in promql.mjs tells it, worst last.
 * @type {[string, string][]}
 */
export const STATES = [
  ['ok', BLUE],
  ['new errors', ORANGE],
  ['probe fails', RED],
  ['read-only', RED],
  ['wrong mount', RED],
  ['not mounted', RED],
  ['writes hang', RED],
  ['hangs', RED],
];
export const STATE = words(Object.fromEntries(STATES.map((state, value) => [value, state])));
export const YES = words({ 0: ['no', BLUE], 1: ['yes', RED] });
