import { join } from "node:path";
import type { Row } from "../run.ts";
import type { Role } from "./certificates.ts";
import { ratio, type Part } from "./part.ts";
import { startPair, type Pair, type PairOptions } from "./peers.ts";
import { cpuMicros, firstLine, freePort, median, residentKb } from "./processes.ts";

const ROUNDS = 5;
const MEGABYTES = 512;

/** What carries bytes. */
type Carrier = Pick<Pair, "name" | "port" | "clientHop" | "serverHop" | "stop">;

/** One large answer through both hops: CPU for each gigabyte, and what Bun alone takes for one. */
export const throughput: Part = async ({ peers, pairOptions, http }) => {
  const pairs: Carrier[] = [];
  try {
    for (const peer of peers) pairs.push(await startPair(peer, { ...pairOptions, backendPort: http }));
    if (peers.some(({ name }) => name === "chainmail")) pairs.push(await startBare(pairOptions.identities, http));
    const found = new Map<string, number[]>(pairs.map(({ name }) => [name, []]));
    for (const pair of pairs) await download(pair, 64);
    for (let round = 0; round < ROUNDS; round++) for (const pair of pairs) found.get(pair.name)?.push(await download(pair, MEGABYTES));
    const figures = new Map([...found].map(([name, values]) => [name, median(values)]));
    const how = `median of ${ROUNDS} answers of ${MEGABYTES} MB, both hops`;
    const rows: Row[] = [];
    for (const { name, clientHop, serverHop } of pairs) {
      rows.push({ name: `${name}: CPU a GB`, value: figures.get(name) ?? Number.NaN, unit: "s", how });
      rows.push({ name: `${name}: resident memory after GBs`, value: residentKb([clientHop, serverHop]) / 1024, unit: "MB", how: "both hops" });
    }
    rows.push(...ratio("CPU a GB", figures, 1.1, "both hops"));
    return rows;
  } finally {
    await Promise.all(pairs.map((pair) => pair.stop()));
  }
};

/** Two hops of `bare-relay.ts`. */
async function startBare(identities: PairOptions["identities"], backendPort: number): Promise<Carrier> {
  const [port, tlsPort] = [await freePort(), await freePort()];
  const start = async (role: Role, ...ports: number[]) => {
    const { certificate, key, root } = identities[role];
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "bare-relay.ts"), role, ...ports.map(String), certificate, key, root], {
      stdout: "pipe",
      stderr: "inherit",
    });
    await firstLine(child.stdout);
    return child;
  };
  const hops = [await start("client", port, tlsPort), await start("server", tlsPort, backendPort)] as const;
  const stop = async (): Promise<void> => {
    for (const hop of hops) hop.kill("SIGKILL");
    await Promise.all(hops.map(({ exited }) => exited));
  };
  return { name: "bare Bun", port, clientHop: hops[0].pid, serverHop: hops[1].pid, stop };
}

/** CPU seconds of both hops for a gigabyte. */
async function download({ name, port, clientHop, serverHop }: Carrier, megabytes: number): Promise<number> {
  const before = cpuMicros([clientHop, serverHop]);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const wanted = megabytes * 1024 * 1024;
  let bytes = 0;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (opened) => void opened.write(`GET /large/${megabytes} HTTP/1.1\r\nhost: bench\r\n\r\n`),
      data(_socket, chunk) {
        bytes += chunk.length;
        if (bytes >= wanted) resolve();
      },
      close: () => reject(new Error(`${name} closed after ${bytes} bytes`)),
      error: (_socket, error) => reject(error),
    },
  });
  await promise;
  socket.terminate();
  return (cpuMicros([clientHop, serverHop]) - before) / 1e6 / (wanted / 2 ** 30);
}
