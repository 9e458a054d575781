import type { AggregateExpr } from "./ast.ts";
import { mean, quantile, sum, variance } from "./statistics.ts";
import { type KeyedLabels, type LabelMemo } from "./label-memo.ts";
import { PromqlError, executionError } from "./promql-error.ts";
import { type Sample, labelKey, printNumber } from "./values.ts";

const REDUCE: Record<string, (values: number[]) => number> = {
  sum,
  avg: mean,
  min: (v) => v.reduce((a, b) => (b < a || Number.isNaN(a) ? b : a)),
  max: (v) => v.reduce((a, b) => (b > a || Number.isNaN(a) ? b : a)),
  count: (v) => v.length,
  group: () => 1,
  stdvar: variance,
  stddev: (v) => Math.sqrt(variance(v)),
};

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Beyond this Go's int64 ends, which Prometheus counts in. */
const MAX_COUNT = 2 ** 63;

/** Aggregates an instant vector by or without labels. topk, bottomk, limitk, quantile and count_values take a parameter. Throws PromqlError. */
export function aggregate(expr: AggregateExpr, samples: Sample[], parameter: number | string | undefined, memo: LabelMemo): Sample[] {
  const { op } = expr;
  const choose = op === "topk" || op === "bottomk" || op === "limitk" ? count(parameter) : undefined;
  if (choose !== undefined && choose < 1) return [];
  const counted = op === "count_values" ? labelName(parameter) : undefined;
  const groups = new Map<KeyedLabels, Sample[]>();
  for (const sample of samples) {
    const group = memo.part(expr, sample.labels, expr.grouping, !expr.without);
    const members = groups.get(group);
    if (members) members.push(sample);
    else groups.set(group, [sample]);
  }
  const result: Sample[] = [];
  for (const [{ labels }, members] of groups) {
    if (choose !== undefined) result.push(...(op === "limitk" ? members : members.toSorted(op === "topk" ? descending : ascending)).slice(0, choose));
    else if (counted !== undefined) result.push(...countValues(members, labels, counted));
    else if (op === "quantile")
      result.push({
        labels,
        value: quantile(
          Number(parameter),
          members.map((m) => m.value),
        ),
      });
    else {
      const reduce = REDUCE[op];
      if (!reduce) throw new PromqlError(`aggregation ${op} is not evaluated here`);
      result.push({ labels, value: reduce(members.map((m) => m.value)) });
    }
  }
  return counted === undefined ? result : merged(result);
}

/** Values that are no numbers come last either way. */
const descending = (a: Sample, b: Sample) => byNumber(a, b) ?? b.value - a.value;
const ascending = (a: Sample, b: Sample) => byNumber(a, b) ?? a.value - b.value;

function byNumber(a: Sample, b: Sample): number | undefined {
  if (a.value === b.value) return 0;
  if (Number.isNaN(a.value)) return Number.isNaN(b.value) ? 0 : 1;
  return Number.isNaN(b.value) ? -1 : undefined;
}

function countValues(members: Sample[], labels: Sample["labels"], name: string): Sample[] {
  const counts = new Map<string, number>();
  for (const { value } of members) counts.set(printNumber(value), (counts.get(printNumber(value)) ?? 0) + 1);
  return [...counts].map(([value, n]) => ({ labels: { ...labels, [name]: value }, value: n }));
}

/** count_values may write over a label that it groups by: what becomes equal is one. */
function merged(samples: Sample[]): Sample[] {
  const byKey = new Map<string, Sample>();
  for (const sample of samples) {
    const key = labelKey(sample.labels);
    const known = byKey.get(key);
    if (known) known.value += sample.value;
    else byKey.set(key, sample);
  }
  return [...byKey.values()];
}

function count(parameter: number | string | undefined): number {
  const value = Number(parameter);
  if (Number.isNaN(value) || Math.abs(value) >= MAX_COUNT) throw executionError(`Scalar value ${value} overflows int64`);
  return Math.trunc(value);
}

function labelName(parameter: number | string | undefined): string {
  if (typeof parameter !== "string" || !LABEL_NAME.test(parameter)) throw executionError(`invalid label name ${JSON.stringify(parameter)}`);
  return parameter;
}
