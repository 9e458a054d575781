import { Histogram, type StatSample } from "../telemetry/stats.ts";
import type { SentSample } from "./messages.ts";

export function sendSamples(samples: Iterable<StatSample>): SentSample[] {
  return [...samples].map(({ name, kind, labels, metric, dotted }) =>
    metric instanceof Histogram
      ? { name, kind, labels, dotted, value: metric.count, histogram: { bounds: metric.bounds, counts: [...metric.counts], sum: metric.sum } }
      : { name, kind, labels, dotted, value: metric.value },
  );
}

/** Sums of what each process has counted. Of what is the same everywhere (configuration), the first process's word counts. */
export function mergeSamples(own: Iterable<StatSample>, others: readonly (readonly SentSample[])[]): StatSample[] {
  const merged = new Map<string, StatSample>();
  for (const sample of own) merged.set(`${sample.name}{${sample.labels}`, copy(sample));
  for (const samples of others) {
    for (const sent of samples) {
      const key = `${sent.name}{${sent.labels}`;
      const known = merged.get(key);
      if (!known) merged.set(key, received(sent));
      else if (!SAME_EVERYWHERE.test(sent.name)) add(known, sent);
    }
  }
  return [...merged.values()];
}

/** Numbers of resources, and flags: each process has all of them. */
const SAME_EVERYWHERE = /^envoy_(?:listener_manager|cluster_manager)_|^envoy_cluster_membership_|_build$|_open$/;

type Summed = { value: number };

function copy({ name, kind, labels, metric, dotted }: StatSample): StatSample {
  if (!(metric instanceof Histogram)) return { name, kind, labels, metric: { value: metric.value }, ...(dotted !== undefined && { dotted }) };
  const histogram = new Histogram(metric.bounds);
  histogram.counts.set(metric.counts);
  histogram.count = metric.count;
  histogram.sum = metric.sum;
  return { name, kind, labels, metric: histogram, ...(dotted !== undefined && { dotted }) };
}

function received({ name, kind, labels, dotted, value, histogram }: SentSample): StatSample {
  const base = { name, kind, labels, ...(dotted !== undefined && { dotted }) };
  if (!histogram) return { ...base, metric: { value } };
  const metric = new Histogram(histogram.bounds);
  metric.counts.set(histogram.counts);
  metric.count = value;
  metric.sum = histogram.sum;
  return { ...base, metric };
}

function add(known: StatSample, sent: SentSample): void {
  const { metric } = known;
  if (!(metric instanceof Histogram)) {
    (metric as Summed).value += sent.value;
    return;
  }
  for (const [index, count] of (sent.histogram?.counts ?? []).entries()) metric.counts[index] = (metric.counts[index] ?? 0) + count;
  metric.count += sent.value;
  metric.sum += sent.histogram?.sum ?? 0;
}
