/** Replaces what differs from run to run by placeholders, so that two answers can be compared. */
import type { Answer } from "./types.ts";

const COMPARED_HEADERS = ["content-type", "warning", "retry-after", "location"] as const;

const RULES: readonly [RegExp, string][] = [
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "<uid>"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/g, "<microtime>"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>"],
  [/\b10\.96\.\d+\.\d+\b/g, "<clusterIP>"],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, "<token>"],
  [/\bkube-api-access-[a-z0-9]{5}\b/g, "kube-api-access-<suffix>"],
  [/\bBad_[a-z0-9]{5}\b/g, "Bad_<suffix>"],
  // A patched document is shown with its fields in one order by one server and in another by the other.
  [/Invalid value: "\{\\"apiVersion(?:[^"\\]|\\.)*"/g, "Invalid value: <document>"],
  [/(Too large resource version: \d+, current: )\d+/g, "$1<rv>"],
  [/(too old resource version: \d+ \()\d+\)/g, "$1<rv>)"],
  [/(the ResourceVersion in the precondition \()\d+(\) does not match the ResourceVersion in record \()\d+/g, "$1<rv>$2<rv>"],
];

/** What our server says of kinds that are only stored: the real one has others act on them. */
const OWN_ADVICE = / in this cluster"$/;

export function maskHeaders(headers: Headers): Answer["headers"] {
  const kept: Answer["headers"] = {};
  for (const name of COMPARED_HEADERS) {
    const value = headers.get(name);
    if (value !== null) kept[name] = maskText(value);
  }
  const warnings =
    headers
      .get("warning")
      ?.split(/, (?=299 - )/)
      .filter((warning) => !OWN_ADVICE.test(warning)) ?? [];
  if (warnings.length > 0) kept.warning = maskText(warnings.join(", "));
  else delete kept.warning;
  return kept;
}

export function maskText(text: string): string {
  const masked = RULES.reduce((so, [pattern, replacement]) => so.replace(pattern, replacement), text);
  // Go's maps have no order.
  return masked.startsWith("failed to create typed patch object") ? masked.split("\n").toSorted().join("\n") : masked;
}

export function maskBody(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return key === "managedFields" ? sorted(value.map((item) => maskBody(item))) : value.map((item) => maskBody(item));
  if (typeof value === "object" && value !== null) return maskObject(value as Record<string, unknown>);
  if (typeof value === "string")
    return key === "resourceVersion" || key === "continue" ? (value === "" || value === "0" ? value : `<${key}>`) : maskText(value);
  if (key === "nodePort" && typeof value === "number" && value !== 0) return "<nodePort>";
  return value;
}

function maskObject(object: Record<string, unknown>): unknown {
  const masked = Object.fromEntries(Object.entries(object).map(([name, item]) => [name, maskBody(item, name)]));
  if (object.kind === "Table") maskTable(masked);
  if (Array.isArray(masked.causes)) masked.causes = distinct(masked.causes);
  const { generateName, name } = masked;
  if (typeof generateName === "string" && typeof name === "string" && name.startsWith(generateName)) masked.name = `${generateName}<suffix>`;
  return masked;
}

/** The real server checks some fields several times over and says so as often. */
function distinct(causes: unknown[]): unknown[] {
  const once = [...new Map(causes.map((cause) => [JSON.stringify(cause), cause])).values()];
  return once.every((cause) => (cause as { reason?: string }).reason === "FieldManagerConflict") ? sorted(once) : once;
}

/** Ages of objects pass while one looks; what a column is for, each server says in its own words. */
function maskTable(table: Record<string, unknown>): void {
  const columns = (table.columnDefinitions ?? null) as { name: string; description: string }[] | null;
  for (const column of columns ?? []) column.description = "<description>";
  for (const row of (table.rows ?? []) as { cells: unknown[] }[]) {
    row.cells = row.cells.map((cell, index) =>
      (columns === null || columns[index]?.name === "Age") && typeof cell === "string" && /^\d+[smhd]/.test(cell) ? "<age>" : cell,
    );
  }
}

/** Managers' entries of one second come in an order that does not matter. */
function sorted(entries: unknown[]): unknown[] {
  const texts = new Map(entries.map((entry) => [entry, JSON.stringify(entry)]));
  return entries.toSorted((a, b) => ((texts.get(a) ?? "") < (texts.get(b) ?? "") ? -1 : 1));
}
