import { constants, createInflate, type Inflate } from "node:zlib";
import { StreamProtocolError } from "../errors.ts";
import { SPDY_DICTIONARY } from "./dictionary.ts";

/** Names are lower case; several values of one name are joined by a NUL byte. */
export type HeaderMap = Record<string, string>;

/** Kubernetes' stream headers are a hundred bytes: this stops compression bombs. */
const MAX_BLOCK = 64 * 1024;
const MAX_HEADERS = 128;

/** `zlib` header that announces the preset dictionary, and the dictionary's Adler-32. */
const ZLIB_START = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);
/** An empty stored block: what a sync flush ends with; Go's reader waits for it before it hands out what it has. */
const SYNC_FLUSH = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);
const MAX_STORED = 0xffff;

/** Decompresses the header blocks of one direction, which share one context: feed it every block, in order. */
export class HeaderDecoder {
  readonly #inflate: Inflate = createInflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  #output: Buffer[] = [];
  #size = 0;
  #fail: (error: Error) => void = () => {};
  #error: Error | undefined;

  constructor() {
    this.#inflate.on("data", (chunk: Buffer) => {
      this.#size += chunk.length;
      if (this.#size > MAX_BLOCK) this.#broken(new StreamProtocolError(`SPDY header block is over the limit of ${MAX_BLOCK} bytes`));
      else this.#output.push(chunk);
    });
    this.#inflate.on("error", (error: Error) => this.#broken(new StreamProtocolError(`SPDY header block cannot be decompressed: ${error.message}`)));
  }

  /** Call again only after the last call has settled. Throws StreamProtocolError; the connection is then beyond use. */
  async decode(block: Buffer): Promise<HeaderMap> {
    if (this.#error) throw this.#error;
    this.#output = [];
    this.#size = 0;
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      this.#inflate.write(block, () => resolve());
    });
    return parseHeaderBlock(Buffer.concat(this.#output));
  }

  close(): void {
    this.#inflate.destroy();
  }

  #broken(error: Error): void {
    this.#error ??= error;
    this.#inflate.destroy();
    this.#fail(this.#error);
  }
}

/**
 * Writes the header blocks of one direction. What a server sends is a few bytes a stream, so blocks are stored rather
 * than compressed: a valid zlib stream without the cost and memory of a compressor for each connection.
 */
export class HeaderEncoder {
  #begun = false;

  encode(headers: HeaderMap): Buffer {
    const block = formatHeaderBlock(headers);
    const parts: Buffer[] = this.#begun ? [] : [ZLIB_START];
    this.#begun = true;
    for (let offset = 0; offset < block.length; offset += MAX_STORED) {
      const piece = block.subarray(offset, offset + MAX_STORED);
      const head = Buffer.alloc(5);
      head.writeUInt16LE(piece.length, 1);
      head.writeUInt16LE(~piece.length & 0xffff, 3);
      parts.push(head, piece);
    }
    return Buffer.concat([...parts, SYNC_FLUSH]);
  }
}

/** Count, then length-prefixed names and values. */
export function formatHeaderBlock(headers: HeaderMap): Buffer {
  const parts: Buffer[] = [uint32(Object.keys(headers).length)];
  for (const [name, value] of Object.entries(headers)) {
    for (const text of [name.toLowerCase(), value]) {
      const bytes = Buffer.from(text, "utf8");
      parts.push(uint32(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

export function parseHeaderBlock(block: Buffer): HeaderMap {
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > block.length) throw new StreamProtocolError("SPDY header block is cut off");
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > block.length - offset) throw new StreamProtocolError("SPDY header block is cut off");
    offset += length;
    return block.toString("utf8", offset - length, offset);
  };
  const count = number();
  if (count > MAX_HEADERS) throw new StreamProtocolError(`SPDY header block with ${count} headers is over the limit of ${MAX_HEADERS}`);
  const headers: HeaderMap = Object.create(null);
  for (let i = 0; i < count; i++) {
    const name = text().toLowerCase();
    if (name === "" || name in headers) throw new StreamProtocolError("SPDY header block has an empty or repeated name");
    headers[name] = text();
  }
  return headers;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
