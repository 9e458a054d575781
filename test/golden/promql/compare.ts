/** Tells whether two answers of Prometheus' API say the same, within rounding. */

/** An answer, as the HTTP API has it. */
export interface Answer {
  status: number;
  errorType?: string;
  error?: string;
  resultType?: string;
  result?: unknown;
}

interface Row {
  metric: Record<string, string>;
  value?: [number, string];
  values?: [number, string][];
}

/** Sums may be taken in another order: what differs less than this, relative to the value, is rounding. */
const TOLERANCE = 1e-9;

/** What differs, in words; undefined when nothing does. `ordered` compares the order of rows too; `tolerance` is relative. */
export function difference(query: string, theirs: Answer, ours: Answer, tolerance = TOLERANCE): string | undefined {
  if (theirs.status !== ours.status || theirs.errorType !== ours.errorType)
    return `${theirs.status} ${theirs.errorType ?? ""} ${theirs.error ?? ""} <> ${ours.status} ${ours.errorType ?? ""} ${ours.error ?? ""}`;
  if (theirs.errorType !== undefined) return undefined;
  if (theirs.resultType !== ours.resultType) return `${theirs.resultType} <> ${ours.resultType}`;
  if (theirs.resultType === "scalar" || theirs.resultType === "string")
    return points([theirs.result as [number, string]], [ours.result as [number, string]], tolerance);
  const [a, b] = [theirs.result as Row[], ours.result as Row[]];
  if (a.length !== b.length) return `${a.length} rows <> ${b.length}: ${rows(a)} <> ${rows(b)}`;
  const ordered = /^(?:sort|sort_desc|topk\(\d+, temperature)\b/.test(query) || theirs.resultType === "matrix";
  const known = new Map(b.map((row, index) => [key(row), { row, index }]));
  for (const [index, row] of a.entries()) {
    const other = known.get(key(row));
    if (!other) return `${key(row)} is missing: ${rows(b)}`;
    // What is equal or no number has no order.
    if (ordered && other.index !== index && theirs.resultType === "vector" && !same(row.value![1], b[index]!.value![1], tolerance))
      return `${key(row)} is row ${index} <> ${other.index}`;
    const different = points(row.values ?? [row.value!], other.row.values ?? [other.row.value!], tolerance);
    if (different) return `${key(row)}: ${different}`;
  }
  return undefined;
}

function points(a: [number, string][], b: [number, string][], tolerance: number): string | undefined {
  if (a.length !== b.length) return `${a.length} points <> ${b.length}`;
  const index = a.findIndex(([time, value], i) => Math.abs(time - b[i]![0]) > 0.0011 || !same(value, b[i]![1], tolerance));
  return index < 0 ? undefined : `${a[index]!.join(" ")} <> ${b[index]!.join(" ")}`;
}

function same(a: string, b: string, tolerance: number): boolean {
  if (a === b) return true;
  const [x, y] = [Number(a.replace("Inf", "Infinity")), Number(b.replace("Inf", "Infinity"))];
  return Math.abs(x - y) <= tolerance * Math.max(Math.abs(x), Math.abs(y), 1e-12);
}

function key({ metric }: Row): string {
  return Object.keys(metric)
    .sort()
    .map((name) => `${name}=${metric[name]}`)
    .join(",");
}

const rows = (all: Row[]) => JSON.stringify(all).slice(0, 300);
