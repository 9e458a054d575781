import { quantile } from "./functions-over-time.ts";
import { PromqlError } from "./parse.ts";
import { type Sample, keep, labelKey, omit } from "./values.ts";

const REDUCE: Record<string, (values: number[]) => number> = {
  sum: (v) => v.reduce((a, b) => a + b, 0),
  avg: (v) => v.reduce((a, b) => a + b, 0) / v.length,
  min: (v) => v.reduce((a, b) => (b < a || Number.isNaN(a) ? b : a)),
  max: (v) => v.reduce((a, b) => (b > a || Number.isNaN(a) ? b : a)),
  count: (v) => v.length,
  group: () => 1,
  stdvar: (v) => variance(v),
  stddev: (v) => Math.sqrt(variance(v)),
};

/** Aggregates an instant vector by or without labels. topk, bottomk and count_values take a parameter. */
export function aggregate(op: string, samples: Sample[], grouping: string[], without: boolean, parameter: number | string | undefined): Sample[] {
  const groups = new Map<string, { labels: Sample["labels"]; members: Sample[] }>();
  for (const sample of samples) {
    const labels = without ? omit(sample.labels, grouping) : keep(sample.labels, grouping);
    const key = labelKey(labels);
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { labels, members: [] }));
    group.members.push(sample);
  }
  const result: Sample[] = [];
  for (const { labels, members } of groups.values()) {
    const values = members.map((m) => m.value);
    if (op === "topk" || op === "bottomk") {
      const sign = op === "topk" ? -1 : 1;
      result.push(...members.toSorted((a, b) => (Number.isNaN(a.value) ? 1 : Number.isNaN(b.value) ? -1 : sign * (a.value - b.value))).slice(0, Math.max(0, Math.trunc(numberOf(parameter)))));
    } else if (op === "quantile") result.push({ labels, value: quantile(numberOf(parameter), values) });
    else if (op === "count_values") {
      const counts = new Map<number, number>();
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
      for (const [value, count] of counts) result.push({ labels: { ...labels, [String(parameter)]: String(value) }, value: count });
    } else {
      const reduce = REDUCE[op];
      if (!reduce) throw new PromqlError(`aggregation ${op} is not supported`);
      result.push({ labels, value: reduce(values) });
    }
  }
  return result;
}

function numberOf(parameter: number | string | undefined): number {
  if (typeof parameter !== "number") throw new PromqlError("expected a scalar parameter in the aggregation");
  return parameter;
}

function variance(values: number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
}
