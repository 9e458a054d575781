/**
 * Our API server and a real kube-apiserver with its etcd in turn, on the same machine and by the same client: CPU of a
 * request, the client's wait, lists, watches, start and memory; and pods on the node of the whole cluster. Both have written to disk what they acknowledge.
 * `npm run bench -- kubernetes [SCENARIO…]` runs some of the scenarios, without a name all of them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "../run.ts";
import { pods } from "./pods.ts";
import { lists, operations, type Pair, watches } from "./scenarios.ts";
import { startOurs, startTheirs } from "./servers.ts";
import { start } from "./start.ts";

const SCENARIOS: Record<string, () => Promise<Row[]>> = {
  operations: () => onBoth(operations),
  lists: () => onBoth(lists),
  watches: () => onBoth(watches),
  start,
  pods,
};

export async function run(names: readonly string[]): Promise<Row[]> {
  const unknown = names.find((name) => !SCENARIOS[name]);
  if (unknown) throw new Error(`there is no scenario ${unknown}; there are ${Object.keys(SCENARIOS).join(", ")}`);
  const rows: Row[] = [];
  for (const name of names.length > 0 ? names : Object.keys(SCENARIOS)) rows.push(...(await (SCENARIOS[name] as () => Promise<Row[]>)()));
  return rows;
}

/** Both on fresh state. */
async function onBoth(scenario: (pair: Pair) => Promise<Row[]>): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const theirs = await startTheirs();
  try {
    const ours = await startOurs(folder);
    try {
      return await scenario({ ours, theirs });
    } finally {
      await ours.stop();
    }
  } finally {
    await theirs.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
