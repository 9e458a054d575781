import { HpackDecoder, hpackEncode, type HeaderList } from "./hpack.ts";

/** What a connection writes to: the part of a Bun socket that it needs. */
export interface ByteSink {
  /** Takes as many bytes as fit now and says how many; negative when closed. */
  write(bytes: Uint8Array): number;
  end(): void;
}

export interface StreamHandlers {
  headers(headers: HeaderList, endStream: boolean): void;
  data(chunk: Uint8Array, endStream: boolean): void;
  /** The peer's RST_STREAM code, or -1 when the connection ended under the stream. */
  reset(code: number): void;
}

export interface ConnectionHandlers {
  /** Server role only: a peer opened a stream. */
  stream?(stream: Http2Stream, headers: HeaderList, endStream: boolean): StreamHandlers;
  /** The peer will take no new streams; those open go on. */
  goaway?(code: number, debug: string): void;
  /** Once, when nothing more can come: the reason for logs. */
  closed(reason: string): void;
}

export interface Http2Stream {
  readonly id: number;
  sendHeaders(headers: HeaderList, endStream?: boolean): void;
  /** Queued while flow control or the socket holds it back. */
  sendData(bytes: Uint8Array, endStream?: boolean): void;
  reset(code: number): void;
}

/** RFC 9113 error codes that we send. */
export const H2 = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  FLOW_CONTROL_ERROR: 3,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/**
 * One HTTP/2 connection over any byte stream, as client or server: framing, HPACK, both flow controls, PING and GOAWAY.
 * It carries the control plane's few streams; it does not do priorities or push. The owner feeds `receive` and `drained`.
 */
export class Http2Connection {
  readonly #client: boolean;
  readonly #sink: ByteSink;
  readonly #handlers: ConnectionHandlers;
  readonly #decoder = new HpackDecoder();
  readonly #streams = new Map<number, StreamState>();
  #unparsed: Buffer = Buffer.alloc(0);
  #unwritten: Uint8Array[] = [];
  #prefaceDue: boolean;
  #nextId = 1;
  #lastPeerId = 0;
  #sendWindow = DEFAULT_WINDOW;
  #peerInitialWindow = DEFAULT_WINDOW;
  #received = 0;
  #headerBlock: { id: number; endStream: boolean; parts: Uint8Array[]; bytes: number } | undefined;
  #pings: (() => void)[] = [];
  #goingAway = false;
  #closed = false;

  constructor(role: "client" | "server", sink: ByteSink, handlers: ConnectionHandlers) {
    this.#client = role === "client";
    this.#prefaceDue = role === "server";
    this.#sink = sink;
    this.#handlers = handlers;
    if (this.#client) this.#write(Buffer.from(PREFACE, "latin1"));
    this.#frame(
      TYPE.SETTINGS,
      0,
      0,
      settings([SETTING.ENABLE_PUSH, 0], [SETTING.INITIAL_WINDOW_SIZE, STREAM_WINDOW], [SETTING.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST]),
    );
    this.#frame(TYPE.WINDOW_UPDATE, 0, 0, uint32(CONNECTION_WINDOW - DEFAULT_WINDOW));
  }

  /** True while new streams may be opened. */
  get usable(): boolean {
    return !this.#closed && !this.#goingAway;
  }

