/**
 * The data plane's cost: Chainmail's proxy, a real Envoy, HAProxy and nginx as two mTLS hops in a row, in turn, in one run
 * on the same work. Everything is on loopback and one thread a proxy; load generators and the backend are not counted.
 * Each part of the work is a file, and can be run alone: `npm run bench -- dataplane http grpc --peers envoy`, which
 * runs Chainmail's beside the peers that are named.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "../run.ts";
import { makeIdentities } from "./certificates.ts";
import { churn } from "./churn.ts";
import { grpcLoad } from "./grpc-load.ts";
import { handshakes } from "./handshakes.ts";
import { httpLoad } from "./http-load.ts";
import { idleConnections } from "./idle-connections.ts";
import type { Part } from "./part.ts";
import { availablePeers } from "./peers.ts";
import { firstLine } from "./processes.ts";
import { throughput } from "./throughput.ts";

const PARTS: Record<string, Part> = { http: httpLoad, grpc: grpcLoad, handshakes, idle: idleConnections, throughput, churn };

export async function run(args: readonly string[]): Promise<Row[]> {
  const at = args.indexOf("--peers");
  // Figures mean something beside others of the same run only: ours is always in it.
  const peers = availablePeers(at < 0 ? undefined : ["chainmail", ...(args[at + 1]?.split(",") ?? [])]);
  const asked = args.filter((_, i) => at < 0 || (i !== at && i !== at + 1));
  const unknown = asked.find((name) => !(name in PARTS));
  if (unknown !== undefined) throw new Error(`no part ${unknown}: there are ${Object.keys(PARTS).join(", ")}`);
  const folder = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const backend = Bun.spawn([process.execPath, join(import.meta.dir, "backend.ts")], { stdout: "pipe" });
  try {
    const [http = 0, grpc = 0] = (await firstLine(backend.stdout)).split(" ").map(Number);
    const bench = { peers, pairOptions: { folder, identities: await makeIdentities(folder) }, http, grpc };
    const rows: Row[] = [];
    for (const [name, part] of Object.entries(PARTS)) {
      if (asked.length > 0 && !asked.includes(name)) continue;
      rows.push(...(await part(bench)));
    }
    return rows;
  } finally {
    backend.kill("SIGKILL");
    await backend.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}
