import { ENTRY_OVERHEAD, STATIC_TABLE, TABLE_SIZE } from "../http2/static-table.ts";
import { huffmanDecode } from "./huffman.ts";

/** Names in lower case; order kept, repeats allowed. */
export type HeaderList = [name: string, value: string][];

/**
 * HPACK (RFC 7541) for control-plane traffic: a full decoder, and an encoder that never indexes, since a handful of
 * streams a connection leaves nothing to gain from a dynamic table.
 */
export class HpackDecoder {
  #table: HeaderList = [];
  #size = 0;
  #limit = TABLE_SIZE;

  /** Throws RangeError on malformed input: a connection error of type COMPRESSION_ERROR. `maxBytes` bounds what comes out. */
  decode(block: Uint8Array, maxBytes: number): HeaderList {
    const input = { bytes: block, at: 0 };
    const headers: HeaderList = [];
    let total = 0;
    const push = (name: string, value: string): void => {
      total += name.length + value.length + ENTRY_OVERHEAD;
      if (total > maxBytes) throw new RangeError(`HPACK: header list above ${maxBytes} bytes`);
      headers.push([name, value]);
    };
    while (input.at < block.length) {
      const first = block[input.at] ?? 0;
      if (first & 0x80) {
        const [name, value] = this.#lookup(readInteger(input, 7));
        push(name, value);
      } else if (first & 0x40) {
        const [name, value] = this.#literal(input, 6);
        this.#add(name, value);
        push(name, value);
      } else if (first & 0x20) {
        const limit = readInteger(input, 5);
        if (limit > TABLE_SIZE) throw new RangeError("HPACK: table size above what was announced");
        this.#limit = limit;
        this.#evict();
      } else {
        const [name, value] = this.#literal(input, 4);
        push(name, value);
      }
    }
    return headers;
  }

  #literal(input: Cursor, prefix: number): [string, string] {
    const index = readInteger(input, prefix);
    const name = index === 0 ? readString(input) : this.#lookup(index)[0];
    return [name, readString(input)];
  }

  #lookup(index: number): readonly [string, string] {
    const entry = index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.#table[index - STATIC_TABLE.length - 1];
    if (!entry) throw new RangeError(`HPACK: no table entry ${index}`);
    return entry;
  }

  #add(name: string, value: string): void {
    this.#table.unshift([name, value]);
    this.#size += name.length + value.length + ENTRY_OVERHEAD;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#limit) {
      const last = this.#table.pop();
      if (!last) break;
      this.#size -= last[0].length + last[1].length + ENTRY_OVERHEAD;
    }
  }
}

/** Encodes without the dynamic table; values are latin1. `authorization` goes as never-indexed (RFC 7541 7.1.3). */
export function hpackEncode(headers: HeaderList): Uint8Array {
  const out: number[] = [];
  for (const [name, value] of headers) {
    const full = STATIC_TABLE.findIndex((entry) => entry[0] === name && entry[1] === value && value !== "");
    if (full >= 0) {
      writeInteger(out, 7, 0x80, full + 1);
      continue;
    }
    const pattern = name === "authorization" ? NEVER_INDEXED : WITHOUT_INDEXING;
    const named = STATIC_TABLE.findIndex((entry) => entry[0] === name);
    writeInteger(out, 4, pattern, named + 1);
    if (named < 0) writeString(out, name);
    writeString(out, value);
  }
  return Uint8Array.from(out);
}

interface Cursor {
  bytes: Uint8Array;
  at: number;
}

const WITHOUT_INDEXING = 0x00;
const NEVER_INDEXED = 0x10;

function readInteger(input: Cursor, prefix: number): number {
  const mask = (1 << prefix) - 1;
  let value = nextByte(input) & mask;
  if (value < mask) return value;
  for (let shift = 0; ; shift += 7) {
    // Four continuation bytes are 2^28: far above any length that we accept.
    if (shift > 21) throw new RangeError("HPACK: integer too large");
    const byte = nextByte(input);
    value += (byte & 0x7f) << shift;
    if ((byte & 0x80) === 0) return value;
  }
}

function readString(input: Cursor): string {
  const huffman = ((input.bytes[input.at] ?? 0) & 0x80) !== 0;
  const length = readInteger(input, 7);
  const end = input.at + length;
  if (end > input.bytes.length) throw new RangeError("HPACK: string runs past the block");
  const bytes = input.bytes.subarray(input.at, end);
  input.at = end;
  return huffman ? huffmanDecode(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function nextByte(input: Cursor): number {
  const byte = input.bytes[input.at++];
  if (byte === undefined) throw new RangeError("HPACK: block ends early");
  return byte;
}

function writeInteger(out: number[], prefix: number, pattern: number, value: number): void {
  const mask = (1 << prefix) - 1;
  if (value < mask) {
    out.push(pattern | value);
    return;
  }
  out.push(pattern | mask);
  let rest = value - mask;
  for (; rest >= 128; rest >>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
}

function writeString(out: number[], text: string): void {
  const bytes = Buffer.from(text, "latin1");
  writeInteger(out, 7, 0, bytes.length);
  for (const byte of bytes) out.push(byte);
}
