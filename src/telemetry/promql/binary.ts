import { labelOf } from "../store/series.ts";
import type { BinaryExpr } from "./ast.ts";
import type { LabelMemo } from "./label-memo.ts";
import { PromqlError, executionError } from "./promql-error.ts";
import { type Sample, type Value, labelKey, printLabels } from "./values.ts";

const ARITHMETIC: Record<string, (a: number, b: number) => number> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "^": power,
  atan2: Math.atan2,
};
const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  ">": (a, b) => a > b,
  "<": (a, b) => a < b,
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
};

/** Applies a binary operator to two values that are scalars or vectors. Throws PromqlError. */
export function applyBinary(expr: BinaryExpr, left: Value, right: Value, memo: LabelMemo): Value {
  if (left.type === "scalar" && right.type === "scalar") return { type: "scalar", value: scalars(expr, left.value, right.value) };
  if (left.type === "vector" && right.type === "scalar") return vector(withScalar(expr, left.samples, memo, (s) => [s.value, right.value]));
  if (left.type === "scalar" && right.type === "vector") return vector(withScalar(expr, right.samples, memo, (s) => [left.value, s.value]));
  if (left.type !== "vector" || right.type !== "vector") throw new PromqlError("binary expression must contain only scalar and instant vector types");
  if (expr.op === "and" || expr.op === "or" || expr.op === "unless") return vector(sets(expr, left.samples, right.samples, memo));
  return vector(joined(expr, left.samples, right.samples, memo));
}

function scalars(expr: BinaryExpr, a: number, b: number): number {
  const compare = COMPARE[expr.op];
  return compare ? (compare(a, b) ? 1 : 0) : arithmetic(expr)(a, b);
}

/** Samples against a scalar: comparisons filter and keep the sample, or give 0 and 1 with `bool`. */
function withScalar(expr: BinaryExpr, samples: Sample[], memo: LabelMemo, operands: (sample: Sample) => [number, number]): Sample[] {
  const compare = COMPARE[expr.op];
  if (compare && !expr.bool) return samples.filter((sample) => compare(...operands(sample)));
  const apply = compare ? (a: number, b: number) => (compare(a, b) ? 1 : 0) : arithmetic(expr);
  return samples.map((sample) => ({ labels: memo.unnamed(sample.labels), value: apply(...operands(sample)) }));
}

function arithmetic(expr: BinaryExpr): (a: number, b: number) => number {
  const apply = ARITHMETIC[expr.op];
  if (!apply) throw new PromqlError(`operator ${expr.op} is not allowed here`);
  return apply;
}

function sets(expr: BinaryExpr, left: Sample[], right: Sample[], memo: LabelMemo): Sample[] {
  const signature = (sample: Sample) => memo.part(expr, sample.labels, expr.labels, expr.on).key;
  const keys = (samples: Sample[]) => new Set(samples.map(signature));
  if (expr.op === "or") {
    const known = keys(left);
    return [...left, ...right.filter((s) => !known.has(signature(s)))];
  }
  const known = keys(right);
  return left.filter((s) => known.has(signature(s)) === (expr.op === "and"));
}

/** One-to-one, or many-to-one with group_left and group_right. */
function joined(expr: BinaryExpr, left: Sample[], right: Sample[], memo: LabelMemo): Sample[] {
  const [many, one] = expr.group === "right" ? [right, left] : [left, right];
  const ones = new Map<string, Sample>();
  const part = (sample: Sample) => memo.part(expr, sample.labels, expr.labels, expr.on);
  for (const sample of one) {
    const { key, labels } = part(sample);
    const other = ones.get(key);
    if (other)
      throw executionError(
        `found duplicate series for the match group ${printLabels(labels)} on the ${expr.group === "right" ? "left" : "right"} hand-side of the operation: [${printLabels(other.labels)}, ${printLabels(sample.labels)}];many-to-many matching not allowed: matching labels must be unique on one side`,
      );
    ones.set(key, sample);
  }
  const compare = COMPARE[expr.op];
  const apply = compare ? undefined : arithmetic(expr);
  const seen = new Set<string>();
  const results: Sample[] = [];
  for (const sample of many) {
    const group = part(sample);
    const partner = ones.get(group.key);
    if (!partner) continue;
    const [a, b] = expr.group === "right" ? [partner.value, sample.value] : [sample.value, partner.value];
    const holds = compare?.(a, b);
    if (holds === false && !expr.bool) continue;
    const value = apply ? apply(a, b) : expr.bool ? (holds ? 1 : 0) : a;
    // A comparison keeps the name of what it lets through; on(…) leaves only what it names.
    let labels = compare && !expr.bool ? sample.labels : memo.unnamed(sample.labels);
    if (!expr.group) {
      if (seen.has(group.key)) throw executionError("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
      seen.add(group.key);
      if (expr.on || labels.__name__ === undefined) labels = group.labels;
      else if (expr.labels.length > 0) labels = { ...group.labels, ...(expr.labels.includes("__name__") ? {} : { __name__: labels.__name__ }) };
    } else {
      if (expr.include.length > 0) labels = including(labels, partner.labels, expr.include);
      const key = labelKey(labels);
      if (seen.has(key)) throw executionError("multiple matches for labels: grouping labels must ensure unique matches");
      seen.add(key);
    }
    results.push({ labels, value });
  }
  return results;
}

/** The labels with those of the "one" side that group_left or group_right names; what that side has not goes. */
function including(labels: Sample["labels"], partner: Sample["labels"], names: readonly string[]): Sample["labels"] {
  const merged: Record<string, string> = { ...labels };
  for (const name of names) {
    const value = labelOf(partner, name);
    if (value) merged[name] = value;
    else delete merged[name];
  }
  return merged;
}

/** As IEEE and Go have it: 1 to any power is 1, and −1 to an infinite one too. */
function power(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && Math.abs(exponent) === Infinity)) return 1;
  return base ** exponent;
}

const vector = (samples: Sample[]): Value => ({ type: "vector", samples });
