import { beforeAll, describe, expect, test } from "bun:test";
import { hasIpv6 } from "./backends.ts";
import { comparable, knownDifferences } from "./compare.ts";
import { readGolden, writeGolden } from "./golden.ts";
import { GROUPS } from "./groups.ts";
import { envoyWanted } from "./proxies.ts";
import { runRows, type RowResult } from "./rig.ts";
import type { Row } from "./row.ts";

/**
 * The same configuration and the same calls through this proxy and through a real Envoy. Without an Envoy the answers that
 * one gave before stand in for it. `CHAINMAIL_GOLDEN=write npm run conformance` records them anew.
 */
const ALL = GROUPS.flatMap(({ rows }) => rows);
const ROWS = hasIpv6() ? ALL : ALL.filter(({ ipv6 }) => !ipv6);
const live = envoyWanted();
/** Rows that differ are tried again by themselves with more patience: a busy machine is no difference. */
const PATIENCE = 4;

let ours = new Map<string, RowResult>();
let envoy = new Map<string, RowResult>();
const golden = readGolden(GROUPS);

describe(live ? "as a real Envoy" : "as Envoy did", () => {
  beforeAll(async () => {
    [ours, envoy] = await both(runRows(ROWS, "chainmail"), live ? runRows(ROWS, "envoy") : golden);
    const again = ROWS.filter((row) => !Bun.deepEquals(comparable(row, ours.get(row.name), true), comparable(row, envoy.get(row.name), true)));
    if (again.length > 0) {
      const [mine, theirs] = await both(runRows(again, "chainmail", PATIENCE), live ? runRows(again, "envoy", PATIENCE) : envoy);
      ours = new Map([...ours, ...mine]);
      envoy = new Map([...envoy, ...theirs]);
    }
    if (live && process.env.CHAINMAIL_GOLDEN === "write")
      writeGolden(GROUPS, new Map(ALL.map((row) => [row.name, unchanged(row) ?? envoy.get(row.name) ?? (golden.get(row.name) as RowResult)])));
  }, 120_000);

  test("every row has a name of its own", () => {
    expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
  });

  for (const group of GROUPS) {
    describe(group.name, () => {
      for (const row of group.rows) test.skipIf(!ROWS.includes(row))(row.name, () => check(row));
    });
  }
});

/** What is on record, where Envoy did the same again but for what chance decides. */
function unchanged(row: Row): RowResult | undefined {
  const before = golden.get(row.name);
  return before && Bun.deepEquals(comparable(row, before, true), comparable(row, envoy.get(row.name), true)) ? before : undefined;
}

/** Waits for both even if one fails: a run that is left alone would leave its processes behind. */
async function both<T>(one: Promise<T>, other: Promise<T> | T): Promise<[T, T]> {
  const [a, b] = await Promise.allSettled([one, other]);
  if (a.status === "rejected") throw a.reason;
  if (b.status === "rejected") throw b.reason;
  return [a.value, b.value];
}

function check(row: Row): void {
  const mine = ours.get(row.name);
  const theirs = envoy.get(row.name);
  expect(mine).toBeDefined();
  expect(comparable(row, mine, true)).toEqual(comparable(row, theirs, true));
  // What was a difference and is none any more must leave the list.
  if (knownDifferences(row).length > 0) expect(comparable(row, mine, false)).not.toEqual(comparable(row, theirs, false));
}
