import { describe, expect, test } from "bun:test";
import { comparable } from "../compare.ts";
import { envoyWanted } from "../proxies.ts";
import { runRows } from "../rig.ts";
import type { Row } from "../row.ts";
import { randomRows, withoutChance } from "./rows.ts";

/**
 * Rows by chance, through this proxy and a real Envoy at once: `CHAINMAIL_RANDOM=7,8 npm run conformance` takes other
 * seeds. Requests of broken bytes are left out here: of what is wrong in several ways each parser names the first it sees.
 */
const SEEDS = (process.env.CHAINMAIL_RANDOM ?? "6").split(",").map(Number);
const COUNT = 200;
/** Rows that differ are tried again by themselves with more patience: a busy machine is no difference. */
const PATIENCE = 4;

describe.skipIf(!envoyWanted())("rows by chance are as a real Envoy's", () => {
  for (const seed of SEEDS) {
    test(`seed ${seed}`, async () => {
      const rows = randomRows(seed, COUNT).filter(({ name }) => !name.endsWith("bytes"));
      const again = await differing(rows, 1);
      expect((await differing(again, PATIENCE)).map(({ name }) => name)).toEqual([]);
    }, 300_000);
  }
});

/** The same seed makes the same rows, and each of them can be told apart. */
test("rows by chance can be had again", () => {
  expect(JSON.stringify(randomRows(6, 20))).toBe(JSON.stringify(randomRows(6, 20)));
  expect(new Set(randomRows(6, 200).map(({ name }) => name)).size).toBe(200);
});

async function differing(rows: readonly Row[], patience: number): Promise<Row[]> {
  if (rows.length === 0) return [];
  const [ours, theirs] = await Promise.all([runRows(rows, "chainmail", patience), runRows(rows, "envoy", patience)]);
  return rows.filter(
    (row) => !Bun.deepEquals(withoutChance(comparable(row, ours.get(row.name), true)), withoutChance(comparable(row, theirs.get(row.name), true))),
  );
}
