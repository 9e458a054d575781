import { errorText } from "../../base/index.ts";

/** One side of a relayed connection. */
export interface Side {
  peer: Bun.Socket<Side> | undefined;
  /** Bytes for this side that its socket would not take yet. At most one read of the other side, which is paused. */
  queue: Uint8Array[];
  /** The other side has sent a FIN, which follows the queue. */
  finishing: boolean;
}

export interface RelayOptions {
  /** Connections at the same time; more are refused at once. */
  maxConnections: number;
  /** Starts the other side. A rejection resets the accepted connection. */
  connect(accepted: Bun.Socket<Side>, handlers: Bun.SocketHandler<Side>): Promise<Bun.Socket<Side>>;
  /** Why a connection could not be relayed. */
  onRefused(reason: string, accepted: Bun.Socket<Side>): void;
}

/** A client that vanished without a FIN must not hold its place for ever. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Handlers for Bun.listen (with allowHalfOpen) that pass bytes both ways unseen: a slow side pauses the other, a FIN is
 * passed on after what came before it, a reset resets the other side.
 */
export function relayHandlers(options: RelayOptions): Bun.SocketHandler<Side> {
  let connections = 0;
  const outbound: Bun.SocketHandler<Side> = {
    data: pass,
    drain: flush,
    end: passEnd,
    close: passClose,
    error: () => {}, // `close` follows with the same error.
  };
  return {
    ...outbound,
    async open(accepted) {
      accepted.data = { peer: undefined, queue: [], finishing: false };
      connections++;
      if (connections > options.maxConnections) {
        options.onRefused("too many connections", accepted);
        return void accepted.terminate();
      }
      accepted.pause();
      accepted.setKeepAlive(true, KEEP_ALIVE_MS);
      try {
        const peer = await options.connect(accepted, outbound);
        // Either may have gone while the other side was on its way.
        if (accepted.readyState <= 0) return void peer.terminate();
        if (peer.data.peer === undefined) return;
        accepted.data.peer = peer;
        accepted.resume();
      } catch (error) {
        options.onRefused(errorText(error), accepted);
        accepted.terminate();
      }
    },
    close(accepted, error) {
      connections--;
      passClose(accepted, error);
    },
  };
}

/** The data of a socket that the relay connects, before it is joined. */
export function newSide(accepted: Bun.Socket<Side>): Side {
  return { peer: accepted, queue: [], finishing: false };
}

function pass(from: Bun.Socket<Side>, chunk: Uint8Array): void {
  const to = from.data.peer;
  if (!to) return;
  if (to.data.queue.length > 0) {
    to.data.queue.push(chunk.slice());
    return void from.pause();
  }
  const count = Math.max(0, to.write(chunk));
  if (count === chunk.length) return;
  to.data.queue.push(chunk.slice(count));
  from.pause();
}

function flush(socket: Bun.Socket<Side>): void {
  const { queue } = socket.data;
  for (let head = queue[0]; head; head = queue[0]) {
    const count = Math.max(0, socket.write(head));
    if (count < head.length) {
      queue[0] = head.subarray(count);
      return;
    }
    queue.shift();
  }
  if (socket.data.finishing) socket.shutdown();
  socket.data.peer?.resume();
}

function passEnd(from: Bun.Socket<Side>): void {
  const to = from.data.peer;
  if (!to) return;
  to.data.finishing = true;
  // end() would close both ways; only the writing side is finished.
  if (to.data.queue.length === 0) to.shutdown();
}

function passClose(closed: Bun.Socket<Side>, error?: Error): void {
  const other = closed.data?.peer;
  if (!other) return;
  closed.data.peer = undefined;
  other.data.peer = undefined;
  if (error) return void other.terminate();
  // Closed without an error: both ways are finished, or the process on the other end is gone.
  if (other.data.finishing) return;
  if (other.data.queue.length === 0) other.end();
  else other.data.finishing = true;
}
