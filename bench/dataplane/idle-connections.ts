import type { Row } from "../run.ts";
import { ratio, type Part } from "./part.ts";
import { startPair } from "./peers.ts";
import { load } from "./http-load.ts";
import { proportionalKb } from "./processes.ts";

const CONNECTIONS = 3000;
/** After the last answer heaps settle. */
const SETTLE_MS = 6000;
/** Slower than the slowest peer shakes hands, so that no backlog overflows. */
const BURST = 20;
const BURST_MS = 100;

/** Memory of a connection that is open and idle, through both hops: three sockets' ends at each of two proxies, two of them TLS. */
export const idleConnections: Part = async ({ peers, pairOptions, http }) => {
  const rows: Row[] = [];
  const figures = new Map<string, number>();
  for (const peer of peers) {
    const pair = await startPair(peer, { ...pairOptions, backendPort: http });
    try {
      // What the first requests bring in is not the connections'.
      await load(pair, 64, 2);
      await Bun.sleep(SETTLE_MS);
      const before = proportionalKb([pair.clientHop, pair.serverHop]);
      const close = await openConnections(pair.port, CONNECTIONS);
      await Bun.sleep(SETTLE_MS);
      const kb = (proportionalKb([pair.clientHop, pair.serverHop]) - before) / CONNECTIONS;
      close();
      figures.set(peer.name, kb);
      rows.push({
        name: `${peer.name}: memory an idle connection`,
        value: kb,
        unit: "KB",
        how: `${CONNECTIONS} connections, both hops together, proportional set size ${SETTLE_MS / 1000} s after the last answer`,
      });
    } finally {
      await pair.stop();
    }
  }
  rows.push(...ratio("memory an idle connection", figures, 0.5, "both hops"));
  return rows;
};

/** Opens them, with one request under way on each at the same time, so that each has an upstream connection of its own. */
async function openConnections(port: number, count: number): Promise<() => void> {
  const request = `GET /hold/${count} HTTP/1.1\r\nhost: bench\r\n\r\n`;
  const { promise: all, resolve, reject } = Promise.withResolvers<void>();
  let answered = 0;
  const sockets: Bun.Socket[] = [];
  for (let i = 0; i < count; i++) {
    if (i % BURST === 0) await Bun.sleep(BURST_MS);
    sockets.push(
      await Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          open: (socket) => void socket.write(request),
          data(_socket, bytes) {
            if (!bytes.toString("latin1").startsWith("HTTP/1.1 200")) reject(new Error(`connection ${i}: ${bytes.toString("latin1").slice(0, 400)}`));
            if (++answered === count) resolve();
          },
          close: () => reject(new Error(`connection ${i} was closed`)),
          error: (_socket, error) => reject(error),
        },
      }),
    );
  }
  await all;
  return () => sockets.forEach((socket) => socket.terminate());
}
