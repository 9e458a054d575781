/** The sum with Neumaier's compensation: long windows of small values lose nothing. */
export function sum(values: readonly number[]): number {
  let total = 0;
  let lost = 0;
  for (const value of values) {
    const next = total + value;
    // Once infinite, there is nothing to compensate.
    if (Number.isFinite(next)) lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return Number.isFinite(total) ? total + lost : total;
}

/** The mean, by shares where the sum would leave the range of numbers. */
export function mean(values: readonly number[]): number {
  const total = sum(values);
  if (Number.isFinite(total) || values.some((value) => !Number.isFinite(value))) return total / values.length;
  return sum(values.map((value) => value / values.length));
}

/** The variance of the values as a whole population. */
export function variance(values: readonly number[]): number {
  const middle = mean(values);
  return mean(values.map((value) => (value - middle) ** 2));
}

/** The φ-quantile between the nearest ranks; ±Inf outside of 0…1. Values that are no numbers count as smallest. */
export function quantile(q: number, values: readonly number[]): number {
  if (values.length === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = values.toSorted((a, b) => (Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : a - b));
  const rank = q * (sorted.length - 1);
  const low = Math.floor(rank);
  const weight = rank - low;
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! * (1 - weight) + sorted[high]! * weight;
}

/** Least squares over seconds; the intercept is the value at `at` (ms). */
export function regression(times: readonly number[], values: readonly number[], at: number): { slope: number; intercept: number } | undefined {
  const first = values[0];
  if (times.length < 2 || first === undefined) return undefined;
  if (values.every((value) => value === first)) return Number.isFinite(first) ? { slope: 0, intercept: first } : { slope: NaN, intercept: NaN };
  const x = times.map((time) => (time - at) / 1000);
  const [mx, my] = [mean(x), mean(values)];
  const slope = sum(x.map((v, i) => (v - mx) * (values[i]! - my))) / sum(x.map((v) => (v - mx) ** 2));
  return { slope, intercept: my - slope * mx };
}

/** Holt's double exponential smoothing: `smoothing` weighs new values, `trend` new slopes. */
export function doubleExponential(values: readonly number[], smoothing: number, trend: number): number | undefined {
  if (values.length < 2) return undefined;
  let [before, level] = [0, values[0]!];
  let slope = values[1]! - values[0]!;
  for (let i = 1; i < values.length; i++) {
    if (i > 1) slope = trend * (level - before) + (1 - trend) * slope;
    before = level;
    level = smoothing * values[i]! + (1 - smoothing) * (level + slope);
  }
  return level;
}