  /** Opens a stream as client. The handlers hear nothing before this returns. */
  open(headers: HeaderList, handlers: StreamHandlers): Http2Stream {
    if (!this.usable) throw new Error("HTTP/2 connection is closing");
    const stream = new StreamState(this.#nextId, handlers, this.#peerInitialWindow);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    const handle = this.#handle(stream);
    handle.sendHeaders(headers);
    return handle;
  }

  /** Calls back when the peer answered. */
  ping(answered: () => void): void {
    this.#pings.push(answered);
    this.#frame(TYPE.PING, 0, 0, new Uint8Array(8));
  }

  /** Bytes from the peer. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    let input = this.#unparsed.length > 0 ? Buffer.concat([this.#unparsed, bytes]) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (this.#prefaceDue) {
      if (input.length < PREFACE.length) {
        this.#unparsed = Buffer.from(input);
        return;
      }
      if (input.toString("latin1", 0, PREFACE.length) !== PREFACE) return this.#fail(H2.PROTOCOL_ERROR, "no HTTP/2 preface");
      this.#prefaceDue = false;
      input = input.subarray(PREFACE.length);
    }
    while (input.length >= FRAME_HEADER && !this.#closed) {
      const length = input.readUIntBE(0, 3);
      if (length > MAX_FRAME) return this.#fail(H2.FRAME_SIZE_ERROR, `frame of ${length} bytes`);
      if (input.length < FRAME_HEADER + length) break;
      this.#onFrame(input[3] ?? 0, input[4] ?? 0, input.readUInt32BE(5) & 0x7fffffff, input.subarray(FRAME_HEADER, FRAME_HEADER + length));
      input = input.subarray(FRAME_HEADER + length);
    }
    // Copied, since the socket may reuse what it handed over.
    this.#unparsed = Buffer.from(input);
  }

  /** The sink takes bytes again. */
  drained(): void {
    const waiting = this.#unwritten;
    this.#unwritten = [];
    for (const bytes of waiting) this.#write(bytes);
    for (const stream of this.#streams.values()) this.#pump(stream);
  }

  /** Ends the connection after what is queued; streams still open hear `reset`. */
  close(code: number = H2.NO_ERROR, reason = "closed here"): void {
    if (this.#closed) return;
    this.#frame(TYPE.GOAWAY, 0, 0, Buffer.concat([uint32(this.#lastPeerId), uint32(code)]));
    this.#sink.end();
    this.ended(reason);
  }

  /** The byte stream is gone. */
  ended(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwritten = [];
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.handlers?.reset(-1);
    this.#handlers.closed(reason);
  }

  #fail(code: number, reason: string): void {
    this.close(code, `HTTP/2 error: ${reason}`);
  }

  #onFrame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.#headerBlock && (type !== TYPE.CONTINUATION || id !== this.#headerBlock.id)) return this.#fail(H2.PROTOCOL_ERROR, "header block interrupted");
    switch (type) {
      case TYPE.DATA:
        return this.#onData(flags, id, payload);
      case TYPE.HEADERS: {
        const body = unpad(flags, payload, (flags & FLAG.PRIORITY) !== 0 ? 5 : 0);
        if (!body || id === 0) return this.#fail(H2.PROTOCOL_ERROR, "bad HEADERS frame");
        this.#headerBlock = { id, endStream: (flags & FLAG.END_STREAM) !== 0, parts: [Buffer.from(body)], bytes: body.length };
        return this.#headersMaybeDone(flags);
      }
      case TYPE.CONTINUATION: {
        const block = this.#headerBlock;
        if (!block) return this.#fail(H2.PROTOCOL_ERROR, "CONTINUATION without HEADERS");
        block.parts.push(Buffer.from(payload));
        block.bytes += payload.length;
        if (block.bytes > MAX_HEADER_LIST || block.parts.length > MAX_CONTINUATIONS) return this.#fail(H2.ENHANCE_YOUR_CALM, "header block too large");
        return this.#headersMaybeDone(flags);
      }
      case TYPE.RST_STREAM: {
        if (payload.length !== 4) return this.#fail(H2.FRAME_SIZE_ERROR, "bad RST_STREAM frame");
        const stream = this.#streams.get(id);
        this.#streams.delete(id);
        stream?.handlers?.reset(payload.readUInt32BE(0));
        return;
      }
      case TYPE.SETTINGS:
        return this.#onSettings(flags, payload);
      case TYPE.PING:
        if (payload.length !== 8) return this.#fail(H2.FRAME_SIZE_ERROR, "bad PING frame");
        if (flags & FLAG.ACK) this.#pings.shift()?.();
        else this.#frame(TYPE.PING, FLAG.ACK, 0, payload);
        return;
      case TYPE.GOAWAY:
        if (payload.length < 8) return this.#fail(H2.FRAME_SIZE_ERROR, "bad GOAWAY frame");
        this.#goingAway = true;
        this.#handlers.goaway?.(payload.readUInt32BE(4), payload.toString("latin1", 8));
        return;
      case TYPE.WINDOW_UPDATE:
        return this.#onWindowUpdate(id, payload);
      case TYPE.PUSH_PROMISE:
        return this.#fail(H2.PROTOCOL_ERROR, "PUSH_PROMISE was switched off");
      default:
        // PRIORITY and unknown types are ignored, RFC 9113 5.5.
        return;
    }
  }

  #onData(flags: number, id: number, payload: Buffer): void {
    if (id === 0) return this.#fail(H2.PROTOCOL_ERROR, "DATA on stream 0");
    const body = unpad(flags, payload, 0);
    if (!body) return this.#fail(H2.PROTOCOL_ERROR, "bad padding");
    this.#received += payload.length;
    if (this.#received >= CONNECTION_WINDOW / 2) {
      this.#frame(TYPE.WINDOW_UPDATE, 0, 0, uint32(this.#received));
      this.#received = 0;
    }
    const stream = this.#streams.get(id);
    if (!stream) return;
    const endStream = (flags & FLAG.END_STREAM) !== 0;
    stream.received += payload.length;
    if (stream.received >= STREAM_WINDOW / 2 && !endStream) {
      this.#frame(TYPE.WINDOW_UPDATE, 0, id, uint32(stream.received));
      stream.received = 0;
    }
    if (endStream) this.#remoteDone(stream);
    stream.handlers?.data(body, endStream);
  }

