import { PromqlError } from "./parse.ts";
import { type Sample, labelKey, omit, withoutName } from "./values.ts";

/** Functions of one number, applied to each sample; further scalar arguments follow. */
export const ELEMENTWISE: Record<string, (value: number, ...args: number[]) => number> = {
  abs: Math.abs, ceil: Math.ceil, floor: Math.floor, exp: Math.exp, ln: Math.log, log2: Math.log2, log10: Math.log10, sqrt: Math.sqrt, sgn: Math.sign,
  sin: Math.sin, cos: Math.cos, tan: Math.tan, asin: Math.asin, acos: Math.acos, atan: Math.atan, sinh: Math.sinh, cosh: Math.cosh, tanh: Math.tanh,
  deg: (v) => (v * 180) / Math.PI,
  rad: (v) => (v * Math.PI) / 180,
  // Ties go up, as Prometheus has it; dividing keeps 0.001 exact.
  round: (v, to = 1) => Math.floor(v * (1 / to) + 0.5) / (1 / to),
  clamp: (v, low = -Infinity, high = Infinity) => (low > high ? NaN : Math.max(low, Math.min(high, v))),
  clamp_min: (v, low = -Infinity) => Math.max(low, v),
  clamp_max: (v, high = Infinity) => Math.min(high, v),
  minute: (v) => new Date(v * 1000).getUTCMinutes(),
  hour: (v) => new Date(v * 1000).getUTCHours(),
  day_of_week: (v) => new Date(v * 1000).getUTCDay(),
  day_of_month: (v) => new Date(v * 1000).getUTCDate(),
  day_of_year: (v) => Math.floor((v * 1000 - Date.UTC(new Date(v * 1000).getUTCFullYear(), 0, 1)) / 86_400_000) + 1,
  days_in_month: (v) => new Date(Date.UTC(new Date(v * 1000).getUTCFullYear(), new Date(v * 1000).getUTCMonth() + 1, 0)).getUTCDate(),
  month: (v) => new Date(v * 1000).getUTCMonth() + 1,
  year: (v) => new Date(v * 1000).getUTCFullYear(),
};

/**
 * The φ-quantile of classic histograms: linear inside the bucket it falls in, the highest finite bound beyond.
 * https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
 */
export function histogramQuantile(q: number, buckets: Sample[]): Sample[] {
  const groups = new Map<string, { labels: Sample["labels"]; bounds: { le: number; count: number }[] }>();
  for (const { labels, value } of buckets) {
    const le = labels.le === "+Inf" ? Infinity : Number(labels.le);
    if (labels.le === undefined || Number.isNaN(le)) continue;
    const rest = omit(labels, ["le"]);
    const key = labelKey(rest);
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { labels: rest, bounds: [] }));
    group.bounds.push({ le, count: value });
  }
  return [...groups.values()].map(({ labels, bounds }) => ({ labels, value: bucketQuantile(q, bounds) }));
}

function bucketQuantile(q: number, bounds: { le: number; count: number }[]): number {
  if (Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  bounds.sort((a, b) => a.le - b.le);
  if (bounds.length < 2 || bounds.at(-1)!.le !== Infinity) return NaN;
  // Scrapes of different pods may be a moment apart: a smaller count above a larger one is taken as equal.
  for (let i = 1; i < bounds.length; i++) bounds[i]!.count = Math.max(bounds[i]!.count, bounds[i - 1]!.count);
  const total = bounds.at(-1)!.count;
  if (!(total > 0)) return NaN;
  let rank = q * total;
  const index = bounds.findIndex((b) => b.count >= rank);
  if (index === bounds.length - 1) return bounds[index - 1]!.le;
  if (index === 0 && bounds[0]!.le <= 0) return bounds[0]!.le;
  const start = index > 0 ? bounds[index - 1]!.le : 0;
  const below = index > 0 ? bounds[index - 1]!.count : 0;
  rank -= below;
  return start + (bounds[index]!.le - start) * (rank / (bounds[index]!.count - below));
}

export function labelReplace(samples: Sample[], target: string, replacement: string, source: string, pattern: string): Sample[] {
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${pattern})$`, "s");
  } catch (cause) {
    throw new PromqlError(`invalid regular expression in label_replace(): ${pattern} (${String(cause)})`);
  }
  // $1 and ${1} as in Go; JavaScript knows only the first form.
  const template = replacement.replace(/\$\{(\w+)\}/g, (_, name: string) => (/^\d+$/.test(name) ? `$${name}` : `$<${name}>`));
  return samples.map((sample) => {
    const value = sample.labels[source] ?? "";
    return expression.test(value) ? { ...sample, labels: withLabel(sample.labels, target, value.replace(expression, template)) } : sample;
  });
}

export function labelJoin(samples: Sample[], target: string, separator: string, sources: string[]): Sample[] {
  return samples.map((sample) => ({ ...sample, labels: withLabel(sample.labels, target, sources.map((name) => sample.labels[name] ?? "").join(separator)) }));
}

function withLabel(labels: Sample["labels"], name: string, value: string): Sample["labels"] {
  const { [name]: _, ...rest } = labels;
  return value === "" ? rest : { ...rest, [name]: value };
}

export const mapValues = (samples: Sample[], change: (value: number) => number): Sample[] =>
  samples.map((sample) => ({ labels: withoutName(sample.labels), value: change(sample.value) }));
