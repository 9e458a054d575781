import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "../run.ts";
import { ratio, type Part } from "./part.ts";
import { startPair, type Pair } from "./peers.ts";
import { cpuMicros, median } from "./processes.ts";
import { required, runTool } from "./tools.ts";

const ROUNDS = 3;
const SECONDS = 3;
const WARM_SECONDS = 4;
const STREAMS = [1, 100];
const MESSAGE_BYTES = 1024;

/** gRPC unary calls of 1 KB each way over one connection, with one call at a time and with 100. */
export const grpcLoad: Part = async ({ peers, pairOptions, grpc }) => {
  const message = join(pairOptions.folder, "grpc-message");
  writeFileSync(message, Buffer.concat([Buffer.from([0, 0, 0, MESSAGE_BYTES >> 8, MESSAGE_BYTES & 255]), Buffer.alloc(MESSAGE_BYTES, "x")]));
  const pairs: Pair[] = [];
  try {
    for (const peer of peers) pairs.push(await startPair(peer, { ...pairOptions, backendPort: grpc, grpc: true }));
    for (const pair of pairs) await load(pair, Math.max(...STREAMS), WARM_SECONDS, message);
    const rows: Row[] = [];
    for (const streams of STREAMS) {
      const found = new Map<string, number[]>(pairs.map(({ name }) => [name, []]));
      for (let round = 0; round < ROUNDS; round++) for (const pair of pairs) found.get(pair.name)?.push(await load(pair, streams, SECONDS, message));
      const figures = new Map([...found].map(([name, values]) => [name, median(values)]));
      const how = `median of ${ROUNDS} x ${SECONDS} s, one connection, both hops`;
      for (const [name, value] of figures) rows.push({ name: `${name}: gRPC CPU a call, ${streams} stream${streams > 1 ? "s" : ""}`, value, unit: "us", how });
      rows.push(...ratio(`gRPC CPU a call, ${streams} stream${streams > 1 ? "s" : ""}`, figures, streams === 100 ? 0.5 : undefined, "same filters on both"));
    }
    return rows;
  } finally {
    await Promise.all(pairs.map((pair) => pair.stop()));
  }
};

async function load({ name, port, clientHop, serverHop }: Pair, streams: number, seconds: number, message: string): Promise<number> {
  const h2load = required("h2load", "apt-get install nghttp2-client");
  const before = cpuMicros([clientHop, serverHop]);
  const text = await runTool([
    h2load,
    "-c1",
    `-m${streams}`,
    "-t1",
    `-D${seconds}`,
    "-d",
    message,
    "-H",
    "content-type: application/grpc",
    "-H",
    "te: trailers",
    `http://127.0.0.1:${port}/bench.Bench/Unary`,
  ]);
  const cpu = cpuMicros([clientHop, serverHop]) - before;
  const good = Number(/status codes: (\d+) 2xx/.exec(text)?.[1] ?? 0);
  const [, failed, errored] = /(\d+) failed, (\d+) errored/.exec(text) ?? [];
  if (good === 0 || Number(failed) + Number(errored) > 0) throw new Error(`${name}: gRPC calls failed, ${streams} streams\n${text}`);
  return cpu / good;
}