  #headersMaybeDone(flags: number): void {
    const block = this.#headerBlock;
    if (!block || (flags & FLAG.END_HEADERS) === 0) return;
    this.#headerBlock = undefined;
    let headers: HeaderList;
    try {
      headers = this.#decoder.decode(Buffer.concat(block.parts), MAX_HEADER_LIST);
    } catch (error) {
      return this.#fail(H2.COMPRESSION_ERROR, error instanceof Error ? error.message : String(error));
    }
    let stream = this.#streams.get(block.id);
    if (stream) {
      if (block.endStream) this.#remoteDone(stream);
      stream.handlers?.headers(headers, block.endStream);
      return;
    }
    // A client may still get headers of a stream that it has reset; only servers accept new streams.
    if (this.#client || block.id <= this.#lastPeerId) return;
    if (block.id % 2 === 0 || !this.#handlers.stream) return this.#fail(H2.PROTOCOL_ERROR, `stream ${block.id} not allowed`);
    this.#lastPeerId = block.id;
    if (this.#streams.size >= MAX_STREAMS) return this.#frame(TYPE.RST_STREAM, 0, block.id, uint32(H2.REFUSED_STREAM));
    stream = new StreamState(block.id, undefined, this.#peerInitialWindow);
    this.#streams.set(block.id, stream);
    if (block.endStream) this.#remoteDone(stream);
    stream.handlers = this.#handlers.stream(this.#handle(stream), headers, block.endStream);
  }

  #onSettings(flags: number, payload: Buffer): void {
    if (flags & FLAG.ACK) return;
    if (payload.length % 6 !== 0) return this.#fail(H2.FRAME_SIZE_ERROR, "bad SETTINGS frame");
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case SETTING.INITIAL_WINDOW_SIZE: {
          if (value > MAX_WINDOW) return this.#fail(H2.FLOW_CONTROL_ERROR, "initial window too large");
          const change = value - this.#peerInitialWindow;
          this.#peerInitialWindow = value;
          for (const stream of this.#streams.values()) stream.window += change;
          break;
        }
        case SETTING.MAX_FRAME_SIZE:
          // RFC 9113 6.5.2: never below the default. Larger frames gain nothing here, so the value changes nothing.
          if (value < MAX_FRAME || value > 0xffffff) return this.#fail(H2.PROTOCOL_ERROR, `frame size ${value}`);
          break;
        default:
          break;
      }
    }
    this.#frame(TYPE.SETTINGS, FLAG.ACK, 0, new Uint8Array(0));
    for (const stream of this.#streams.values()) this.#pump(stream);
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) return this.#fail(H2.FRAME_SIZE_ERROR, "bad WINDOW_UPDATE frame");
    const credit = payload.readUInt32BE(0) & 0x7fffffff;
    if (id === 0) {
      this.#sendWindow += credit;
      if (credit === 0 || this.#sendWindow > MAX_WINDOW) return this.#fail(H2.FLOW_CONTROL_ERROR, "bad connection window");
      for (const stream of this.#streams.values()) this.#pump(stream);
      return;
    }
    const stream = this.#streams.get(id);
    if (!stream) return;
    stream.window += credit;
    this.#pump(stream);
  }

  #handle(stream: StreamState): Http2Stream {
    return {
      id: stream.id,
      sendHeaders: (headers, endStream = false) => {
        if (stream.localDone || this.#closed) return;
        // Trailers stay behind queued data.
        if (stream.queue.length > 0) {
          stream.trailers = headers;
          return;
        }
        this.#headers(stream, headers, endStream);
      },
      sendData: (bytes, endStream = false) => {
        if (stream.localDone || this.#closed) return;
        stream.queue.push({ bytes, endStream });
        this.#pump(stream);
      },
      reset: (code) => {
        if (this.#closed || !this.#streams.delete(stream.id)) return;
        stream.localDone = true;
        stream.queue = [];
        this.#frame(TYPE.RST_STREAM, 0, stream.id, uint32(code));
      },
    };
  }

  #headers(stream: StreamState, headers: HeaderList, endStream: boolean): void {
    const block = hpackEncode(headers);
    let flags: number = endStream ? FLAG.END_STREAM : 0;
    for (let at = 0, type: number = TYPE.HEADERS; ; type = TYPE.CONTINUATION, flags = 0) {
      const end = Math.min(at + MAX_FRAME, block.length);
      this.#frame(type, flags | (end === block.length ? FLAG.END_HEADERS : 0), stream.id, block.subarray(at, end));
      at = end;
      if (at >= block.length) break;
    }
    if (endStream) this.#localDone(stream);
  }

  /** Sends what both windows and the socket allow. */
  #pump(stream: StreamState): void {
    while (stream.queue.length > 0 && this.#unwritten.length === 0) {
      const head = stream.queue[0];
      if (!head) break;
      const allowed = Math.min(this.#sendWindow, stream.window, MAX_FRAME);
      if (head.bytes.length > 0 && allowed <= 0) return;
      const chunk = head.bytes.subarray(0, allowed);
      const last = chunk.length === head.bytes.length;
      this.#sendWindow -= chunk.length;
      stream.window -= chunk.length;
      if (last) stream.queue.shift();
      else head.bytes = head.bytes.subarray(chunk.length);
      this.#frame(TYPE.DATA, last && head.endStream ? FLAG.END_STREAM : 0, stream.id, chunk);
      if (last && head.endStream) return this.#localDone(stream);
    }
    if (stream.queue.length === 0 && stream.trailers) {
      const trailers = stream.trailers;
      stream.trailers = undefined;
      this.#headers(stream, trailers, true);
    }
  }

  #localDone(stream: StreamState): void {
    stream.localDone = true;
    if (stream.remoteDone) this.#streams.delete(stream.id);
  }

  #remoteDone(stream: StreamState): void {
    stream.remoteDone = true;
    if (stream.localDone) this.#streams.delete(stream.id);
  }

  #frame(type: number, flags: number, id: number, payload: Uint8Array): void {
    const frame = Buffer.allocUnsafe(FRAME_HEADER + payload.length);
    frame.writeUIntBE(payload.length, 0, 3);
    frame[3] = type;
    frame[4] = flags;
    frame.writeUInt32BE(id, 5);
    frame.set(payload, FRAME_HEADER);
    this.#write(frame);
  }

  #write(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#unwritten.length > 0) {
      this.#unwritten.push(bytes);
      return;
    }
    const taken = Math.max(0, this.#sink.write(bytes));
    if (taken < bytes.length) this.#unwritten.push(bytes.subarray(taken));
  }
}

