/** RFC 6455 frames on the client's side: what it sends is masked, what it receives is not. */
import { randomBytes } from "node:crypto";
import { ChainmailError } from "../../base/index.ts";

export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
const TEXT = 1;
const CONTINUATION = 0;

/** Servers send pieces of 32 KiB; this bounds what one frame may make us hold. */
const MAX_FRAME = 1 << 20;

export interface WebSocketFrame {
  opcode: number;
  payload: Buffer;
}

export function encodeWebSocketFrame(opcode: number, payload: Uint8Array): Buffer {
  const extended = payload.length > 0xffff ? 8 : payload.length > 125 ? 2 : 0;
  const frame = Buffer.alloc(2 + extended + 4 + payload.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extended === 8 ? 127 : extended === 2 ? 126 : payload.length);
  if (extended === 2) frame.writeUInt16BE(payload.length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(payload.length), 2);
  const mask = randomBytes(4);
  mask.copy(frame, 2 + extended);
  const start = 6 + extended;
  for (let index = 0; index < payload.length; index++) frame[start + index] = (payload[index] ?? 0) ^ (mask[index & 3] ?? 0);
  return frame;
}

/** Cuts bytes into frames. Messages in several frames come as the frames they are: their borders mean nothing here. */
export class WebSocketFrameParser {
  #pending: Buffer = Buffer.alloc(0);

  feed(bytes: Uint8Array): WebSocketFrame[] {
    this.#pending = this.#pending.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#pending, bytes]);
    const frames: WebSocketFrame[] = [];
    for (;;) {
      const frame = this.#next();
      if (!frame) return frames;
      if (frame.opcode === TEXT) throw new ChainmailError("WEBSOCKET_PROTOCOL", "the API server sent text where only bytes may come");
      frames.push({ ...frame, opcode: frame.opcode === CONTINUATION ? BINARY : frame.opcode });
    }
  }

  #next(): WebSocketFrame | undefined {
    const bytes = this.#pending;
    if (bytes.length < 2) return undefined;
    const second = bytes[1] ?? 0;
    if (second & 0x80) throw new ChainmailError("WEBSOCKET_PROTOCOL", "the API server sent a masked frame");
    const short = second & 0x7f;
    const start = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < start) return undefined;
    const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
    if (length > MAX_FRAME) throw new ChainmailError("WEBSOCKET_PROTOCOL", `the API server sent a frame of ${length} bytes, over the limit of ${MAX_FRAME}`);
    if (bytes.length < start + length) return undefined;
    this.#pending = bytes.subarray(start + length);
    return { opcode: (bytes[0] ?? 0) & 0x0f, payload: bytes.subarray(start, start + length) };
  }
}
