import { Duplex } from "node:stream";
import { encodeWebSocketFrame, OPCODE, WebSocketParser } from "./frames.ts";

/** How long the other side has to answer a close frame before the socket ends anyway. */
const CLOSE_WAIT_MS = 2000;

export const CLOSE = { normal: 1000, protocolError: 1002, internalError: 1011 } as const;

export interface WebSocketHandlers {
  onMessage(data: Buffer, binary: boolean): void;
  /** Once, when nothing more will come: closed by either side, or broken. */
  onEnd(): void;
}

/** A server's WebSocket on an upgraded socket. Pings are answered; the protocol's breaches end the connection. */
export class WebSocketConnection {
  readonly #parser = new WebSocketParser();
  #closeSent = false;
  #ended = false;

  constructor(
    readonly socket: Duplex,
    readonly handlers: WebSocketHandlers,
  ) {
    socket.on("data", (chunk: Buffer) => this.feed(chunk));
    socket.on("end", () => this.#finish());
    socket.on("close", () => this.#finish());
    socket.on("error", () => this.#finish());
  }

  /** Bytes of the client; also those that came with the upgrade request. */
  feed(chunk: Uint8Array): void {
    if (this.#ended || chunk.length === 0) return;
    try {
      for (const event of this.#parser.feed(chunk)) {
        if (event.type === "message") this.handlers.onMessage(event.data, event.binary);
        else if (event.type === "ping") this.#write(OPCODE.pong, event.data);
        else if (event.type === "close") {
          this.close(CLOSE.normal);
          this.socket.end();
          return this.#finish();
        }
      }
    } catch {
      this.close(CLOSE.protocolError);
      this.socket.end();
      this.#finish();
    }
  }

  /** One binary message. Resolves when the socket can take more. */
  async send(data: Uint8Array): Promise<void> {
    if (this.#ended || this.#closeSent || this.#write(OPCODE.binary, data)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.socket.off("drain", done);
        this.socket.off("close", done);
        resolve();
      };
      this.socket.on("drain", done);
      this.socket.on("close", done);
    });
  }

  /** Sends a close frame, then ends the socket when the client has answered or does not. */
  close(code: number, reason = ""): void {
    if (this.#closeSent || this.#ended) return;
    this.#closeSent = true;
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#write(OPCODE.close, Buffer.concat([payload, Buffer.from(reason).subarray(0, 123)]));
    const timer = setTimeout(() => this.socket.destroy(), CLOSE_WAIT_MS);
    timer.unref();
    this.socket.once("close", () => clearTimeout(timer));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (!this.#ended) this.socket.resume();
  }

  #write(opcode: number, data: Uint8Array): boolean {
    return this.socket.destroyed || this.socket.write(encodeWebSocketFrame(opcode, data));
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.handlers.onEnd();
  }
}

/** The messages of a WebSocket as one stream of bytes, whose borders mean nothing: what tunnels SPDY. */
export function websocketBytes(socket: Duplex, head: Uint8Array): Duplex {
  const bytes = new Duplex({
    read: () => connection.resume(),
    write: (chunk: Buffer, _encoding, done) => void connection.send(chunk).then(() => done(), done),
    final: (done) => {
      connection.close(CLOSE.normal);
      done();
    },
    destroy: (error, done) => {
      connection.close(error ? CLOSE.protocolError : CLOSE.normal);
      done(error);
    },
  });
  const connection = new WebSocketConnection(socket, {
    onMessage: (data) => {
      if (data.length > 0 && !bytes.push(data)) connection.pause();
    },
    onEnd: () => {
      bytes.push(null);
      if (!bytes.destroyed) bytes.end();
    },
  });
  connection.feed(head);
  return bytes;
}
