/**
 * A client's side of one gRPC stream, on a connection of its own, in as little code as will do: the benchmark's client
 * stands on the same cores as what it measures. It speaks HTTP/2 with windows that never close, and leaves headers unread.
 */
import type { Socket } from "bun";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const Frame = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8 } as const;
const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const HEADER = 9;
const STREAM = 1;
const MAX_WINDOW = 2 ** 31 - 1;
const DEFAULT_WINDOW = 65_535;
const MAX_FRAME = 16_384;
const INITIAL_WINDOW_SIZE = 4;
/** Windows are opened again long before they can close. */
const REPLENISH = 2 ** 29;

export interface StreamHandler {
  /** A whole message, the handler's to keep. */
  message(bytes: Uint8Array): void;
  /** The stream broke. */
  ended(reason: string): void;
}

export class GrpcStream {
  #socket: Socket | undefined;
  #outgoing: Uint8Array[] = [];
  /** Messages that have not all been sent. */
  readonly #bodies: Uint8Array[] = [];
  #connectionWindow = DEFAULT_WINDOW;
  #streamWindow = DEFAULT_WINDOW;
  #initialWindow = DEFAULT_WINDOW;
  readonly #head = new Uint8Array(HEADER);
  #headFill = 0;
  /** Of the frame under way: what is left, and for short control frames their bytes. */
  #left = 0;
  #type = 0;
  #flags = 0;
  #stream = 0;
  #control: number[] = [];
  readonly #prefix = new Uint8Array(5);
  #prefixFill = 0;
  #message: Uint8Array | undefined;
  #messageFill = 0;
  #received = 0;
  #over = false;

  constructor(
    private readonly path: string,
    private readonly handler: StreamHandler,
  ) {}

