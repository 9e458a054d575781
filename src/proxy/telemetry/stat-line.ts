import { Histogram } from "./stats.ts";

/** A line of Envoy's /stats. */
export interface StatLine {
  readonly name: string;
  readonly kind: string;
  readonly value: string;
}

/** Envoy's quantiles. */
const QUANTILES = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1];

/** A value as /stats shows it: histograms by quantiles, of which those of the last interval are not kept. */
export function statText(metric: { readonly value: number } | Histogram): string {
  if (!(metric instanceof Histogram)) return String(metric.value);
  if (metric.count === 0) return "No recorded values";
  return QUANTILES.map((share) => `P${share * 100}(nan,${Number(metric.quantile(share).toPrecision(4))})`).join(" ");
}
