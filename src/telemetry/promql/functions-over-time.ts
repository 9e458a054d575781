import { executionError } from "./promql-error.ts";
import { doubleExponential, mean, quantile, regression, sum, variance } from "./statistics.ts";
import type { Range } from "./values.ts";

/** The window that a range was taken from, in ms, and the moment that the query is evaluated at. */
export interface Window {
  from: number;
  to: number;
  at: number;
}

/** A function of the samples in a window; undefined leaves the series out. */
export type OverTime = (range: Range, window: Window, ...parameters: number[]) => number | undefined;

/**
 * Prometheus' extrapolation: the change between the first and the last sample is stretched to the window's ends, but not
 * by more than half the average distance between samples beyond where there are any, nor below zero for a counter.
 * https://github.com/prometheus/prometheus/blob/v2.42.0/promql/functions.go (extrapolatedRate)
 */
function extrapolated(range: Range, { from, to }: Window, counter: boolean, perSecond: boolean): number | undefined {
  const { times, values } = range;
  const last = times.length - 1;
  if (last < 1) return undefined;
  let change = values[last]! - values[0]!;
  if (counter) for (let i = 1; i <= last; i++) if (values[i]! < values[i - 1]!) change += values[i - 1]!;
  const sampled = (times[last]! - times[0]!) / 1000;
  if (sampled <= 0) return undefined;
  const average = sampled / (range.count - 1);
  let toStart = (times[0]! - from) / 1000;
  const toEnd = (to - times[last]!) / 1000;
  if (counter && change > 0 && values[0]! >= 0) toStart = Math.min(toStart, sampled * (values[0]! / change));
  const threshold = average * 1.1;
  const covered = sampled + (toStart < threshold ? toStart : average / 2) + (toEnd < threshold ? toEnd : average / 2);
  const factor = covered / sampled / (perSecond ? (to - from) / 1000 : 1);
  return change * factor;
}

function instant(range: Range, counter: boolean, perSecond: boolean): number | undefined {
  const last = range.times.length - 1;
  if (last < 1) return undefined;
  const [before, after] = [range.values[last - 1]!, range.values[last]!];
  const change = counter && after < before ? after : after - before;
  const seconds = (range.times[last]! - range.times[last - 1]!) / 1000;
  return seconds <= 0 ? undefined : perSecond ? change / seconds : change;
}

/** The greatest or the smallest; values that are no numbers give way. */
function extreme(values: readonly number[], beats: (a: number, b: number) => boolean): number {
  let best = values[0]!;
  for (const value of values) if (beats(value, best) || Number.isNaN(best)) best = value;
  return best;
}

function holtWinters({ values }: Range, _window: Window, smoothing: number, trend: number): number | undefined {
  if (!(smoothing > 0 && smoothing < 1)) throw executionError(`invalid smoothing factor. Expected: 0 < sf < 1, got: ${smoothing.toFixed(6)}`);
  if (!(trend > 0 && trend < 1)) throw executionError(`invalid trend factor. Expected: 0 < tf < 1, got: ${trend.toFixed(6)}`);
  return doubleExponential(values, smoothing, trend);
}

/** By name, as in PromQL. */
export const OVER_TIME: Readonly<Record<string, OverTime>> = {
  rate: (r, window) => extrapolated(r, window, true, true),
  increase: (r, window) => extrapolated(r, window, true, false),
  delta: (r, window) => extrapolated(r, window, false, false),
  irate: (r) => instant(r, true, true),
  idelta: (r) => instant(r, false, false),
  deriv: ({ times, values }) => regression(times, values, times[0] ?? 0)?.slope,
  predict_linear: ({ times, values }, { at }, seconds = NaN) => {
    const line = regression(times, values, at);
    return line && line.intercept + line.slope * seconds;
  },
  holt_winters: (range, window, smoothing = NaN, trend = NaN) => holtWinters(range, window, smoothing, trend),
  double_exponential_smoothing: (range, window, smoothing = NaN, trend = NaN) => holtWinters(range, window, smoothing, trend),
  changes: ({ values }) => values.filter((v, i) => i > 0 && v !== values[i - 1] && !(Number.isNaN(v) && Number.isNaN(values[i - 1]))).length,
  resets: ({ values }) => values.filter((v, i) => i > 0 && v < values[i - 1]!).length,
  avg_over_time: ({ values }) => mean(values),
  sum_over_time: ({ values }) => sum(values),
  min_over_time: ({ values }) => extreme(values, (a, b) => a < b),
  max_over_time: ({ values }) => extreme(values, (a, b) => a > b),
  count_over_time: ({ count }) => count,
  first_over_time: ({ values }) => values[0],
  last_over_time: ({ values }) => values.at(-1),
  present_over_time: () => 1,
  stddev_over_time: ({ values }) => Math.sqrt(variance(values)),
  stdvar_over_time: ({ values }) => variance(values),
  mad_over_time: ({ values }) => {
    const median = quantile(0.5, values);
    return quantile(
      0.5,
      values.map((v) => Math.abs(v - median)),
    );
  },
  quantile_over_time: ({ values }, _window, q = NaN) => quantile(q, values),
};

/** Functions that weigh samples, and so need each of them, not only the ends of runs of equal values. */
export const EVERY_SAMPLE: ReadonlySet<string> = new Set([
  "avg_over_time",
  "sum_over_time",
  "stddev_over_time",
  "stdvar_over_time",
  "mad_over_time",
  "quantile_over_time",
  "deriv",
  "predict_linear",
  "holt_winters",
  "double_exponential_smoothing",
]);

/** Keep the metric's name, unlike all others. */
export const KEEPS_NAME: ReadonlySet<string> = new Set(["first_over_time", "last_over_time"]);