  async connect(port: number): Promise<void> {
    await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => {
          this.#socket = socket;
          socket.setNoDelay(true);
          this.#write(this.#greeting(port));
        },
        data: (_, chunk) => this.#take(chunk),
        drain: () => this.#flush(),
        close: () => this.#end("the connection closed"),
        error: (_, error) => this.#end(error.message),
      },
    });
  }

  send(message: Uint8Array): void {
    const body = new Uint8Array(5 + message.length);
    new DataView(body.buffer).setUint32(1, message.length);
    body.set(message, 5);
    this.#bodies.push(body);
    this.#sendBodies();
  }

  close(): void {
    this.#over = true;
    this.#socket?.end();
  }

  /** As much as the server's windows allow: thousands of names are more than it takes at once. */
  #sendBodies(): void {
    for (let body = this.#bodies[0]; body; body = this.#bodies[0]) {
      const length = Math.min(body.length, MAX_FRAME, this.#connectionWindow, this.#streamWindow);
      if (length <= 0) return;
      const out = new Uint8Array(HEADER + length);
      frameHeader(out, 0, length, Frame.DATA, 0, STREAM);
      out.set(body.subarray(0, length), HEADER);
      this.#connectionWindow -= length;
      this.#streamWindow -= length;
      if (length === body.length) this.#bodies.shift();
      else this.#bodies[0] = body.subarray(length);
      this.#write(out);
    }
  }

  #greeting(port: number): Uint8Array {
    const headers: [string, string][] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", this.path],
      [":authority", `127.0.0.1:${port}`],
      ["te", "trailers"],
      ["content-type", "application/grpc"],
    ];
    const block = headers.flatMap(([name, value]) => [0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)]);
    const out = new Uint8Array(PREFACE.length + HEADER + 6 + HEADER + 4 + HEADER + block.length);
    const view = new DataView(out.buffer);
    let at = PREFACE.length;
    out.set(Buffer.from(PREFACE));
    at = frameHeader(out, at, 6, Frame.SETTINGS, 0, 0);
    view.setUint16(at, INITIAL_WINDOW_SIZE);
    view.setUint32(at + 2, MAX_WINDOW);
    at = frameHeader(out, at + 6, 4, Frame.WINDOW_UPDATE, 0, 0);
    view.setUint32(at, MAX_WINDOW - DEFAULT_WINDOW);
    at = frameHeader(out, at + 4, block.length, Frame.HEADERS, END_HEADERS, STREAM);
    out.set(block, at);
    return out;
  }

  #take(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        while (this.#headFill < HEADER && at < chunk.length) this.#head[this.#headFill++] = chunk[at++] as number;
        if (this.#headFill < HEADER) return;
        this.#headFill = 0;
        const head = this.#head as Uint8Array & Record<number, number>;
        this.#stream = head[8]!;
        this.#left = (head[0]! << 16) | (head[1]! << 8) | head[2]!;
        this.#type = head[3]!;
        this.#flags = head[4]!;
        this.#control = [];
        if (this.#left === 0) this.#frameDone();
        continue;
      }
      const length = Math.min(this.#left, chunk.length - at);
      const part = chunk.subarray(at, at + length);
      if (this.#type === Frame.DATA) this.#data(part);
      else if (this.#type === Frame.PING || this.#type === Frame.SETTINGS || this.#type === Frame.WINDOW_UPDATE) this.#control.push(...part);
      at += length;
      this.#left -= length;
      if (this.#left === 0) this.#frameDone();
    }
  }

  #frameDone(): void {
    switch (this.#type) {
      case Frame.SETTINGS:
        if (this.#flags & ACK) break;
        this.#settings(Buffer.from(this.#control));
        this.#write(frame(Frame.SETTINGS, ACK, 0, []));
        break;
      case Frame.WINDOW_UPDATE: {
        const more = Buffer.from(this.#control).readUInt32BE();
        if (this.#stream === 0) this.#connectionWindow += more;
        else this.#streamWindow += more;
        this.#sendBodies();
        break;
      }
      case Frame.PING:
        if (!(this.#flags & ACK)) this.#write(frame(Frame.PING, ACK, 0, this.#control));
        break;
      case Frame.GOAWAY:
      case Frame.RST_STREAM:
        this.#end(`frame ${this.#type}`);
        break;
      case Frame.DATA:
      case Frame.HEADERS:
        if (this.#flags & END_STREAM) this.#end("the server ended the stream");
        break;
      default:
    }
  }

  #settings(fields: Buffer): void {
    for (let at = 0; at < fields.length; at += 6) {
      if (fields.readUInt16BE(at) !== INITIAL_WINDOW_SIZE) continue;
      const window = fields.readUInt32BE(at + 2);
      this.#streamWindow += window - this.#initialWindow;
      this.#initialWindow = window;
    }
    this.#sendBodies();
  }

  #data(part: Uint8Array): void {
    this.#received += part.length;
    if (this.#received > REPLENISH) {
      for (const stream of [0, STREAM])
        this.#write(
          frame(Frame.WINDOW_UPDATE, 0, stream, [this.#received >>> 24, (this.#received >> 16) & 255, (this.#received >> 8) & 255, this.#received & 255]),
        );
      this.#received = 0;
    }
    let at = 0;
    while (at < part.length) {
      if (!this.#message) {
        while (this.#prefixFill < 5 && at < part.length) this.#prefix[this.#prefixFill++] = part[at++] as number;
        if (this.#prefixFill < 5) return;
        this.#prefixFill = 0;
        this.#message = Buffer.allocUnsafe(new DataView(this.#prefix.buffer).getUint32(1));
        this.#messageFill = 0;
      }
      const length = Math.min(this.#message.length - this.#messageFill, part.length - at);
      this.#message.set(part.subarray(at, at + length), this.#messageFill);
      this.#messageFill += length;
      at += length;
      if (this.#messageFill < this.#message.length) return;
      const whole = this.#message;
      this.#message = undefined;
      this.handler.message(whole);
    }
  }

  #write(bytes: Uint8Array): void {
    this.#outgoing.push(bytes);
    if (this.#outgoing.length === 1) this.#flush();
  }

  #flush(): void {
    for (let bytes = this.#outgoing[0]; bytes && this.#socket; bytes = this.#outgoing[0]) {
      const written = this.#socket.write(bytes);
      if (written < bytes.length) {
        this.#outgoing[0] = bytes.subarray(Math.max(0, written));
        return;
      }
      this.#outgoing.shift();
    }
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.handler.ended(reason);
  }
}

function frame(type: number, flags: number, stream: number, payload: readonly number[]): Uint8Array {
  const out = new Uint8Array(HEADER + payload.length);
  out.set(payload, frameHeader(out, 0, payload.length, type, flags, stream));
  return out;
}

function frameHeader(out: Uint8Array, at: number, length: number, type: number, flags: number, stream: number): number {
  out.set([length >> 16, (length >> 8) & 255, length & 255, type, flags, stream >>> 24, (stream >> 16) & 255, (stream >> 8) & 255, stream & 255], at);
  return at + HEADER;
}
