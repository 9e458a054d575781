/** Length-prefixed gRPC messages: a flag byte, four bytes of length, the message. */

export function frameMessage(message: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(PREFIX + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX);
  return frame;
}

/** Collects chunks into whole messages. `push` throws on compressed or oversized ones: the stream must be given up. */
export class MessageReader {
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #need = PREFIX;

  constructor(
    private readonly deliver: (message: Uint8Array) => void,
    private readonly maxBytes: number,
  ) {}

  /** Bytes of a message that has not come whole. */
  get partial(): number {
    return this.#buffered;
  }

  push(chunk: Uint8Array): void {
    // Copied: the caller's buffer belongs to the socket.
    this.#chunks.push(Buffer.from(chunk));
    this.#buffered += chunk.length;
    while (this.#buffered >= this.#need) {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] ?? new Uint8Array(0)) : Buffer.concat(this.#chunks);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const length = view.getUint32(1);
      if (bytes[0] !== 0) throw new RangeError("compressed gRPC message, though none was asked for");
      if (length > this.maxBytes) throw new RangeError(`gRPC message of ${length} bytes, more than ${this.maxBytes}`);
      this.#need = PREFIX + length;
      if (bytes.length < this.#need) {
        this.#chunks = [bytes];
        return;
      }
      const rest = bytes.subarray(this.#need);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#buffered = rest.length;
      const message = bytes.subarray(PREFIX, this.#need);
      this.#need = PREFIX;
      this.deliver(message);
    }
  }
}

const PREFIX = 5;