class StreamState {
  received = 0;
  queue: { bytes: Uint8Array; endStream: boolean }[] = [];
  trailers: HeaderList | undefined;
  localDone = false;
  remoteDone = false;
  constructor(
    readonly id: number,
    public handlers: StreamHandlers | undefined,
    public window: number,
  ) {}
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER = 9;
/** The protocol's minimum and default; we never announce more. */
const MAX_FRAME = 16384;
const DEFAULT_WINDOW = 65535;
const MAX_WINDOW = 0x7fffffff;
/** A 160 KB push (a proxy's full configuration in a small mesh) arrives without a round trip for credit. */
const STREAM_WINDOW = 1 << 20;
const CONNECTION_WINDOW = 4 << 20;
/** A token of a few KB and headers fit many times. */
const MAX_HEADER_LIST = 64 * 1024;
/** Legal blocks need at most four frames of 16 KB; more is the CONTINUATION flood (CVE-2024-27316's kind). */
const MAX_CONTINUATIONS = 16;
/** Servers of this class serve one local Envoy: a stream a secret or resource type. */
const MAX_STREAMS = 256;

const TYPE = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9 } as const;
const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;
const SETTING = { ENABLE_PUSH: 2, INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5, MAX_HEADER_LIST_SIZE: 6 } as const;

function unpad(flags: number, payload: Buffer, prefix: number): Buffer | undefined {
  const padded = (flags & FLAG.PADDED) !== 0;
  const padding = padded ? (payload[0] ?? 0) : 0;
  const start = (padded ? 1 : 0) + prefix;
  const end = payload.length - padding;
  return end < start ? undefined : payload.subarray(start, end);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

function settings(...pairs: [number, number][]): Buffer {
  const bytes = Buffer.allocUnsafe(pairs.length * 6);
  pairs.forEach(([id, value], index) => {
    bytes.writeUInt16BE(id, index * 6);
    bytes.writeUInt32BE(value, index * 6 + 2);
  });
  return bytes;
}
