import { CHUNKED, parseTrailers, UNTIL_CLOSE, type HeadLimits } from "./head-parser.ts";
import type { HeaderMap } from "./header-map.ts";
import { MessageError } from "./message-error.ts";

export interface BodySink {
  /** A slice of the body, chunk framing taken off. The bytes stay valid. */
  onBody(bytes: Buffer, start: number, end: number): void;
  /** Whole chunks, or a part of a large one, as they came, where `passFraming` has asked for that; `size` bytes are the body's. */
  onFramed?(bytes: Buffer, start: number, end: number, size: number): void;
}

const enum State {
  /** Content-Length bytes or the data of a chunk. */
  Data,
  UntilClose,
  /** The first hex digit of a chunk's size must come. */
  SizeStart,
  Size,
  Extension,
  SizeLineFeed,
  DataReturn,
  DataLineFeed,
  Trailers,
  Done,
}

/** A size of more digits is over 2^52 and no chunk (RFC 9112, 7.1: recipients must expect overflow). */
const MAX_SIZE_DIGITS = 13;
/** llhttp allows any length of chunk extensions, Envoy too; nobody needs more than this in one message. */
const MAX_EXTENSION_BYTES = 4096;
/**
 * A chunk of so many bytes passes before its end has come. When the server breaks off within it, so does what was passed;
 * of a smaller one the client sees what came as a chunk of its own, as with Envoy.
 */
const LARGE_CHUNK = 16 * 1024;

/** Reads the body of one message after another on a connection: `begin`, then `read` until `done`. */
export class BodyReader {
  /** Set at the end of a chunked body that had trailer lines. */
  trailers: HeaderMap | undefined;
  #state: State = State.Done;
  #remaining = 0;
  #digits = 0;
  #extension = 0;
  #trailer: Buffer | undefined;
  #chunked = false;
  #framed = false;
  /** What is being read does not pass with its framing. */
  #unframed = false;
  /** Since where in this read framing and data pass, and how many of these bytes are data. */
  #from = 0;
  #size = 0;
  /** Where in this read the chunk begins; -1 when it began before. */
  #chunkAt = -1;
  /** Its size is written without leading zeros and extensions. */
  #plain = false;

  constructor(private readonly limits: HeadLimits) {}

  get done(): boolean {
    return this.#state === State.Done;
  }

  /** True when only the end of the connection ends this body. */
  get untilClose(): boolean {
    return this.#state === State.UntilClose;
  }

  /** True while bytes that were read are kept: trailers whose end has not come. */
  get keeps(): boolean {
    return this.#trailer !== undefined;
  }

  begin(bodyLength: number): void {
    this.trailers = undefined;
    this.#chunked = bodyLength === CHUNKED;
    this.#framed = false;
    this.#extension = 0;
    this.#trailer = undefined;
    if (bodyLength === CHUNKED) this.#state = State.SizeStart;
    else if (bodyLength === UNTIL_CLOSE) this.#state = State.UntilClose;
    else {
      this.#remaining = bodyLength;
      this.#state = bodyLength === 0 ? State.Done : State.Data;
    }
  }

  /**
   * A chunked body that begins shall keep its framing, since it goes on chunked: a read passes in one piece then. Only
   * framing that leaves nothing to understand passes: plain digits before a chunk that is all here, or too large to wait
   * for. Of all others the data are told alone, and the last chunk is left to whoever ends the body.
   */
  passFraming(): void {
    this.#framed = this.#chunked;
    this.#unframed = true;
  }

