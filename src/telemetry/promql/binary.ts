import type { BinaryExpr } from "./ast.ts";
import { PromqlError } from "./parse.ts";
import { type Sample, type Value, keep, labelKey, omit, withoutName } from "./values.ts";

const ARITHMETIC: Record<string, (a: number, b: number) => number> = {
  "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b, "%": (a, b) => a % b, "^": (a, b) => a ** b, atan2: Math.atan2,
};
const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  "==": (a, b) => a === b, "!=": (a, b) => a !== b, ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
};

/** Applies a binary operator to two values that are scalars or vectors. */
export function applyBinary(expr: BinaryExpr, left: Value, right: Value): Value {
  if (left.type === "scalar" && right.type === "scalar") return { type: "scalar", value: scalars(expr, left.value, right.value) };
  if (left.type === "vector" && right.type === "scalar") return vector(left.samples.flatMap((s) => element(expr, s, s.value, right.value, s.value)));
  if (left.type === "scalar" && right.type === "vector") return vector(right.samples.flatMap((s) => element(expr, s, left.value, s.value, s.value)));
  if (left.type !== "vector" || right.type !== "vector") throw new PromqlError(`binary expression must contain only scalar and instant vector types`);
  if (expr.op === "and" || expr.op === "or" || expr.op === "unless") return vector(sets(expr, left.samples, right.samples));
  return vector(joined(expr, left.samples, right.samples));
}

function scalars(expr: BinaryExpr, a: number, b: number): number {
  const compare = COMPARE[expr.op];
  if (compare) {
    if (!expr.bool) throw new PromqlError("comparisons between scalars must use BOOL modifier");
    return compare(a, b) ? 1 : 0;
  }
  return arithmetic(expr)(a, b);
}

/** One sample against a scalar: comparisons filter and keep `kept`, or give 0 and 1 with `bool`. */
function element(expr: BinaryExpr, sample: Sample, a: number, b: number, kept: number): Sample[] {
  const compare = COMPARE[expr.op];
  if (!compare) return [{ labels: withoutName(sample.labels), value: arithmetic(expr)(a, b) }];
  if (expr.bool) return [{ labels: withoutName(sample.labels), value: compare(a, b) ? 1 : 0 }];
  return compare(a, b) ? [{ labels: sample.labels, value: kept }] : [];
}

function arithmetic(expr: BinaryExpr): (a: number, b: number) => number {
  const apply = ARITHMETIC[expr.op];
  if (!apply) throw new PromqlError(`operator ${expr.op} is not allowed here`);
  return apply;
}

function signature(expr: BinaryExpr, sample: Sample): string {
  return labelKey(expr.on ? keep(sample.labels, expr.labels) : omit(sample.labels, expr.labels));
}

function sets(expr: BinaryExpr, left: Sample[], right: Sample[]): Sample[] {
  const keys = (samples: Sample[]) => new Set(samples.map((s) => signature(expr, s)));
  if (expr.op === "or") {
    const known = keys(left);
    return [...left, ...right.filter((s) => !known.has(signature(expr, s)))];
  }
  const known = keys(right);
  return left.filter((s) => known.has(signature(expr, s)) === (expr.op === "and"));
}

/** One-to-one, or many-to-one with group_left and group_right. */
function joined(expr: BinaryExpr, left: Sample[], right: Sample[]): Sample[] {
  const [many, one] = expr.group === "right" ? [right, left] : [left, right];
  const ones = new Map<string, Sample>();
  for (const sample of one) {
    const key = signature(expr, sample);
    if (ones.has(key)) throw new PromqlError(`found duplicate series for the match group on the ${expr.group === "right" ? "left" : "right"} hand-side of the operation: many-to-many matching not allowed: matching labels must be unique on one side`, "PROMQL_EXECUTION");
    ones.set(key, sample);
  }
  const seen = new Set<string>();
  return many.flatMap((sample) => {
    const key = signature(expr, sample);
    const partner = ones.get(key);
    if (!partner) return [];
    if (!expr.group) {
      if (seen.has(key)) throw new PromqlError("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)", "PROMQL_EXECUTION");
      seen.add(key);
    }
    const [a, b] = expr.group === "right" ? [partner.value, sample.value] : [sample.value, partner.value];
    let labels = withoutName(sample.labels);
    if (!expr.group) labels = expr.on ? keep(labels, expr.labels) : omit(labels, expr.labels);
    else for (const name of expr.include) labels = { ...omit(labels, [name]), ...keep(partner.labels, [name]) };
    const compare = COMPARE[expr.op];
    if (!compare) return [{ labels, value: arithmetic(expr)(a, b) }];
    if (expr.bool) return [{ labels, value: compare(a, b) ? 1 : 0 }];
    return compare(a, b) ? [{ labels: expr.group ? labels : sample.labels, value: a }] : [];
  });
}

const vector = (samples: Sample[]): Value => ({ type: "vector", samples });
