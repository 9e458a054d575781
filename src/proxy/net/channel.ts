import { ChainmailError } from "../../base/index.ts";
import type { BunSocket } from "./bun-socket.ts";
import { BULK, limitReadAhead } from "./bulk-reads.ts";
import { giveBack } from "./chunk-memory.ts";

/** Who reads a channel. Each chunk is memory of its own that nobody changes: it may be kept, or handed to `write`. */
export interface ChannelHandler {
  /** True when nobody keeps any of it: its memory is given back then. */
  onData(chunk: Buffer): boolean;
  /** The peer sent FIN; our side may still write. */
  onEnd(): void;
  /** All that was held back has been written. */
  onDrain(): void;
  /** The connection is gone; called once. `error` when the peer reset it or the transport failed. */
  onClose(error: Error | undefined): void;
}

/** Heads and small bodies are joined here, so that they leave in one write and one TLS record. 64 KiB holds both. */
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * One side of a connection: writes with back-pressure, half-closes and knows when it is gone. It hides whether the socket
 * is plain or TLS, and joins a pending head (text) with the body bytes that follow it.
 */
export class Channel {
  handler: ChannelHandler = DISCARD;
  closed = false;
  /** The peer has sent FIN. */
  peerEnded = false;
  bytesRead = 0;
  bytesWritten = 0;
  /** Told of each TLS session ticket that the server sends. */
  onSession: ((ticket: Buffer) => void) | undefined;
  #toldRead = 0;
  #toldWritten = 0;
  #failure: Error | undefined;
  #text = "";
  #pending: Uint8Array[] | undefined;
  #paused = false;
  /** It has brought much at once. */
  #bulk = false;
  #afterFlush: "open" | "finish" | "close" | "finished" = "open";

  /** `onFault` learns of errors that are ours, not the peer's: exceptions that a handler threw. */
  constructor(
    public socket: BunSocket,
    private readonly onFault: (error: Error) => void,
  ) {}

  /** Bytes read since this was last asked. */
  takeRead(): number {
    const bytes = this.bytesRead - this.#toldRead;
    this.#toldRead = this.bytesRead;
    return bytes;
  }

  /** Bytes written since this was last asked. */
  takeWritten(): number {
    const bytes = this.bytesWritten - this.#toldWritten;
    this.#toldWritten = this.bytesWritten;
    return bytes;
  }

  /** True while bytes wait for the peer: the source should stop until `onDrain`. */
  get congested(): boolean {
    return this.#pending !== undefined;
  }

