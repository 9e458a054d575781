import { readSync } from "node:fs";
import { ChainmailError } from "../../../base/index.ts";

/** Bytes in order, as a tar reader takes them. */
export interface ByteSource {
  /** Of the next byte. */
  readonly position: number;
  /** Exactly that many bytes; fewer only at the end. */
  read(length: number): Promise<Uint8Array>;
  skip(length: number): Promise<void>;
  /** The next `length` bytes piece by piece. Throws ARCHIVE_CUT_SHORT when there are fewer. */
  pieces(length: number): AsyncGenerator<Uint8Array>;
}

/** Large enough that a system call does not count, small enough for the second-level cache. */
const PIECE = 256 * 1024;

/** A stream: a layer as it comes out of the decompression. */
export class StreamSource implements ByteSource {
  position = 0;
  #rest: Uint8Array = new Uint8Array();
  readonly #iterator: AsyncIterator<Uint8Array>;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  async read(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const piece = await this.#next(missing);
      if (!piece) break;
      parts.push(piece);
      missing -= piece.length;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  async skip(length: number): Promise<void> {
    for await (const _piece of this.pieces(length));
  }

  async *pieces(length: number): AsyncGenerator<Uint8Array> {
    for (let missing = length; missing > 0;) {
      const piece = await this.#next(missing);
      if (!piece) throw cutShort();
      missing -= piece.length;
      yield piece;
    }
  }

  /** Reads on to the end: what follows an archive's end still counts in a layer's digest. */
  async drain(): Promise<void> {
    while (await this.#next(PIECE));
  }

  async #next(maximum: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#iterator.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const piece = this.#rest.subarray(0, maximum);
    this.#rest = this.#rest.subarray(piece.length);
    this.position += piece.length;
    return piece;
  }
}

/** An open file, whose parts can be skipped without reading them. */
export class FileSource implements ByteSource {
  constructor(
    readonly fd: number,
    readonly size: number,
    public position = 0,
  ) {}

  async read(length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, Math.max(0, this.size - this.position));
    const buffer = new Uint8Array(wanted);
    let filled = 0;
    while (filled < wanted) {
      const count = readSync(this.fd, buffer, filled, wanted - filled, this.position + filled);
      if (count === 0) break;
      filled += count;
    }
    this.position += filled;
    return filled === wanted ? buffer : buffer.subarray(0, filled);
  }

  async skip(length: number): Promise<void> {
    if (this.position + length > this.size) throw cutShort();
    this.position += length;
  }

  async *pieces(length: number): AsyncGenerator<Uint8Array> {
    for (let missing = length; missing > 0;) {
      const piece = await this.read(Math.min(missing, PIECE));
      if (piece.length === 0) throw cutShort();
      missing -= piece.length;
      yield piece;
    }
  }
}

export function cutShort(): ChainmailError {
  return new ChainmailError("ARCHIVE_CUT_SHORT", "the archive ends in the middle of a file", { hint: "write the archive again: docker save IMAGE -o app.tar" });
}
