import { type Sample, labelKey, omit } from "./values.ts";

interface Bucket {
  le: number;
  count: number;
}

/**
 * The φ-quantile of classic histograms: linear inside the bucket it falls in, the highest finite bound beyond.
 * https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
 */
export function histogramQuantile(q: number, buckets: readonly Sample[]): Sample[] {
  const groups = new Map<string, { labels: Sample["labels"]; buckets: Bucket[] }>();
  for (const { labels, value } of buckets) {
    const le = bound(labels.le);
    if (le === undefined) continue;
    // With the metric's name: what becomes equal without it is a mistake that the caller finds.
    const key = labelKey(labels, "le");
    const group = groups.get(key);
    if (group) group.buckets.push({ le, count: value });
    else groups.set(key, { labels: omit(labels, ["le"]), buckets: [{ le, count: value }] });
  }
  return [...groups.values()].map((group) => ({ labels: group.labels, value: bucketQuantile(q, group.buckets) }));
}

function bound(le: string | undefined): number | undefined {
  if (le === undefined || le.trim() === "") return undefined;
  if (/^[+]?inf$/i.test(le)) return Infinity;
  if (/^-inf$/i.test(le)) return -Infinity;
  const value = Number(le);
  return Number.isNaN(value) ? undefined : value;
}

function bucketQuantile(q: number, unsorted: Bucket[]): number {
  if (Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  unsorted.sort((a, b) => a.le - b.le);
  if (unsorted.at(-1)?.le !== Infinity) return NaN;
  const buckets = coalesced(unsorted);
  if (buckets.length < 2) return NaN;
  // Scrapes of different pods may be a moment apart: a smaller count above a larger one is taken as equal.
  for (let i = 1; i < buckets.length; i++) buckets[i]!.count = Math.max(buckets[i]!.count, buckets[i - 1]!.count);
  const total = buckets.at(-1)!.count;
  if (total === 0 || Number.isNaN(total)) return NaN;
  const rank = q * total;
  const index = buckets.findIndex((b, i) => i === buckets.length - 1 || b.count >= rank);
  const bucket = buckets[index]!;
  if (index === buckets.length - 1) return buckets[index - 1]!.le;
  if (index === 0 && bucket.le <= 0) return bucket.le;
  const below = buckets[index - 1] ?? { le: 0, count: 0 };
  return below.le + (bucket.le - below.le) * ((rank - below.count) / (bucket.count - below.count));
}

/** Bounds that are written in two ways are one. */
function coalesced(sorted: readonly Bucket[]): Bucket[] {
  const buckets: Bucket[] = [];
  for (const { le, count } of sorted) {
    const last = buckets.at(-1);
    if (last?.le === le) last.count += count;
    else buckets.push({ le, count });
  }
  return buckets;
}
