/**
 * Writes protobuf's wire format from the end to the beginning: when a message's tag and length are due, how long it is is
 * known, and nothing is copied. Callers write a value first, then its length, then its tag.
 */
export class BackwardWriter {
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_SIZE);
  /** Where what has been written begins, counted from the end of the buffer, so that growing changes nothing. */
  #used = 0;

  /** To be given to `length` and `delimit` by whoever writes something with a length next. */
  get position(): number {
    return this.#used;
  }

  reset(): void {
    this.#used = 0;
  }

  /** What has been written, in bytes of their own. */
  finish(): Uint8Array<ArrayBuffer> {
    const written = new Uint8Array(this.#used);
    written.set(this.#bytes.subarray(this.#bytes.length - this.#used));
    return written;
  }

  tag(field: number, wireType: number): void {
    this.varint(((field << 3) | wireType) >>> 0);
  }

  /** The length of what was written since `end`. */
  length(end: number): void {
    this.varint(this.#used - end);
  }

  /** Length and tag of a field whose contents were written since `end`. */
  delimit(field: number, end: number): void {
    this.varint(this.#used - end);
    this.tag(field, 2);
  }

  /** 0 to 2 ** 32 - 1. */
  varint(value: number): void {
    const size = value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
    let at = this.#reserve(size);
    const bytes = this.#bytes;
    for (let left = size; left > 1; left--) {
      bytes[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    bytes[at] = value;
  }

  /** Negative numbers take ten bytes, as int64's do. */
  int32(value: number): void {
    if (value >= 0) this.varint(value);
    else this.varint64(BigInt(value));
  }

  varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    if (rest < 0x1_0000_0000n) return this.varint(Number(rest));
    const digits: number[] = [];
    for (; rest >= 0x80n; rest >>= 7n) digits.push(Number(rest & 0x7fn) | 0x80);
    digits.push(Number(rest));
    const at = this.#reserve(digits.length);
    this.#bytes.set(digits, at);
  }

  fixed32(value: number): void {
    const at = this.#reserve(4);
    this.#bytes.writeInt32LE(value | 0, at);
  }

  fixed64(value: bigint): void {
    const at = this.#reserve(8);
    this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, value), at);
  }

  float(value: number): void {
    const at = this.#reserve(4);
    this.#bytes.writeFloatLE(value, at);
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleLE(value, at);
  }

  raw(data: Uint8Array): void {
    const at = this.#reserve(data.length);
    this.#bytes.set(data, at);
  }

  /** UTF-8 and its length. */
  text(value: string): void {
    const { length } = value;
    if (length <= SHORT) {
      const at = this.#reserve(length);
      const bytes = this.#bytes;
      let index = 0;
      for (; index < length; index++) {
        const code = value.charCodeAt(index);
        if (code >= 0x80) break;
        bytes[at + index] = code;
      }
      if (index === length) return this.varint(length);
      this.#used -= length;
    }
    const size = Buffer.byteLength(value);
    const at = this.#reserve(size);
    this.#bytes.write(value, at, size, "utf8");
    this.varint(size);
  }

  /** Makes room and says where it begins. */
  #reserve(size: number): number {
    const used = this.#used + size;
    if (used > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, used * 2));
      this.#bytes.copy(grown, grown.length - this.#used, this.#bytes.length - this.#used);
      this.#bytes = grown;
    }
    this.#used = used;
    return this.#bytes.length - used;
  }
}

/** Holds any resource but the greatest route configurations. */
const FIRST_SIZE = 64 * 1024;
/** Up to here a loop is faster than a call into native code. */
const SHORT = 48;
