import type { HeaderMap } from "../http/header-map.ts";
import type { Channel } from "../net/channel.ts";
import { Flag, Frame, FRAME_HEADER, MAX_FRAME } from "./frames.ts";
import { fieldBound, writeField } from "./hpack-encoder.ts";

/** Buffers that sessions borrow between their first frame and the flush; a few serve any number of idle connections. */
const POOL: Buffer[] = [];
const MAX_POOL = 16;
/** A good many frames of a busy connection in one write, without many pages for an idle one. */
const BUFFER_SIZE = 128 * 1024;

/**
 * Puts frames together and sends them in as few writes as possible: all that one event has caused leaves at its end.
 */
export class FrameWriter {
  /** Frames since the socket last took everything, and those of them that answer the peer's. */
  frames = 0;
  control = 0;
  /** DATA frames so far. */
  dataFrames = 0;
  #buffer: Buffer | undefined;
  #length = 0;
  #scheduled = false;

  constructor(
    private readonly channel: Channel,
    private readonly stats: { tx_reset: number; goaway_sent: number },
  ) {}

  raw(bytes: Buffer): void {
    const buffer = this.#room(bytes.length);
    buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  data(stream: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    let at = start;
    do {
      const length = Math.min(MAX_FRAME, end - at);
      const last = at + length === end;
      this.dataFrames++;
      const buffer = this.#header(length, Frame.DATA, last && endStream ? Flag.END_STREAM : 0, stream);
      buffer.set(bytes.subarray(at, at + length), this.#length);
      this.#length += length;
      at += length;
    } while (at < end);
  }

  /** A header block, split into CONTINUATION frames where it must be. Returns its size. */
  fields(stream: number, first: readonly (readonly [string, string])[], headers: HeaderMap, endStream: boolean): number {
    const { names, values } = headers;
    let bound = FRAME_HEADER;
    for (const [name, value] of first) bound += fieldBound(name, value);
    for (let i = 0; i < names.length; i++) bound += fieldBound(names[i] as string, values[i] as string);
    const large = bound > MAX_FRAME;
    const buffer = large ? Buffer.allocUnsafe(bound) : this.#room(bound);
    const start = (large ? 0 : this.#length) + FRAME_HEADER;
    let to = start;
    for (const [name, value] of first) to = writeField(buffer, to, name, value);
    for (let i = 0; i < names.length; i++) to = writeField(buffer, to, names[i] as string, values[i] as string);
    const size = to - start;
    const ending = endStream ? Flag.END_STREAM : 0;
    if (!large) {
      this.frames++;
      writeHeader(buffer, this.#length, size, Frame.HEADERS, Flag.END_HEADERS | ending, stream);
      this.#length = to;
      return size;
    }
    for (let at = 0; at < size; at += MAX_FRAME) {
      const length = Math.min(MAX_FRAME, size - at);
      const last = at + length === size ? Flag.END_HEADERS : 0;
      const out = this.#header(length, at === 0 ? Frame.HEADERS : Frame.CONTINUATION, at === 0 ? last | ending : last, stream);
      out.set(buffer.subarray(start + at, start + at + length), this.#length);
      this.#length += length;
    }
    return size;
  }

  settings(values: readonly (readonly [number, number])[]): void {
    const buffer = this.#header(values.length * 6, Frame.SETTINGS, 0, 0);
    for (const [name, value] of values) {
      this.#length = buffer.writeUInt16BE(name, this.#length);
      this.#length = buffer.writeUInt32BE(value, this.#length);
    }
  }

  settingsAck(): void {
    this.control++;
    this.#header(0, Frame.SETTINGS, Flag.ACK, 0);
  }

  pingAck(bytes: Buffer, start: number): void {
    this.control++;
    const buffer = this.#header(8, Frame.PING, Flag.ACK, 0);
    buffer.set(bytes.subarray(start, start + 8), this.#length);
    this.#length += 8;
  }

  reset(stream: number, code: number): void {
    this.control++;
    this.stats.tx_reset++;
    this.#word(Frame.RST_STREAM, stream, code);
  }

  windowUpdate(stream: number, increment: number): void {
    this.#word(Frame.WINDOW_UPDATE, stream, increment);
  }

  goaway(lastStream: number, code: number): void {
    this.stats.goaway_sent++;
    const buffer = this.#header(8, Frame.GOAWAY, 0, 0);
    this.#length = buffer.writeUInt32BE(lastStream, this.#length);
    this.#length = buffer.writeUInt32BE(code, this.#length);
  }

  flush(): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    if (!buffer) return;
    const length = this.#length;
    this.#length = 0;
    this.channel.writeLent(buffer, 0, length);
    if (!this.channel.congested) this.drained();
    if (POOL.length < MAX_POOL) POOL.push(buffer);
  }

  /** The socket has taken everything. */
  drained(): void {
    this.frames = 0;
    this.control = 0;
  }

  #word(type: number, stream: number, value: number): void {
    const buffer = this.#header(4, type, 0, stream);
    this.#length = buffer.writeUInt32BE(value >>> 0, this.#length);
  }

  /** Writes a frame's header, with room for its payload after it. */
  #header(length: number, type: number, flags: number, stream: number): Buffer {
    const buffer = this.#room(FRAME_HEADER + length);
    this.frames++;
    this.#length = writeHeader(buffer, this.#length, length, type, flags, stream);
    return buffer;
  }

  #room(bytes: number): Buffer {
    if (this.#buffer && this.#length + bytes > BUFFER_SIZE) this.flush();
    if (!this.#buffer) {
      this.#buffer = POOL.pop() ?? Buffer.allocUnsafeSlow(BUFFER_SIZE);
      if (!this.#scheduled) {
        this.#scheduled = true;
        queueMicrotask(() => {
          this.#scheduled = false;
          this.flush();
        });
      }
    }
    return this.#buffer;
  }
}

function writeHeader(buffer: Buffer, at: number, length: number, type: number, flags: number, stream: number): number {
  buffer[at] = length >> 16;
  buffer[at + 1] = length >> 8;
  buffer[at + 2] = length;
  buffer[at + 3] = type;
  buffer[at + 4] = flags;
  return buffer.writeUInt32BE(stream, at + 5);
}
