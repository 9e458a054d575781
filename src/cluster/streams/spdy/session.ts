import type { Duplex } from "node:stream";
import { StreamProtocolError } from "../errors.ts";
import { encodeFrame, FrameParser, type Frame } from "./frames.ts";
import { HeaderDecoder, HeaderEncoder, type HeaderMap } from "./headers.ts";
import { RST, SpdyStream, type StreamHost } from "./stream.ts";

/** SPDY/3.1's first window of streams and of the session. */
const INITIAL_WINDOW = 64 * 1024;
const SETTINGS_INITIAL_WINDOW_SIZE = 7;
/** Largest data frame that we send; what Go's io.Copy uses too. */
const MAX_DATA = 32 * 1024;
/** Unread bytes of one stream at which we stop reading the connection: Go's clients know no windows. */
const MAX_BUFFERED = 256 * 1024;
/** Window updates go out in pieces of at least this, not one a read. */
const UPDATE_THRESHOLD = INITIAL_WINDOW / 2;
/** Two for each forwarded connection; more at once than any browser or tool opens. */
const MAX_STREAMS = 2048;

/**
 * The server's side of a SPDY/3.1 session over `transport`. Windows of a peer are honoured once it has shown, by a
 * WINDOW_UPDATE or SETTINGS, that it keeps them: Kubernetes' Go clients never do and would wait for ever.
 */
export class SpdySession implements StreamHost {
  /** Resolves when the connection has ended, whoever ended it. */
  readonly ended: Promise<void>;
  readonly #parser = new FrameParser();
  readonly #decoder = new HeaderDecoder();
  readonly #encoder = new HeaderEncoder();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #queue: Frame[] = [];
  readonly #credits = new Map<number, { send: number; received: number }>();
  #session = { send: INITIAL_WINDOW, received: 0 };
  #initialWindow = INITIAL_WINDOW;
  #peerKeepsWindows = false;
  #waiters: (() => void)[] = [];
  #working = false;
  #lastStreamId = 0;
  #ended = false;

