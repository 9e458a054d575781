import { KNOWN_DIFFERENCES } from "./differences.ts";
import type { RowResult } from "./rig.ts";
import type { Row } from "./row.ts";

/** What two proxies are compared in: order of headers and of equal log lines is no part of it. */
export function comparable(row: Row, result: RowResult | undefined, forgiving: boolean): unknown {
  if (!result) return undefined;
  if (row.anyOrder) return [...new Set(result.calls.flatMap(({ answers }) => answers.map(({ body }) => body)))].sort();
  let { calls, log } = result;
  if (forgiving) {
    for (const known of KNOWN_DIFFERENCES) {
      if (!applies(known.rows, row.name)) continue;
      if (known.call) calls = calls.map(known.call);
      if (known.log) log = log.map(known.log).filter((line) => line !== "");
    }
  }
  return sorted({ calls, log });
}

/** Known differences of a row that must still be there. */
export function knownDifferences(row: Row): readonly string[] {
  return KNOWN_DIFFERENCES.filter(({ rows, byChance }) => !byChance && applies(rows, row.name)).map(({ reason }) => reason);
}

function applies(rows: readonly string[] | RegExp, name: string): boolean {
  return rows instanceof RegExp ? rows.test(name) : rows.includes(name);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, sorted(each)]),
  );
}
