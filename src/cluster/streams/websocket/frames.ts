import { StreamProtocolError } from "../errors.ts";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** kubectl sends stdin in 32 KiB pieces; this leaves room for others and still bounds memory. */
const MAX_MESSAGE = 4 << 20;

export type WebSocketEvent =
  | { type: "message"; binary: boolean; data: Buffer }
  | { type: "ping" | "pong"; data: Buffer }
  | { type: "close"; code: number; reason: string };

/** Reads what a client sends (RFC 6455): unmasks, joins fragments, checks every rule that a server has to check. */
export class WebSocketParser {
  #pending = Buffer.alloc(0);
  #fragments: Buffer[] = [];
  #fragmentBytes = 0;
  #fragmentOpcode = 0;

  /** The events that are complete now. Throws StreamProtocolError when the client breaks the protocol or a limit. */
  feed(bytes: Uint8Array): WebSocketEvent[] {
    let data = this.#pending.length > 0 ? Buffer.concat([this.#pending, bytes]) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const events: WebSocketEvent[] = [];
    for (;;) {
      const header = readHeader(data);
      if (!header || data.length < header.bytes + header.length) break;
      const payload = unmask(data.subarray(header.bytes, header.bytes + header.length), header.mask);
      data = data.subarray(header.bytes + header.length);
      const event = this.#frame(header.opcode, header.fin, payload);
      if (event) events.push(event);
    }
    // A copy: the caller's buffer may be used again.
    this.#pending = Buffer.from(data);
    return events;
  }

  #frame(opcode: number, fin: boolean, payload: Buffer): WebSocketEvent | undefined {
    switch (opcode) {
      case OPCODE.ping:
        return { type: "ping", data: payload };
      case OPCODE.pong:
        return { type: "pong", data: payload };
      case OPCODE.close:
        return closeEvent(payload);
      case OPCODE.text:
      case OPCODE.binary:
        if (this.#fragmentOpcode !== 0) throw new StreamProtocolError("a WebSocket message began inside another one");
        this.#fragmentOpcode = opcode;
        break;
      case OPCODE.continuation:
        if (this.#fragmentOpcode === 0) throw new StreamProtocolError("a WebSocket continuation without a beginning");
        break;
      default:
        throw new StreamProtocolError(`WebSocket opcode ${opcode} is reserved`);
    }
    this.#fragmentBytes += payload.length;
    if (this.#fragmentBytes > MAX_MESSAGE) throw new StreamProtocolError(`WebSocket message is over the limit of ${MAX_MESSAGE} bytes`);
    this.#fragments.push(payload);
    if (!fin) return undefined;
    const event: WebSocketEvent = { type: "message", binary: this.#fragmentOpcode === OPCODE.binary, data: Buffer.concat(this.#fragments) };
    this.#fragments = [];
    this.#fragmentBytes = 0;
    this.#fragmentOpcode = 0;
    return event;
  }
}

/** A server's frame: unmasked and whole. */
export function encodeWebSocketFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 0x10000 ? 4 : 10);
  header[0] = 0x80 | opcode;
  if (length < 126) header[1] = length;
  else if (length < 0x10000) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, payload]);
}

interface FrameHeader {
  bytes: number;
  fin: boolean;
  opcode: number;
  length: number;
  mask: Buffer;
}

/** Undefined while the header itself is not complete. */
function readHeader(data: Buffer): FrameHeader | undefined {
  const [first, second] = data;
  if (first === undefined || second === undefined) return undefined;
  const fin = (first & 0x80) !== 0;
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) throw new StreamProtocolError("WebSocket extensions were not agreed on");
  if ((second & 0x80) === 0) throw new StreamProtocolError("a WebSocket client must mask its frames");
  const short = second & 0x7f;
  if (opcode >= 8 && (!fin || short > 125)) throw new StreamProtocolError("WebSocket control frames are short and whole");
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const bytes = 2 + lengthBytes + 4;
  if (data.length < bytes) return undefined;
  const length = lengthBytes === 0 ? short : lengthBytes === 2 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2));
  if (length > MAX_MESSAGE) throw new StreamProtocolError(`WebSocket frame of ${length} bytes is over the limit of ${MAX_MESSAGE}`);
  return { bytes, fin, opcode, length, mask: data.subarray(bytes - 4, bytes) };
}

function unmask(payload: Buffer, mask: Buffer): Buffer {
  const out = Buffer.allocUnsafe(payload.length);
  for (let i = 0; i < payload.length; i++) out[i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return out;
}

function closeEvent(payload: Buffer): WebSocketEvent {
  if (payload.length === 1) throw new StreamProtocolError("a WebSocket close code has two bytes");
  return { type: "close", code: payload.length >= 2 ? payload.readUInt16BE(0) : 1005, reason: payload.toString("utf8", 2) };
}
