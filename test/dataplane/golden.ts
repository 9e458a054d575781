import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RowResult } from "./rig.ts";
import type { Group } from "./row.ts";

/** What Envoy did with each row, a file a group and a line a row. */
const FOLDER = join(import.meta.dir, "../golden/dataplane");

export function readGolden(groups: readonly Group[]): Map<string, RowResult> {
  return new Map(
    groups.flatMap(({ name }) => {
      const path = pathOf(name);
      return existsSync(path) ? Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, RowResult>) : [];
    }),
  );
}

export function writeGolden(groups: readonly Group[], results: ReadonlyMap<string, RowResult>): void {
  mkdirSync(FOLDER, { recursive: true });
  for (const group of groups) {
    const lines = group.rows.map(({ name }) => `${JSON.stringify(name)}: ${JSON.stringify(results.get(name))}`);
    writeFileSync(pathOf(group.name), `{\n${lines.join(",\n")}\n}\n`);
  }
}

function pathOf(group: string): string {
  return join(FOLDER, `${group.replaceAll(" ", "-")}.json`);
}
