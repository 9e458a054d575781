import type { Duplex } from "node:stream";
import { errorText } from "../../base/index.ts";
import { StreamProtocolError } from "./errors.ts";
import { SpdySession } from "./spdy/session.ts";
import type { SpdyStream } from "./spdy/stream.ts";

/** As the kubelet: a lone error or data stream is given up after this. */
const PAIR_WITHIN_MS = 30_000;

export type PortDialer = (port: number) => Promise<Duplex>;

interface Pair {
  port: number;
  error?: SpdyStream;
  data?: SpdyStream;
  timer: ReturnType<typeof setTimeout>;
}

/**
 * Serves `portforward.k8s.io` on a transport that carries SPDY: for each connection an error and a data stream with the
 * same request id, whose data goes to what `dial` connects to. Resolves when the transport has ended.
 */
export async function servePortForward(transport: Duplex, head: Uint8Array, dial: PortDialer): Promise<void> {
  const pairs = new Map<string, Pair>();
  const session = new SpdySession(transport, (stream) => {
    const { port, type, requestId } = streamPurpose(stream);
    const pair = pairs.get(requestId) ?? { port, timer: setTimeout(() => giveUp(requestId), PAIR_WITHIN_MS) };
    if (pair[type] || pair.port !== port) throw new StreamProtocolError(`stream of type ${type} for request ${requestId} came twice or for another port`);
    pairs.set(requestId, pair);
    pair[type] = stream;
    session.accept(stream);
    if (!pair.error || !pair.data) return;
    clearTimeout(pair.timer);
    pairs.delete(requestId);
    void forward(pair.data, pair.error, pair.port, dial);
  });
  const giveUp = (requestId: string) => {
    const pair = pairs.get(requestId);
    pairs.delete(requestId);
    pair?.error?.destroy();
    pair?.data?.destroy();
  };
  session.feed(head);
  await session.ended;
  for (const { timer } of pairs.values()) clearTimeout(timer);
}

/** One connection. Never throws: a failure is a text on the error stream. */
async function forward(data: SpdyStream, error: SpdyStream, port: number, dial: PortDialer): Promise<void> {
  // The client half-closes the error stream at once and only reads it.
  error.resume();
  let target: Duplex;
  try {
    target = await dial(port);
  } catch (thrown) {
    error.end(`error forwarding port ${port}: ${errorText(thrown)}`);
    data.destroy();
    return;
  }
  if (data.destroyed) {
    target.destroy();
    error.end();
    return;
  }
  join(data, target);
  join(target, data);
  const closed = () => {
    if (!error.destroyed) error.end();
  };
  target.on("error", (thrown: Error) => {
    if (!error.writableEnded && !error.destroyed) error.end(`error forwarding port ${port}: ${thrown.message}`);
    data.destroy();
  });
  target.on("close", () => {
    if (!data.writableEnded) data.end();
    closed();
  });
  data.on("close", () => {
    target.destroy();
    closed();
  });
}

/** Bytes one way with back-pressure; the end of one side ends the other's writing half only. */
function join(from: Duplex, to: Duplex): void {
  from.on("data", (chunk: Buffer) => {
    if (to.destroyed || to.writableEnded) return;
    if (to.write(chunk)) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  from.on("end", () => {
    if (!to.destroyed && !to.writableEnded) to.end();
  });
}

function streamPurpose(stream: SpdyStream): { port: number; type: "error" | "data"; requestId: string } {
  const { streamtype: type, port: portText = "", requestid } = stream.headers;
  const port = Number(portText);
  if (!/^\d+$/.test(portText) || port < 1 || port > 65535) throw new StreamProtocolError(`"port" header ${JSON.stringify(portText)} is not a port`);
  if (type !== "error" && type !== "data") throw new StreamProtocolError(`"streamType" header must be error or data, not ${type}`);
  // Clients of before request ids: the data stream follows its error stream.
  const requestId = requestid ?? String(type === "error" ? stream.id : stream.id - 2);
  return { port, type, requestId };
}
