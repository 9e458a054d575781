import type { Duplex } from "node:stream";
import { errorText } from "../../base/index.ts";
import { UpgradeError } from "./errors.ts";
import type { PortDialer } from "./port-forward.ts";
import { CLOSE, WebSocketConnection } from "./websocket/connection.ts";

/** Ports of one WebSocket: a channel is one byte, and each port takes two. */
const MAX_PORTS = 128;

/** The ports of `?ports=8080&ports=9090,9091`. Throws UpgradeError. */
export function portsOf(url: string): number[] {
  const named = new URLSearchParams(url.split("?")[1] ?? "").getAll("ports").flatMap((value) => value.split(","));
  if (named.length === 0) throw new UpgradeError('query parameter "ports" is required');
  if (named.length > MAX_PORTS) throw new UpgradeError(`at most ${MAX_PORTS} ports can be forwarded by one connection`);
  return named.map((text) => {
    const port = Number(text);
    if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw new UpgradeError(`could not parse ${JSON.stringify(text)} as a port`);
    return port;
  });
}

/**
 * Serves port-forward by channels of a WebSocket, as client libraries other than Go's ask for it: of the n-th port, channel
 * 2n carries its data and 2n+1 what went wrong, and both begin with the port, two bytes, lowest first. Resolves when the
 * WebSocket has ended, which it does with the last of its ports.
 */
export async function servePortForwardChannels(socket: Duplex, head: Uint8Array, ports: number[], dial: PortDialer): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const targets: (Promise<Duplex | undefined> | undefined)[] = [];
  const connection = new WebSocketConnection(socket, {
    onMessage(data) {
      const target = (data[0] ?? 1) % 2 === 0 ? targets[(data[0] ?? 0) / 2] : undefined;
      if (!target || data.length < 2) return;
      void target.then((stream) => {
        if (!stream || stream.destroyed || stream.write(data.subarray(1))) return;
        connection.pause();
        stream.once("drain", () => connection.resume());
        stream.once("close", () => connection.resume());
      });
    },
    onEnd: ended.resolve,
  });
  const channel = (number: number, data: Uint8Array) => connection.send(Buffer.concat([Buffer.of(number), data]));
  const closed = ports.map(async (port, index) => {
    const opening = Buffer.alloc(2);
    opening.writeUInt16LE(port);
    for (const number of [2 * index, 2 * index + 1]) void channel(number, opening);
    const failed = (thrown: unknown) => void channel(2 * index + 1, Buffer.from(`error forwarding port ${port}: ${errorText(thrown)}`));
    const target = dial(port).catch((thrown: unknown) => void failed(thrown));
    targets[index] = target.then((stream) => stream ?? undefined);
    const stream = await target;
    if (!stream) return;
    stream.on("data", (chunk: Buffer) => {
      stream.pause();
      void channel(2 * index, chunk).then(() => stream.resume());
    });
    stream.on("error", failed);
    await new Promise((resolve) => stream.once("close", resolve).once("end", resolve));
  });
  void Promise.all(closed).then(() => connection.close(CLOSE.normal));
  connection.feed(head);
  await ended.promise;
  for (const target of targets) void target?.then((stream) => stream?.destroy());
}
