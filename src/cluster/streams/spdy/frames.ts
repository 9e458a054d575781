import { StreamProtocolError } from "../errors.ts";

/** SPDY/3.1 frames (draft-mbelshe-httpbis-spdy-00 with 3.1's session window). Header blocks are still compressed here. */
export type Frame =
  | { type: "syn_stream"; streamId: number; fin: boolean; unidirectional: boolean; block: Buffer }
  | { type: "syn_reply"; streamId: number; fin: boolean; block: Buffer }
  | { type: "headers"; streamId: number; fin: boolean; block: Buffer }
  | { type: "rst_stream"; streamId: number; status: number }
  | { type: "settings"; entries: { id: number; value: number }[] }
  | { type: "ping"; id: number }
  | { type: "goaway"; lastStreamId: number; status: number }
  | { type: "window_update"; streamId: number; delta: number }
  | { type: "data"; streamId: number; fin: boolean; data: Buffer };

const VERSION = 3;
const HEADER_BYTES = 8;
/** Clients send 32 KiB pieces; whoever sends a megabyte in one frame only wants our memory. */
const MAX_FRAME = 1 << 20;
const FLAG_FIN = 0x01;
const FLAG_UNIDIRECTIONAL = 0x02;
const TYPES = { syn_stream: 1, syn_reply: 2, rst_stream: 3, settings: 4, ping: 6, goaway: 7, headers: 8, window_update: 9 } as const;

/** Cuts a byte stream into frames, wherever its pieces end. */
export class FrameParser {
  #chunks: Buffer[] = [];
  #size = 0;

  /** The frames that are complete now. Throws StreamProtocolError on what is no SPDY/3 frame. */
  feed(bytes: Uint8Array): Frame[] {
    this.#chunks.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    this.#size += bytes.length;
    const frames: Frame[] = [];
    while (this.#size >= HEADER_BYTES) {
      const header = this.#peek(HEADER_BYTES);
      const length = header.readUIntBE(5, 3);
      if (length > MAX_FRAME) throw new StreamProtocolError(`SPDY frame of ${length} bytes is over the limit of ${MAX_FRAME}`);
      if (this.#size < HEADER_BYTES + length) break;
      const whole = this.#take(HEADER_BYTES + length);
      const frame = decode(whole.subarray(0, HEADER_BYTES), whole.subarray(HEADER_BYTES));
      if (frame) frames.push(frame);
    }
    return frames;
  }

  #peek(count: number): Buffer {
    const [first] = this.#chunks;
    if (first && first.length >= count) return first;
    this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #take(count: number): Buffer {
    const all = this.#peek(count);
    this.#size -= count;
    const rest = all.subarray(count);
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    return all.subarray(0, count);
  }
}

export function encodeFrame(frame: Frame): Buffer {
  if (frame.type === "data") {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(frame.streamId, 0);
    header.writeUInt32BE(((frame.fin ? FLAG_FIN : 0) << 24) | frame.data.length, 4);
    return Buffer.concat([header, frame.data]);
  }
  const { flags, payload } = controlPayload(frame);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(0x8000 | VERSION, 0);
  header.writeUInt16BE(TYPES[frame.type], 2);
  header.writeUInt32BE((flags << 24) | payload.length, 4);
  return Buffer.concat([header, payload]);
}

function controlPayload(frame: Exclude<Frame, { type: "data" }>): { flags: number; payload: Buffer } {
  const fin = "fin" in frame && frame.fin ? FLAG_FIN : 0;
  switch (frame.type) {
    case "syn_stream":
      return {
        flags: fin | (frame.unidirectional ? FLAG_UNIDIRECTIONAL : 0),
        payload: Buffer.concat([words(frame.streamId, 0), Buffer.alloc(2), frame.block]),
      };
    case "syn_reply":
    case "headers":
      return { flags: fin, payload: Buffer.concat([words(frame.streamId), frame.block]) };
    case "rst_stream":
      return { flags: 0, payload: words(frame.streamId, frame.status) };
    case "settings":
      return { flags: 0, payload: Buffer.concat([words(frame.entries.length), ...frame.entries.map(({ id, value }) => words(id, value))]) };
    case "ping":
      return { flags: 0, payload: words(frame.id) };
    case "goaway":
      return { flags: 0, payload: words(frame.lastStreamId, frame.status) };
    case "window_update":
      return { flags: 0, payload: words(frame.streamId, frame.delta) };
  }
}

/** Undefined for control frames of a type that we do not know, which the draft says to ignore. */
function decode(header: Buffer, payload: Buffer): Frame | undefined {
  const flags = header[4] ?? 0;
  const fin = (flags & FLAG_FIN) !== 0;
  if (((header[0] ?? 0) & 0x80) === 0) return { type: "data", streamId: header.readUInt32BE(0), fin, data: payload };
  const version = header.readUInt16BE(0) & 0x7fff;
  if (version !== VERSION) throw new StreamProtocolError(`SPDY version ${version} is not 3`);
  const word = (index: number): number => {
    if (payload.length < (index + 1) * 4) throw new StreamProtocolError("SPDY control frame is too short");
    return payload.readUInt32BE(index * 4);
  };
  const id = (index: number): number => word(index) & 0x7fffffff;
  switch (header.readUInt16BE(2)) {
    case TYPES.syn_stream:
      if (payload.length < 10) throw new StreamProtocolError("SYN_STREAM is too short");
      return { type: "syn_stream", streamId: id(0), fin, unidirectional: (flags & FLAG_UNIDIRECTIONAL) !== 0, block: payload.subarray(10) };
    case TYPES.syn_reply:
      return { type: "syn_reply", streamId: id(0), fin, block: payload.subarray(4) };
    case TYPES.headers:
      return { type: "headers", streamId: id(0), fin, block: payload.subarray(4) };
    case TYPES.rst_stream:
      return { type: "rst_stream", streamId: id(0), status: word(1) };
    case TYPES.settings: {
      const count = word(0);
      if (payload.length !== 4 + count * 8) throw new StreamProtocolError("SETTINGS has the wrong length");
      return { type: "settings", entries: Array.from({ length: count }, (_, i) => ({ id: word(1 + i * 2) & 0xffffff, value: word(2 + i * 2) })) };
    }
    case TYPES.ping:
      return { type: "ping", id: word(0) };
    case TYPES.goaway:
      return { type: "goaway", lastStreamId: id(0), status: word(1) };
    case TYPES.window_update:
      return { type: "window_update", streamId: id(0), delta: id(1) };
    default:
      return undefined;
  }
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}
