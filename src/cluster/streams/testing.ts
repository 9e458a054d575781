import { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { constants, createDeflate } from "node:zlib";
import type { ExecProcess } from "../runtime/types.ts";
import { SPDY_DICTIONARY } from "./spdy/dictionary.ts";
import { encodeFrame, FrameParser, type Frame } from "./spdy/frames.ts";
import { formatHeaderBlock, HeaderDecoder, type HeaderMap } from "./spdy/headers.ts";
import { encodeWebSocketFrame } from "./websocket/frames.ts";

/** Two ends of one connection in memory. */
export function duplexPair(): [Duplex, Duplex] {
  const make = (peer: () => Duplex): Duplex =>
    new Duplex({
      allowHalfOpen: true,
      read() {},
      write(chunk: Buffer, _encoding, done) {
        if (!peer().destroyed) peer().push(Buffer.from(chunk));
        setImmediate(done);
      },
      final(done) {
        if (!peer().destroyed) peer().push(null);
        done();
      },
      destroy(error, done) {
        queueMicrotask(() => peer().destroy());
        done(error);
      },
    });
  const left: Duplex = make(() => right);
  const right: Duplex = make(() => left);
  left.on("error", () => {});
  right.on("error", () => {});
  return [left, right];
}

export function upgradeRequest(headers: Record<string, string>, method = "GET"): IncomingMessage {
  return Object.assign(new EventEmitter(), { method, url: "/", headers }) as unknown as IncomingMessage;
}

export const WEBSOCKET_HEADERS = {
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** A client's frame, masked with zeros, which leaves the payload as it is. */
export function maskedFrame(opcode: number, payload: Uint8Array): Buffer {
  const frame = encodeWebSocketFrame(opcode, payload);
  const at = frame.length - payload.length;
  frame[1] = (frame[1] ?? 0) | 0x80;
  return Buffer.concat([frame.subarray(0, at), Buffer.alloc(4), frame.subarray(at)]);
}

/** Everything that arrives, with a way to wait for it. */
export class Collector {
  bytes = Buffer.alloc(0);
  ended = false;
  constructor(readonly source: Duplex) {
    source.on("data", (chunk: Buffer) => (this.bytes = Buffer.concat([this.bytes, chunk])));
    source.on("end", () => (this.ended = true));
    source.on("close", () => (this.ended = true));
  }
  async until(condition: (text: Buffer) => boolean): Promise<Buffer> {
    for (let i = 0; i < 500 && !condition(this.bytes); i++) await new Promise((resolve) => setTimeout(resolve, 1));
    if (!condition(this.bytes)) throw new Error(`never came; got ${JSON.stringify(this.bytes.toString("latin1").slice(0, 500))}`);
    return this.bytes;
  }
}

/** A process whose streams the test holds. */
export function fakeProcess(options: { stderr?: boolean } = {}) {
  let stdout!: ReadableStreamDefaultController<Uint8Array>;
  let stderr: ReadableStreamDefaultController<Uint8Array> | undefined;
  const ended = Promise.withResolvers<{ exitCode: number }>();
  const seen = { stdin: "", stdinEnded: false, sizes: [] as string[], killed: false };
  const process: ExecProcess = {
    stdin: { write: (chunk) => void (seen.stdin += Buffer.from(chunk).toString()), end: () => void (seen.stdinEnded = true) },
    stdout: new ReadableStream({ start: (c) => void (stdout = c) }),
    ...(options.stderr === false ? {} : { stderr: new ReadableStream<Uint8Array>({ start: (c) => void (stderr = c) }) }),
    resize: (columns, rows) => void seen.sizes.push(`${columns}x${rows}`),
    exited: ended.promise,
    kill() {
      seen.killed = true;
      exit(137);
    },
  };
  let done = false;
  const exit = (exitCode: number) => {
    if (done) return;
    done = true;
    stdout.close();
    stderr?.close();
    ended.resolve({ exitCode });
  };
  return { process, seen, exit, out: (text: string) => stdout.enqueue(Buffer.from(text)), err: (text: string) => stderr?.enqueue(Buffer.from(text)) };
}

/** The client's side of a SPDY session, enough to open streams and read what comes. */
export class SpdyClient {
  readonly frames: Frame[] = [];
  readonly #parser = new FrameParser();
  readonly #deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  #compressed: Buffer[] = [];
  readonly decoder = new HeaderDecoder();
  #nextId = 1;

  constructor(readonly transport: Duplex) {
    this.#deflate.on("data", (chunk: Buffer) => this.#compressed.push(chunk));
    transport.on("data", (chunk: Buffer) => this.frames.push(...this.#parser.feed(chunk)));
  }

  async open(headers: HeaderMap, fin = false): Promise<number> {
    const streamId = this.#nextId;
    this.#nextId += 2;
    this.#compressed = [];
    this.#deflate.write(formatHeaderBlock(headers));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    this.send({ type: "syn_stream", streamId, fin, unidirectional: false, block: Buffer.concat(this.#compressed) });
    return streamId;
  }

  send(frame: Frame): void {
    this.transport.write(encodeFrame(frame));
  }

  data(streamId: number, text: string | Buffer, fin = false): void {
    this.send({ type: "data", streamId, fin, data: Buffer.from(text) });
  }

  /** All data of a stream so far. */
  received(streamId: number): string {
    return Buffer.concat(
      this.frames.filter((f) => f.type === "data" && f.streamId === streamId).map((f) => (f.type === "data" ? f.data : Buffer.alloc(0))),
    ).toString();
  }

  has(predicate: (frame: Frame) => boolean): boolean {
    return this.frames.some(predicate);
  }
}

export async function eventually(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 5_000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 1));
  if (!condition()) throw new Error("the condition never came true");
}
