import type { HeaderMap } from "../http/header-map.ts";
import type { Channel } from "../net/channel.ts";
import { ConnectionError, DEFAULT_WINDOW, ErrorCode, MAX_WINDOW } from "./frames.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { SessionStream } from "./session-stream.ts";

/** What a session may send: the windows of the connection and of each stream, and what waits for them to open. */
export class SendFlow {
  /** The window that a new stream begins with. */
  initialWindow = DEFAULT_WINDOW;
  #window = DEFAULT_WINDOW;
  readonly #waiting = new Set<SessionStream>();

  constructor(
    private readonly channel: Channel,
    private readonly writer: FrameWriter,
    /** Our side of a stream is complete. */
    private readonly onLocalEnd: (stream: SessionStream) => void,
  ) {}

  /** False when the source should wait for `onWritable`. */
  send(stream: SessionStream, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (stream.localEnded || length === 0) return true;
    if (!stream.queue && length <= stream.sendWindow && length <= this.#window) {
      this.#write(stream, bytes, start, end);
      if (!this.channel.congested) return true;
      stream.blocked = true;
      this.#waiting.add(stream);
      return false;
    }
    (stream.queue ??= []).push(Buffer.from(bytes.subarray(start, end)));
    stream.blocked = true;
    this.#waiting.add(stream);
    this.pump(stream);
    return !stream.blocked;
  }

  end(stream: SessionStream, trailers: HeaderMap | undefined): void {
    if (stream.localEnded || stream.queuedEnd) return;
    if (stream.queue) {
      stream.queuedEnd = true;
      stream.queuedTrailers = trailers;
      return;
    }
    if (trailers) this.writer.fields(stream.id, [], trailers, true);
    else this.writer.data(stream.id, EMPTY, 0, 0, true);
    this.onLocalEnd(stream);
  }

  /** The peer's window for the connection grows. Throws ConnectionError beyond 2^31-1. */
  widen(increment: number): void {
    this.#window += increment;
    if (this.#window > MAX_WINDOW) throw tooWide();
    this.pumpAll();
  }

  /** The peer's setting changes the windows of streams that are open as well (RFC 9113, 6.9.2). */
  changeInitialWindow(value: number, streams: Iterable<SessionStream>): void {
    if (value > MAX_WINDOW) throw tooWide();
    const change = value - this.initialWindow;
    this.initialWindow = value;
    for (const stream of streams) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) throw tooWide();
    }
  }

  pumpAll(): void {
    for (const stream of this.#waiting) {
      if (this.channel.congested) return;
      this.pump(stream);
    }
  }

  /** Sends of a stream's queue what its windows allow, and tells its source when all is out. */
  pump(stream: SessionStream): void {
    const { queue } = stream;
    while (queue && queue.length > 0) {
      const first = queue[0] as Buffer;
      const room = Math.min(stream.sendWindow, this.#window);
      if (room <= 0 || this.channel.congested) return;
      const take = Math.min(room, first.length);
      this.#write(stream, first, 0, take);
      if (take === first.length) queue.shift();
      else queue[0] = first.subarray(take);
    }
    if (!stream.blocked || this.channel.congested) return;
    stream.queue = undefined;
    stream.blocked = false;
    this.#waiting.delete(stream);
    if (stream.queuedEnd) {
      stream.queuedEnd = false;
      this.end(stream, stream.queuedTrailers);
    } else stream.handler?.onWritable();
  }

  /** Streams whose last bytes have waited for a window for so long. To be asked time and again. */
  stalled(now: number, timeoutMs: number): SessionStream[] {
    const found: SessionStream[] = [];
    for (const stream of this.#waiting) {
      // While our side is not complete the request's own time limits count.
      if (!stream.queuedEnd) continue;
      if (stream.stalledSince === 0) stream.stalledSince = now;
      else if (now - stream.stalledSince > timeoutMs) found.push(stream);
    }
    return found;
  }

  /** Whoever still writes to it does not reach the peer, which would take that for a broken protocol. */
  forget(stream: SessionStream): void {
    stream.localEnded = true;
    this.#waiting.delete(stream);
  }

  clear(): void {
    this.#waiting.clear();
  }

  #write(stream: SessionStream, bytes: Uint8Array, start: number, end: number): void {
    stream.sendWindow -= end - start;
    stream.stalledSince = 0;
    this.#window -= end - start;
    this.writer.data(stream.id, bytes, start, end, false);
  }
}

const EMPTY = new Uint8Array(0);

function tooWide(): ConnectionError {
  return new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "a window above 2^31-1");
}
