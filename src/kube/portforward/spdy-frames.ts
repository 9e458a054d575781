/** As much of SPDY/3.1 as a port-forward's client needs (draft-mbelshe-httpbis-spdy-00). */
import { ChainmailError } from "../../base/index.ts";

export type SpdyFrame =
  | { type: "data"; streamId: number; fin: boolean; data: Buffer }
  | { type: "syn_reply"; streamId: number; fin: boolean }
  | { type: "rst_stream"; streamId: number; status: number }
  | { type: "ping"; id: number }
  | { type: "goaway" };

const VERSION = 0x8003;
const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FIN = 1;
const MAX_FRAME = 1 << 20;

/** zlib's head for a stream with a preset dictionary, SPDY/3's by its Adler-32. Stored blocks never refer to it. */
const ZLIB_START = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);
const SYNC_FLUSH = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);

/** Writes SYN_STREAMs; their header blocks share one compression context, so there is one of these a connection. */
export class SynStreamEncoder {
  #begun = false;

  encode(streamId: number, headers: Record<string, string>): Buffer {
    const block = headerBlock(headers);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(block.length, 1);
    stored.writeUInt16LE(~block.length & 0xffff, 3);
    const compressed = Buffer.concat([...(this.#begun ? [] : [ZLIB_START]), stored, block, SYNC_FLUSH]);
    this.#begun = true;
    return control(SYN_STREAM, Buffer.concat([words(streamId, 0), Buffer.alloc(2), compressed]));
  }
}

export function dataFrame(streamId: number, data: Uint8Array, fin: boolean): Buffer {
  return Buffer.concat([words(streamId, ((fin ? FIN : 0) << 24) | data.length), data]);
}

export function pingFrame(id: number): Buffer {
  return control(PING, words(id));
}

/** Cuts bytes into frames. What a client need not know (settings, windows, header blocks) is skipped. */
export class SpdyFrameParser {
  #pending: Buffer = Buffer.alloc(0);

  feed(bytes: Uint8Array): SpdyFrame[] {
    this.#pending = this.#pending.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#pending, bytes]);
    const frames: SpdyFrame[] = [];
    while (this.#pending.length >= 8) {
      const length = this.#pending.readUIntBE(5, 3);
      if (length > MAX_FRAME) throw new ChainmailError("SPDY_PROTOCOL", `the API server sent a SPDY frame of ${length} bytes, over the limit of ${MAX_FRAME}`);
      if (this.#pending.length < 8 + length) break;
      const frame = decode(this.#pending.subarray(0, 8), this.#pending.subarray(8, 8 + length));
      this.#pending = this.#pending.subarray(8 + length);
      if (frame) frames.push(frame);
    }
    return frames;
  }
}

function decode(head: Buffer, payload: Buffer): SpdyFrame | undefined {
  const fin = ((head[4] ?? 0) & FIN) !== 0;
  if (((head[0] ?? 0) & 0x80) === 0) return { type: "data", streamId: head.readUInt32BE(0), fin, data: payload };
  const word = (index: number) => {
    if (payload.length < index * 4 + 4) throw new ChainmailError("SPDY_PROTOCOL", "the API server sent a SPDY frame that is cut off");
    return payload.readUInt32BE(index * 4);
  };
  switch (head.readUInt16BE(2)) {
    case SYN_REPLY:
      return { type: "syn_reply", streamId: word(0) & 0x7fffffff, fin };
    case RST_STREAM:
      return { type: "rst_stream", streamId: word(0) & 0x7fffffff, status: word(1) };
    case PING:
      return { type: "ping", id: word(0) };
    case GOAWAY:
      return { type: "goaway" };
    default:
      return undefined;
  }
}

function control(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, payload]);
}

function headerBlock(headers: Record<string, string>): Buffer {
  const entries = Object.entries(headers);
  return Buffer.concat([
    words(entries.length),
    ...entries.flat().flatMap((text) => {
      const bytes = Buffer.from(text, "utf8");
      return [words(bytes.length), bytes];
    }),
  ]);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}