  /** Bytes that wait for the peer. */
  get unsent(): number {
    let sum = 0;
    for (const chunk of this.#pending ?? []) sum += chunk.length;
    return sum;
  }

  /** Holds latin1 text back until the next `write` or `flush`. */
  writeText(text: string): void {
    this.#text += text;
  }

  /**
   * Writes all of it, now or later: the bytes are handed over and must not change, since what the kernel does not take is
   * kept as it is (a copy would cost a large body a pass through memory). False asks the source to pause until `onDrain`;
   * true says as well that nothing was kept.
   */
  write(chunk: Uint8Array, start = 0, end = chunk.length): boolean {
    if (this.closed) return true;
    const text = this.#text;
    if (text === "") return this.#writeBytes(chunk, start, end, false);
    this.#text = "";
    if (text.length + end - start > SCRATCH.length) {
      this.#writeBytes(Buffer.from(text, "latin1"), 0, text.length, false);
      return this.#writeBytes(chunk, start, end, false);
    }
    const head = SCRATCH.write(text, 0, "latin1");
    // A quarter of what `set` with a `subarray` takes.
    copyBytes.call(chunk as Buffer, SCRATCH, head, start, end);
    return this.#writeBytes(SCRATCH, 0, head + end - start, true);
  }

  /** As `write`, for a buffer that the caller uses again at once. */
  writeLent(chunk: Uint8Array, start: number, end: number): boolean {
    if (this.closed) return true;
    if (this.#text !== "") this.flush();
    return this.#writeBytes(chunk, start, end, true);
  }

  /** Sends text that waits for body bytes. */
  flush(): boolean {
    const text = this.#text;
    if (text === "" || this.closed) return this.#pending === undefined;
    this.#text = "";
    if (text.length > SCRATCH.length) return this.#writeBytes(Buffer.from(text, "latin1"), 0, text.length, false);
    return this.#writeBytes(SCRATCH, 0, SCRATCH.write(text, 0, "latin1"), true);
  }

  pause(): void {
    if (this.#paused || this.closed) return;
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#paused || this.closed) return;
    this.#paused = false;
    this.socket.resume();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Sends FIN after all that waits; the peer may go on sending. */
  finish(): void {
    this.flush();
    if (this.closed || this.#afterFlush !== "open") return;
    if (this.#pending) this.#afterFlush = "finish";
    else {
      this.#afterFlush = "finished";
      this.socket.shutdown();
    }
  }

  /** Closes after all that waits has been written. */
  close(): void {
    this.flush();
    if (this.closed) return;
    if (this.#pending) this.#afterFlush = "close";
    else this.socket.end();
  }

  /** Closes at once without waiting for what is held back, and tells the handler so. */
  abort(): void {
    if (this.closed) return;
    this.socket.end();
    this.socketClosed(undefined);
  }

  /** Closes at once, with RST: for peers that must not take the end for a regular one. */
  reset(): void {
    if (!this.closed) this.socket.terminate();
  }

  // What follows is called by the socket's event handlers.

  socketData(chunk: Buffer): void {
    this.bytesRead += chunk.length;
    if (!this.#bulk && chunk.length >= BULK) {
      this.#bulk = true;
      limitReadAhead(this.socket.fd);
    }
    if (this.handler.onData(chunk)) giveBack(chunk);
  }

  socketDrained(): void {
    const pending = this.#pending;
    if (!pending) return;
    for (let i = 0; i < pending.length; i++) {
      const chunk = pending[i] as Uint8Array;
      const taken = this.socket.write(chunk);
      if (taken < chunk.length) {
        this.#pending = pending.slice(i);
        if (taken > 0) this.#pending[0] = chunk.subarray(taken);
        return;
      }
    }
    this.#pending = undefined;
    if (this.#afterFlush === "finish") {
      this.#afterFlush = "finished";
      this.socket.shutdown();
    } else if (this.#afterFlush === "close") {
      this.socket.end();
      return;
    }
    this.handler.onDrain();
  }

  /**
   * An error of the transport, whose close follows; or what a handler threw, which Bun reports here too and then goes on
   * as if nothing were: such a connection must not linger.
   */
  socketFailed(error: Error): void {
    this.#failure = error;
    if (isTransportError(error)) return;
    this.onFault(error);
    this.reset();
  }

  socketEnded(): void {
    if (this.closed || this.peerEnded) return;
    this.peerEnded = true;
    this.handler.onEnd();
  }

  socketClosed(cause: Error | undefined): void {
    if (this.closed) return;
    this.closed = true;
    const error = cause ?? this.#failure;
    this.#pending = undefined;
    this.#text = "";
    this.handler.onClose(error);
  }

  #writeBytes(chunk: Uint8Array, start: number, end: number, lent: boolean): boolean {
    const length = end - start;
    this.bytesWritten += length;
    const pending = this.#pending;
    if (pending) {
      pending.push(kept(chunk, start, end, lent));
      return false;
    }
    const taken = this.socket.write(chunk, start, length);
    if (taken >= length) return true;
    if (taken < 0) return true; // Closed under us: the close event follows.
    this.#pending = [kept(chunk, start + taken, end, lent)];
    return false;
  }
}

const copyBytes = Buffer.prototype.copy;

/** Bytes that wait: a small rest is copied all the same, so that it does not hold a large chunk. */
function kept(chunk: Uint8Array, start: number, end: number, lent: boolean): Uint8Array {
  const part = chunk.subarray(start, end);
  return lent || part.length < COPY_BELOW ? Buffer.from(part) : part;
}

/** Copying so little costs less than what it may hold. */
const COPY_BELOW = 16 * 1024;

const DISCARD: ChannelHandler = { onData: () => true, onEnd() {}, onDrain() {}, onClose() {} };

/** Errors of sockets carry a code. So do our own errors and those that the runtime throws for wrong arguments: those are faults. */
export function isTransportError(error: Error): boolean {
  return "code" in error && !(error instanceof ChainmailError || error instanceof TypeError || error instanceof RangeError);
}
