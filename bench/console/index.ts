/**
 * The console's cost: the metrics store beside a real Prometheus on the same targets and queries, and the graph page in
 * Chromium. `npm run bench -- console [store|page] [--workloads 4,100,1000]`; a size takes some 90 seconds.
 */
import type { Row } from "../run.ts";
import { pageRows } from "./page.ts";
import { storeRows } from "./store.ts";

const SIZES = [4, 100, 1_000];

export async function run(args: readonly string[]): Promise<Row[]> {
  const at = args.indexOf("--workloads");
  const sizes = at < 0 ? SIZES : (args[at + 1] ?? "").split(",").map(Number);
  const parts = args.filter((_, i) => at < 0 || (i !== at && i !== at + 1));
  const wrong =
    parts.find((part) => part !== "store" && part !== "page") ?? (sizes.every((size) => Number.isInteger(size) && size > 1) ? undefined : "--workloads");
  if (wrong !== undefined) throw new Error(`cannot read ${wrong}: the parts are store and page, sizes are whole numbers above 1`);
  const asked = (part: string) => parts.length === 0 || parts.includes(part);
  const rows: Row[] = [];
  if (asked("store")) for (const size of sizes) rows.push(...(await storeRows(size)));
  if (asked("page")) rows.push(...(await pageRows()));
  return rows;
}