  constructor(
    readonly transport: Duplex,
    /** Throw to refuse the stream. Reply with `accept` before data is sent. */
    readonly onStream: (stream: SpdyStream) => void,
  ) {
    this.ended = new Promise((resolve) => transport.once("close", () => resolve()));
    transport.on("data", (chunk: Buffer) => this.#receive(chunk));
    transport.on("end", () => this.close());
    transport.on("error", () => this.#finish());
    transport.on("close", () => this.#finish());
  }

  /** Bytes that came with the upgrade request. */
  feed(head: Uint8Array): void {
    if (head.length > 0) this.#receive(head);
  }

  /** Answers the other side's SYN_STREAM. */
  accept(stream: SpdyStream, headers: HeaderMap = {}): void {
    this.#send({ type: "syn_reply", streamId: stream.id, fin: false, block: this.#encoder.encode(headers) });
  }

  /** Says goodbye and ends the connection once what was written is out. */
  close(): void {
    if (this.#ended) return;
    this.#send({ type: "goaway", lastStreamId: this.#lastStreamId, status: 0 });
    this.transport.end();
    this.#finish();
  }

  async sendData(stream: SpdyStream, data: Buffer, fin: boolean): Promise<void> {
    let offset = 0;
    do {
      const piece = data.subarray(offset, offset + (await this.#allowance(stream, data.length - offset)));
      if (this.#ended || !this.#streams.has(stream.id)) throw new StreamProtocolError("the connection has ended");
      offset += piece.length;
      this.#session.send -= piece.length;
      this.#credit(stream.id).send -= piece.length;
      const more = this.#send({ type: "data", streamId: stream.id, fin: fin && offset >= data.length, data: piece });
      if (!more) await this.#drained();
    } while (offset < data.length);
  }

  sendReset(stream: SpdyStream, status: number): void {
    if (this.#streams.has(stream.id)) this.#send({ type: "rst_stream", streamId: stream.id, status });
  }

  consumed(stream: SpdyStream, bytes: number): void {
    this.#returnCredit(0, this.#session, bytes);
    if (this.#streams.has(stream.id) && !stream.remoteEnded) this.#returnCredit(stream.id, this.#credit(stream.id), bytes);
    this.#balance();
  }

  closed(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
    this.#credits.delete(stream.id);
    this.#wakeWriters();
    this.#balance();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#ended) return;
    try {
      this.#queue.push(...this.#parser.feed(chunk));
    } catch (thrown) {
      return this.#abort(thrown);
    }
    if (!this.#working) void this.#work();
  }

  /** One frame after the other: header blocks are decompressed in the background and must keep their order. */
  async #work(): Promise<void> {
    this.#working = true;
    try {
      for (let frame = this.#queue.shift(); frame && !this.#ended; frame = this.#queue.shift()) {
        if ("block" in frame) await this.#headers(frame, await this.#decoder.decode(frame.block));
        else this.#handle(frame);
      }
    } catch (thrown) {
      this.#abort(thrown);
    } finally {
      this.#working = false;
    }
    this.#balance();
  }

  async #headers(frame: Extract<Frame, { block: Buffer }>, headers: HeaderMap): Promise<void> {
    // Only the client opens streams, so replies and late headers have nothing to say to us.
    if (frame.type !== "syn_stream") return;
    const { streamId } = frame;
    const stream = new SpdyStream(streamId, headers, this);
    if (streamId % 2 === 0 || streamId <= this.#lastStreamId) throw new StreamProtocolError(`SPDY stream ${streamId} is out of order`);
    this.#lastStreamId = streamId;
    this.#streams.set(streamId, stream);
    if (this.#streams.size > MAX_STREAMS) return stream.reset(RST.REFUSED_STREAM);
    try {
      this.onStream(stream);
    } catch {
      // The caller has said what it thinks of the stream; the other side learns that it was refused.
      return stream.reset(RST.REFUSED_STREAM);
    }
    if (frame.fin) stream.receive(Buffer.alloc(0), true);
  }

  #handle(frame: Exclude<Frame, { block: Buffer }>): void {
    switch (frame.type) {
      case "data": {
        const stream = this.#streams.get(frame.streamId);
        if (stream) stream.receive(frame.data, frame.fin);
        // Of a stream that we gave up: the bytes still count in the session's window.
        else this.#returnCredit(0, this.#session, frame.data.length);
        return;
      }
      case "rst_stream":
        return this.#streams.get(frame.streamId)?.remoteReset(frame.status);
      case "ping":
        // Odd ids are the client's; even ones would answer pings that we never sent.
        if (frame.id % 2 === 1) this.#send(frame);
        return;
      case "goaway":
        return;
      case "settings": {
        const initial = frame.entries.find((entry) => entry.id === SETTINGS_INITIAL_WINDOW_SIZE)?.value;
        if (initial === undefined || initial > 0x7fffffff) return;
        this.#peerKeepsWindows = true;
        for (const credit of this.#credits.values()) credit.send += initial - this.#initialWindow;
        this.#initialWindow = initial;
        return this.#wakeWriters();
      }
      case "window_update": {
        this.#peerKeepsWindows = true;
        const credit = frame.streamId === 0 ? this.#session : this.#streams.has(frame.streamId) ? this.#credit(frame.streamId) : undefined;
        if (credit) credit.send += frame.delta;
        return this.#wakeWriters();
      }
    }
  }

  /** How many of `wanted` bytes may go out now; waits while the window is shut. */
  async #allowance(stream: SpdyStream, wanted: number): Promise<number> {
    for (;;) {
      if (!this.#peerKeepsWindows || this.#ended || wanted === 0) return Math.min(wanted, MAX_DATA);
      const open = Math.min(this.#session.send, this.#credit(stream.id).send);
      if (open > 0 || !this.#streams.has(stream.id)) return Math.min(wanted, MAX_DATA, Math.max(open, 0));
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #credit(streamId: number): { send: number; received: number } {
    let credit = this.#credits.get(streamId);
    if (!credit) this.#credits.set(streamId, (credit = { send: this.#initialWindow, received: 0 }));
    return credit;
  }

  #returnCredit(streamId: number, credit: { received: number }, bytes: number): void {
    credit.received += bytes;
    if (credit.received < UPDATE_THRESHOLD) return;
    this.#send({ type: "window_update", streamId, delta: credit.received });
    credit.received = 0;
  }

  /** Reads on only while every stream's reader keeps up. */
  #balance(): void {
    if (this.#ended) return;
    const full = [...this.#streams.values()].some((stream) => stream.buffered > MAX_BUFFERED);
    if (full && !this.transport.isPaused()) this.transport.pause();
    else if (!full && this.transport.isPaused()) this.transport.resume();
  }

  #send(frame: Frame): boolean {
    return this.#ended || this.transport.write(encodeFrame(frame));
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.transport.once("drain", resolve);
      this.#waiters.push(resolve);
    });
  }

  #wakeWriters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** The other side broke the rules: nothing it says can be trusted any more. */
  #abort(thrown: unknown): void {
    if (!this.#ended) this.#send({ type: "goaway", lastStreamId: this.#lastStreamId, status: 1 });
    this.#finish();
    // Destroyed at once it would take along what is still to be written, the reason among it.
    this.transport.end(() => this.transport.destroy(thrown instanceof Error ? thrown : undefined));
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#queue.length = 0;
    this.#decoder.close();
    for (const stream of this.#streams.values()) stream.destroy();
    this.#wakeWriters();
  }
}
