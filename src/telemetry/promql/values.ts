import type { Labels } from "../store/series.ts";

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
  /** How far apart samples are where some are left out, because they say nothing new. */
  stepMs?: number;
}

export type Value = { type: "scalar"; value: number } | { type: "string"; value: string } | { type: "vector"; samples: Sample[] } | { type: "matrix"; ranges: Range[]; from: number; to: number };

/** A key that is equal for equal labels. */
export function labelKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The labels without the metric's name, as every computed series has them. */
export function withoutName(labels: Labels): Labels {
  if (!("__name__" in labels)) return labels;
  const { __name__: _, ...rest } = labels;
  return rest;
}

export function keep(labels: Labels, names: readonly string[]): Labels {
  const kept: Record<string, string> = {};
  for (const name of names) if (labels[name]) kept[name] = labels[name]!;
  return kept;
}

export function omit(labels: Labels, names: readonly string[]): Labels {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(labels)) if (name !== "__name__" && !names.includes(name)) kept[name] = value;
  return kept;
}
