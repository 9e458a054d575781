import type { Range } from "./values.ts";

/** A function of the samples in a window; undefined leaves the series out. Windows are (from, to] in ms. */
export type OverTime = (range: Range, from: number, to: number, parameter: number) => number | undefined;

/**
 * Prometheus' extrapolation: the change between the first and the last sample is stretched to the window's ends, but not
 * by more than half the average distance between samples beyond where there are any, nor below zero for a counter.
 * https://github.com/prometheus/prometheus/blob/main/promql/functions.go (extrapolatedRate)
 */
function extrapolated(range: Range, from: number, to: number, counter: boolean, perSecond: boolean): number | undefined {
  const { times, values } = range;
  const last = times.length - 1;
  if (last < 1) return undefined;
  let change = values[last]! - values[0]!;
  if (counter) for (let i = 1; i <= last; i++) if (values[i]! < values[i - 1]!) change += values[i - 1]!;
  const sampled = (times[last]! - times[0]!) / 1000;
  if (sampled <= 0) return undefined;
  // Runs of equal values have few samples and yet were scraped as often as any.
  const average = Math.min(sampled / last, (range.stepMs ?? Infinity) / 1000);
  let toStart = (times[0]! - from) / 1000;
  let toEnd = (to - times[last]!) / 1000;
  const threshold = average * 1.1;
  if (toStart >= threshold) toStart = average / 2;
  if (counter && change > 0 && values[0]! >= 0) toStart = Math.min(toStart, sampled * (values[0]! / change));
  if (toEnd >= threshold) toEnd = average / 2;
  let factor = (sampled + toStart + toEnd) / sampled;
  if (perSecond) factor /= (to - from) / 1000;
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

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: number[]) => sum(values) / values.length;
const variance = (values: number[]) => {
  const middle = mean(values);
  return mean(values.map((v) => (v - middle) ** 2));
};

/** Least squares over seconds, the value taken at `at`. */
function regression({ times, values }: Range, at: number): { slope: number; intercept: number } | undefined {
  if (times.length < 2) return undefined;
  const x = times.map((t) => (t - at) / 1000);
  const [mx, my] = [mean(x), mean(values)];
  const slope = sum(x.map((v, i) => (v - mx) * (values[i]! - my))) / sum(x.map((v) => (v - mx) ** 2));
  return { slope, intercept: my - slope * mx };
}

/** By name, as in PromQL. Those of `PARAMETER_FIRST` take their scalar before the range. */
export const OVER_TIME: Record<string, OverTime> = {
  rate: (r, from, to) => extrapolated(r, from, to, true, true),
  increase: (r, from, to) => extrapolated(r, from, to, true, false),
  delta: (r, from, to) => extrapolated(r, from, to, false, false),
  irate: (r) => instant(r, true, true),
  idelta: (r) => instant(r, false, false),
  deriv: (r, _from, to) => regression(r, to)?.slope,
  predict_linear: (r, _from, to, seconds) => {
    const line = regression(r, to);
    return line && line.intercept + line.slope * seconds;
  },
  changes: ({ values }) => values.filter((v, i) => i > 0 && v !== values[i - 1]).length,
  resets: ({ values }) => values.filter((v, i) => i > 0 && v < values[i - 1]!).length,
  avg_over_time: ({ values }) => mean(values),
  sum_over_time: ({ values }) => sum(values),
  min_over_time: ({ values }) => Math.min(...values),
  max_over_time: ({ values }) => Math.max(...values),
  count_over_time: ({ values }) => values.length,
  last_over_time: ({ values }) => values.at(-1),
  present_over_time: () => 1,
  stddev_over_time: ({ values }) => Math.sqrt(variance(values)),
  stdvar_over_time: ({ values }) => variance(values),
  quantile_over_time: ({ values }, _from, _to, q) => quantile(q, values),
};

/** Functions that count or weigh samples, and so need each of them. */
export const EVERY_SAMPLE = new Set(["avg_over_time", "sum_over_time", "count_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "deriv", "predict_linear"]);

export const PARAMETER_FIRST = new Set(["quantile_over_time"]);

/** Keeps the metric's name, unlike all others. */
export const KEEPS_NAME = new Set(["last_over_time"]);

export function quantile(q: number, values: number[]): number {
  if (values.length === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = values.toSorted((a, b) => a - b);
  const rank = q * (sorted.length - 1);
  const [low, high] = [Math.floor(rank), Math.ceil(rank)];
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (rank - low);
}
