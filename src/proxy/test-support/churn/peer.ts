import type { Socket, TLSOptions } from "bun";

/** A client's socket, plain or TLS, that keeps what it has received. */
export class Peer {
  closed = false;
  /** The other side has sent FIN. */
  ended = false;
  #chunks: Buffer[] = [];
  #socket: Socket<undefined> | undefined;
  #wake: (() => void) | undefined;

  /** Resolves when connected, or when that failed: then it is closed already. */
  static async open(port: number, tls?: TLSOptions): Promise<Peer> {
    const peer = new Peer();
    const handler = {
      binaryType: "buffer" as const,
      data: (_socket: Socket<undefined>, chunk: Buffer) => {
        peer.#chunks.push(Buffer.from(chunk));
        peer.#wake?.();
      },
      end: () => {
        peer.ended = true;
        peer.#wake?.();
      },
      close: () => {
        peer.closed = true;
        peer.#wake?.();
      },
      error() {},
      connectError() {},
      drain() {},
    };
    const { promise: shaken, resolve: shake } = Promise.withResolvers<void>();
    try {
      peer.#socket = await Bun.connect({
        hostname: "127.0.0.1",
        port,
        allowHalfOpen: true,
        socket: { ...handler, handshake: () => shake(), close: () => (handler.close(), shake()) },
        ...(tls ? { tls } : {}),
      });
      // What is written before is lost.
      if (tls) await shaken;
    } catch {
      // Refused, or gone within the handshake.
      peer.closed = true;
    }
    return peer;
  }

  get received(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  write(bytes: string | Uint8Array): void {
    if (!this.closed) this.#socket?.write(bytes);
  }

  /** Waits until what was received fulfils this, or the other side has ended, or time is up. */
  async until(fulfilled: (received: Buffer) => boolean, ms: number): Promise<"fulfilled" | "ended" | "late"> {
    const end = Date.now() + ms;
    for (;;) {
      if (fulfilled(this.received)) return "fulfilled";
      if (this.closed || this.ended) return "ended";
      const left = end - Date.now();
      if (left <= 0) return "late";
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, left);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
      this.#wake = undefined;
    }
  }

  /** FIN; the other side may go on. */
  finish(): void {
    if (!this.closed) this.#socket?.shutdown();
  }

  /** Regular end. */
  end(): void {
    if (!this.closed) this.#socket?.end();
  }

  /** RST. */
  abort(): void {
    if (!this.closed) this.#socket?.terminate();
  }

  pause(): void {
    this.#socket?.pause();
  }
}