  /** Takes what belongs to this body from `bytes[start…]`; returns the offset after it. Throws MessageError. */
  read(bytes: Buffer, start: number, sink: BodySink): number {
    if (!this.#framed) return this.#read(bytes, start, sink);
    this.#from = start;
    this.#chunkAt = -1;
    const at = this.#read(bytes, start, sink);
    if (this.#chunkAt >= 0 && (this.#state === State.Size || this.#state === State.Extension || this.#state === State.SizeLineFeed))
      this.#stopPassing(bytes, this.#chunkAt, sink);
    else this.#pass(bytes, at, sink);
    return at;
  }

  #read(bytes: Buffer, start: number, sink: BodySink): number {
    let at = start;
    const end = bytes.length;
    while (at < end) {
      switch (this.#state) {
        case State.UntilClose:
          sink.onBody(bytes, at, end);
          return end;
        case State.Data: {
          const to = Math.min(end, at + this.#remaining);
          this.#remaining -= to - at;
          if (this.#remaining === 0) this.#state = this.#chunked ? State.DataReturn : State.Done;
          if (this.#framed && !this.#unframed) this.#size += to - at;
          else sink.onBody(bytes, at, to);
          at = to;
          break;
        }
        case State.SizeStart:
          this.#chunkAt = at;
          this.#plain = bytes[at] !== 0x30;
          this.#remaining = hexDigit(bytes[at++] as number);
          this.#digits = 1;
          this.#state = State.Size;
          break;
        case State.Size: {
          const byte = bytes[at++] as number;
          if (byte === 0x0d) this.#state = State.SizeLineFeed;
          else if (byte === 0x3b) {
            this.#plain = false;
            this.#state = State.Extension;
          } else {
            if (++this.#digits > MAX_SIZE_DIGITS) throw MessageError.malformed("a chunk size is too large");
            this.#remaining = this.#remaining * 16 + hexDigit(byte);
          }
          break;
        }
        case State.Extension: {
          const byte = bytes[at++] as number;
          if (byte === 0x0d) this.#state = State.SizeLineFeed;
          else if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f || ++this.#extension > MAX_EXTENSION_BYTES) {
            throw MessageError.malformed("a chunk extension is not allowed");
          }
          break;
        }
        case State.SizeLineFeed:
          expect(bytes[at++], 0x0a);
          if (this.#framed) this.#beginChunk(bytes, at, sink);
          if (this.#remaining === 0) {
            this.#state = State.Trailers;
            this.#trailer = undefined;
          } else this.#state = State.Data;
          break;
        case State.DataReturn:
          expect(bytes[at++], 0x0d);
          this.#state = State.DataLineFeed;
          break;
        case State.DataLineFeed:
          expect(bytes[at++], 0x0a);
          this.#state = State.SizeStart;
          break;
        case State.Trailers:
          at = this.#readTrailers(bytes, at);
          break;
        case State.Done:
          return at;
      }
    }
    return at;
  }

  /** A chunk's size is known, and its data are at `at`. */
  #beginChunk(bytes: Buffer, at: number, sink: BodySink): void {
    const size = this.#remaining;
    const passes = size > 0 && this.#plain && this.#chunkAt >= 0 && (size >= LARGE_CHUNK || size + 2 <= bytes.length - at);
    if (!passes) this.#stopPassing(bytes, this.#chunkAt, sink);
    else if (this.#unframed) {
      this.#unframed = false;
      this.#from = this.#chunkAt;
    }
  }

  #stopPassing(bytes: Buffer, at: number, sink: BodySink): void {
    this.#pass(bytes, at, sink);
    this.#unframed = true;
  }

  #pass(bytes: Buffer, to: number, sink: BodySink): void {
    if (!this.#unframed && to > this.#from) sink.onFramed?.(bytes, this.#from, to, this.#size);
    this.#size = 0;
  }

  #readTrailers(bytes: Buffer, start: number): number {
    const held = this.#trailer;
    const all = held ? Buffer.concat([held, bytes.subarray(start)]) : bytes.subarray(start);
    const end = all.length >= 2 && all[0] === 0x0d && all[1] === 0x0a ? 2 : trailerEnd(all);
    if (end < 0) {
      if (all.length > this.limits.maxBytes) throw MessageError.trailersTooLarge();
      this.#trailer = all;
      return bytes.length;
    }
    if (end > 2) this.trailers = parseTrailers(all, 0, end, this.limits);
    this.#state = State.Done;
    this.#trailer = undefined;
    return start + end - (held?.length ?? 0);
  }
}

function trailerEnd(bytes: Buffer): number {
  const at = bytes.indexOf("\r\n\r\n", 0, "latin1");
  return at < 0 ? -1 : at + 4;
}

function expect(byte: number | undefined, wanted: number): void {
  if (byte !== wanted) throw MessageError.malformed("a chunk does not end with CRLF");
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  if (lower >= 0x61 && lower <= 0x66) return lower - 0x57;
  throw MessageError.malformed("a chunk size is not hexadecimal");
}
