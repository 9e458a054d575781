import { type Labels, labelOf } from "../store/series.ts";

/** One element of an instant vector. */
export interface Sample {
  labels: Labels;
  value: number;
}

/** One series over a window; times in ms, ascending. */
export interface Range {
  labels: Labels;
  times: number[];
  values: number[];
  /** How many samples it stands for: of a run of equal values only the ends may be there. */
  count: number;
}

export type Value = { type: "scalar"; value: number } | { type: "string"; value: string } | { type: "vector"; samples: Sample[] } | MatrixValue;

export interface MatrixValue {
  type: "matrix";
  ranges: Range[];
  from: number;
  to: number;
}

/** A key that is equal for equal labels, `except` for one. */
export function labelKey(labels: Labels, except?: string): string {
  let key = "";
  for (const name of sortedNames(labels)) if (name !== except) key += `${name}\u0001${labels[name]}\u0000`;
  return key;
}

/** Most labels are in order already: those of the store, and what grouping makes of them. */
function sortedNames(labels: Labels): string[] {
  const names = Object.keys(labels);
  for (let i = 1; i < names.length; i++) if (names[i - 1]! > names[i]!) return names.sort();
  return names;
}

/** The labels without the metric's name, as every computed series has them. */
export function withoutName(labels: Labels): Labels {
  if (labels.__name__ === undefined) return labels;
  const { __name__: _, ...rest } = labels;
  return rest;
}

export function keep(labels: Labels, names: readonly string[]): Labels {
  const kept: Record<string, string> = {};
  for (const name of names) {
    const value = labelOf(labels, name);
    if (value) kept[name] = value;
  }
  return kept;
}

export function omit(labels: Labels, names: readonly string[]): Labels {
  const kept: Record<string, string> = {};
  for (const name of Object.keys(labels)) if (name !== "__name__" && !names.includes(name)) kept[name] = labels[name]!;
  return kept;
}

/** Labels as Prometheus prints them: by name, quoted. */
export function printLabels(labels: Labels): string {
  return `{${Object.keys(labels)
    .sort()
    .map((name) => `${name}=${JSON.stringify(labels[name])}`)
    .join(", ")}}`;
}

/** A number as Go's strconv prints it with format 'f': never with an exponent. */
export function printNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  if (Object.is(value, -0)) return "-0";
  const text = String(value);
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!match) return text;
  const [, sign, whole, fraction = "", exponent] = match;
  const digits = `${whole}${fraction}`;
  const point = whole!.length + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return point >= digits.length ? `${sign}${digits}${"0".repeat(point - digits.length)}` : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
