/**
 * Steps through the fields of one protobuf message in a range of bytes. Descriptors hold only varints and bytes; what else
 * the wire knows is no part of them and throws.
 */
export class WireReader {
  /** Number of the field that `next` has come to. */
  field = 0;
  /** The value of a varint; its sign counts, since enum values may be negative. */
  varint = 0;
  /** Where the contents of a length-delimited field are. */
  start = 0;
  end = 0;

  constructor(
    private readonly bytes: Buffer,
    private position: number,
    private readonly limit: number,
  ) {}

  /** Goes to the next field; false at the end. */
  next(): boolean {
    if (this.position >= this.limit) return false;
    const tag = this.#readVarint();
    this.field = tag >>> 3;
    const wireType = tag & 7;
    if (wireType === VARINT) this.varint = this.#readVarint();
    else if (wireType === LENGTH_DELIMITED) {
      const length = this.#readVarint();
      this.start = this.position;
      this.end = this.position + length;
      if (this.end > this.limit) throw new RangeError("a descriptor ends within a field");
      this.position = this.end;
    } else throw new RangeError(`a descriptor has wire type ${wireType}`);
    return true;
  }

  /** The contents as text. */
  text(): string {
    return this.bytes.toString("utf8", this.start, this.end);
  }

  /** The contents as a message. */
  inner(): WireReader {
    return new WireReader(this.bytes, this.start, this.end);
  }

  /** The low 32 bits, signed: what descriptors hold fits. */
  #readVarint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.position++];
      if (byte === undefined) throw new RangeError("a descriptor ends within a number");
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
