/** From the start of the process to the first good /readyz, and the memory of a server at rest and with 10,000 objects. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "../run.ts";
import { Connection, drive } from "./load-client.ts";
import { quantile, quiet } from "./measure.ts";
import { CONFIG_MAPS, configMap, WORLD } from "./objects.ts";
import { type Server, startOurs, startTheirs } from "./servers.ts";

const STARTS = { ours: 7, theirs: 3 } as const;
const READY_BAR_MS = 300;
/** Of the real server's memory. */
const MEMORY_BAR = 1 / 3;
const OBJECTS = 10_000;

interface Figures {
  ready: number[];
  rest: number;
  full: number;
}

export async function start(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  try {
    const theirs = await figures(() => startTheirs(), STARTS.theirs);
    const ours = await figures(() => startOurs(folder), STARTS.ours);
    // Its database is still there.
    const again = await startOurs(folder);
    await again.stop();
    const ratio = (name: string, of: (one: Figures) => number): Row => ({
      name,
      value: of(ours) / of(theirs),
      unit: "",
      bar: MEMORY_BAR,
      how: `${of(ours).toFixed(0)} MB against ${of(theirs).toFixed(0)}, resident memory of all its processes`,
    });
    return [
      {
        name: "start to ready",
        value: quantile(ours.ready, 0.5),
        unit: "ms",
        bar: READY_BAR_MS,
        how: `median of ${STARTS.ours}, worst ${Math.max(...ours.ready).toFixed(0)}; theirs ${quantile(theirs.ready, 0.5).toFixed(0)}`,
      },
      { name: "start to ready with 10,000 objects", value: again.readyMs, unit: "ms", how: "the database read and checked" },
      ratio("memory at rest, ours / theirs", ({ rest }) => rest),
      ratio("memory after 10,000 objects, ours / theirs", ({ full }) => full),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The last start goes on to make the objects. */
async function figures(begin: () => Promise<Server>, starts: number): Promise<Figures> {
  const ready: number[] = [];
  for (let left = starts; ; left--) {
    const server = await begin();
    ready.push(server.readyMs);
    if (left > 1) {
      await server.stop();
      continue;
    }
    try {
      await quiet(server);
      const rest = server.memory();
      const connection = await Connection.open(server.access);
      await drive([connection], 1, WORLD);
      const calls = Array.from({ length: OBJECTS }, (_, index) => ({
        method: "POST" as const,
        path: CONFIG_MAPS,
        body: JSON.stringify(configMap(`many-${index}`, String(index))),
      }));
      await drive([connection], 8, calls);
      connection.close();
      await quiet(server);
      return { ready, rest, full: server.memory() };
    } finally {
      await server.stop();
    }
  }
}
