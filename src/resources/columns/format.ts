/** How kubectl's tables write ages, labels and selectors: the same texts as Kubernetes' printers. */
import type { Column, KubeObject, LabelSelector } from "../types.ts";

export type Cell = string | number | boolean | null;

/** One column. `priority` 1 is shown with -o wide only. */
export function column(name: string, type: Column["type"], description: string, cell: (object: KubeObject, now: number) => Cell, priority = 0): Column {
  return { name, type, description, priority, cell };
}

export const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "unique within its namespace",
  priority: 0,
  cell: (o) => o.metadata.name,
};
export const ageColumn = column("Age", "string", "time since creation", (o, now) => since(o.metadata.creationTimestamp, now));
/** What kinds without columns of their own show, and CustomResourceDefinitions. */
export const createdAtColumn = column("Created At", "date", "when the object was created", (o) => o.metadata.creationTimestamp ?? null);

/** A duration in milliseconds in its two largest useful units: `47s`, `3m20s`, `5h10m`, `2d3h`. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return "<invalid>"; // clocks may differ by a second or two
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return `${minutes}m${unit(seconds % 60, "s")}`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return `${hours}h${unit(minutes % 60, "m")}`;
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 8) return `${days}d${unit(hours % 24, "h")}`;
  if (days < 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  return days < 365 * 8 ? `${years}y${unit(days % 365, "d")}` : `${years}y`;
}

/** Time since an RFC 3339 timestamp. */
export function since(timestamp: string | null | undefined, now: number): string {
  if (!timestamp) return "<unknown>";
  const at = Date.parse(timestamp);
  return Number.isNaN(at) ? "<unknown>" : humanDuration(now - at);
}

export function formatLabels(labels: Record<string, string> | undefined): string {
  const keys = Object.keys(labels ?? {}).sort();
  return keys.length === 0 ? "<none>" : keys.map((key) => `${key}=${labels?.[key]}`).join(",");
}

/** A selector in kubectl's notation: `app=a,tier in (x,y),!old`. */
export function formatSelector(selector: LabelSelector | undefined | null): string {
  if (!selector) return "<none>";
  const terms = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({ key, text: `${key}=${value}` }));
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    if (operator === "Exists") terms.push({ key, text: key });
    else if (operator === "DoesNotExist") terms.push({ key, text: `!${key}` });
    else terms.push({ key, text: `${key} ${operator === "In" ? "in" : "notin"} (${[...values].sort().join(",")})` });
  }
  if (terms.length === 0) return "<none>";
  return terms
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map((term) => term.text)
    .join(",");
}

/** The first three of a list; ` + 2 more...` for the rest. */
export function firstThree(list: string[], empty: string): string {
  if (list.length === 0) return empty;
  return list.length > 3 ? `${list.slice(0, 3).join(",")} + ${list.length - 3} more...` : list.join(",");
}

function unit(value: number, letter: string): string {
  return value === 0 ? "" : `${value}${letter}`;
}
