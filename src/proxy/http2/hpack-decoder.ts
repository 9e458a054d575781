import { huffmanDecode } from "../grpc/huffman.ts";
import { HeaderMap } from "../http/header-map.ts";
import { ConnectionError, ErrorCode } from "./frames.ts";
import { ENTRY_OVERHEAD, STATIC_TABLE, TABLE_SIZE } from "./static-table.ts";

/** Decodes header blocks of one connection, with its dynamic table (RFC 7541). */
export class HpackDecoder {
  /** The newest entry last: index 62 is the end of the array. */
  #names: string[] = [];
  #values: string[] = [];
  #size = 0;
  #limit = TABLE_SIZE;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /**
   * All fields of a block, pseudo-header fields included. Throws ConnectionError for a bad encoding. A list larger than
   * `maxBytes`, or of more fields than `maxFields`, is decoded all the same, since the table must stay in step, but comes back as undefined.
   */
  decode(bytes: Buffer, start: number, end: number, maxBytes: number, maxFields = Number.POSITIVE_INFINITY): HeaderMap | undefined {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const headers = new HeaderMap();
    const { names, values } = headers;
    let total = 0;
    let fieldSeen = false;
    while (this.#at < end) {
      const first = bytes[this.#at] as number;
      let name: string;
      let value: string;
      if (first & 0x80) {
        const index = this.#integer(0x7f);
        name = this.#nameAt(index);
        value =
          index <= STATIC_TABLE.length
            ? (STATIC_TABLE[index - 1] as readonly [string, string])[1]
            : (this.#values[this.#values.length - (index - STATIC_TABLE.length)] as string);
      } else if ((first & 0xe0) === 0x20) {
        // RFC 7541, 4.2: only before the first field.
        if (fieldSeen) throw bad("a table size update after a field");
        const limit = this.#integer(0x1f);
        if (limit > TABLE_SIZE) throw bad("a table larger than announced");
        this.#limit = limit;
        this.#evict();
        continue;
      } else {
        const indexed = (first & 0x40) !== 0;
        const index = this.#integer(indexed ? 0x3f : 0x0f);
        name = index === 0 ? this.#string() : this.#nameAt(index);
        value = this.#string();
        if (indexed) this.#add(name, value);
      }
      fieldSeen = true;
      total += name.length + value.length + ENTRY_OVERHEAD;
      if (names.length === maxFields) total = Number.POSITIVE_INFINITY;
      if (total <= maxBytes) {
        names.push(name);
        values.push(value);
      }
    }
    return total <= maxBytes ? headers : undefined;
  }

  #nameAt(index: number): string {
    if (index === 0) throw bad("index 0");
    if (index <= STATIC_TABLE.length) return (STATIC_TABLE[index - 1] as readonly [string, string])[0];
    const name = this.#names[this.#names.length - (index - STATIC_TABLE.length)];
    if (name === undefined) throw bad("an index beyond the table");
    return name;
  }

  #add(name: string, value: string): void {
    this.#names.push(name);
    this.#values.push(value);
    this.#size += name.length + value.length + ENTRY_OVERHEAD;
    this.#evict();
  }

  #evict(): void {
    let drop = 0;
    while (this.#size > this.#limit && drop < this.#names.length) {
      this.#size -= (this.#names[drop] as string).length + (this.#values[drop] as string).length + ENTRY_OVERHEAD;
      drop++;
    }
    if (drop === 0) return;
    this.#names.splice(0, drop);
    this.#values.splice(0, drop);
  }

  #integer(mask: number): number {
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      // 2^28 is far above any length that is accepted.
      if (shift > 21) throw bad("an integer that is too large");
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
  }

  #string(): string {
    const huffman = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(0x7f);
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw bad("a string that runs past its block");
    if (!huffman) return this.#bytes.toString("latin1", start, this.#at);
    try {
      return huffmanDecode(this.#bytes.subarray(start, this.#at));
    } catch {
      throw bad("a bad Huffman string");
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) throw bad("a block that ends early");
    return this.#bytes[this.#at++] as number;
  }
}

function bad(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, `HPACK: ${what}`);
}
