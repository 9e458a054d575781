import { Duplex } from "node:stream";
import type { HeaderMap } from "./headers.ts";

/** RST_STREAM's reasons, as far as a server gives them. */
export const RST = { PROTOCOL_ERROR: 1, REFUSED_STREAM: 3, CANCEL: 5, FLOW_CONTROL_ERROR: 7, STREAM_ALREADY_CLOSED: 9 } as const;

/** What a stream needs of its session. */
export interface StreamHost {
  sendData(stream: SpdyStream, data: Buffer, fin: boolean): Promise<void>;
  sendReset(stream: SpdyStream, status: number): void;
  /** Bytes that the reader has taken: the window can open again. */
  consumed(stream: SpdyStream, bytes: number): void;
  closed(stream: SpdyStream): void;
}

/** One stream of a SPDY session: bytes both ways, each side ending on its own. */
export class SpdyStream extends Duplex {
  /** Received and not yet taken by the reader. */
  buffered = 0;
  #localEnded = false;
  #remoteEnded = false;
  #wasReset = false;

  constructor(
    readonly id: number,
    readonly headers: HeaderMap,
    readonly host: StreamHost,
  ) {
    super({ allowHalfOpen: true });
    // A reset by the other side arrives as an error; whoever does not listen has lost interest.
    this.on("error", () => {});
  }

  get remoteEnded(): boolean {
    return this.#remoteEnded;
  }

  /** From the session: data of the other side. */
  receive(data: Buffer, fin: boolean): void {
    if (this.#remoteEnded) return this.reset(RST.STREAM_ALREADY_CLOSED);
    if (data.length > 0) {
      this.buffered += data.length;
      this.push(data);
    }
    if (fin) {
      this.#remoteEnded = true;
      this.push(null);
      this.#checkDone();
    }
  }

  /** From the session: the other side gave the stream up. */
  remoteReset(status: number): void {
    this.#wasReset = true;
    this.destroy(new Error(`SPDY stream was reset (status ${status})`));
  }

  /** Gives the stream up. */
  reset(status: number): void {
    if (!this.#wasReset) this.host.sendReset(this, status);
    this.#wasReset = true;
    this.destroy();
  }

  override _read(): void {
    // Called when the reader has room: everything pushed before has been taken or lies in Node's own buffer.
    const taken = this.buffered - this.readableLength;
    if (taken <= 0) return;
    this.buffered -= taken;
    this.host.consumed(this, taken);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.host.sendData(this, chunk, false).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.host.sendData(this, Buffer.alloc(0), true).then(() => {
      this.#localEnded = true;
      this.#checkDone();
      done();
    }, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#wasReset && !(this.#localEnded && this.#remoteEnded)) {
      this.#wasReset = true;
      this.host.sendReset(this, RST.CANCEL);
    }
    if (this.buffered > 0) this.host.consumed(this, this.buffered);
    this.buffered = 0;
    this.host.closed(this);
    done(error);
  }

  #checkDone(): void {
    if (this.#localEnded && this.#remoteEnded) this.host.closed(this);
  }
}
