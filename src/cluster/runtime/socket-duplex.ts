import { Duplex } from "node:stream";
import { connectResult, closeFd, type SystemError } from "../../linux/index.ts";
import { ChainmailError } from "../../base/index.ts";

/** How long a connect may take before it is given up: a pod on this machine answers at once or never. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Waits until a non-blocking connect has succeeded. On failure the descriptor is closed and the SystemError thrown:
 * ECONNREFUSED when nothing listens there.
 */
export async function connected(fd: number, what: string): Promise<number> {
  const deadline = performance.now() + CONNECT_TIMEOUT_MS;
  // Same-machine peers answer within the connect call, so nearly always the first look decides.
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    const error = failure(fd, what, deadline);
    if (error === "none") return fd;
    if (error) {
      closeFd(fd);
      throw error;
    }
    await Bun.sleep(pause);
  }
}

/** A node stream over a connected descriptor, which it then owns: half-close both ways, backpressure, resets as errors. */
export function duplexOver(fd: number): Promise<Duplex> {
  return new SocketDuplex().adopt(fd);
}

class SocketDuplex extends Duplex {
  #socket: Bun.Socket | undefined;
  #rest: Uint8Array | undefined;
  #written: ((error?: Error | null) => void) | undefined;
  #ended = false;

  constructor() {
    super({ allowHalfOpen: true });
  }

  async adopt(fd: number): Promise<Duplex> {
    // @types/bun knows no `fd` here, but Bun.connect adopts one.
    const options = {
      fd,
      allowHalfOpen: true,
      socket: {
        open: (socket: Bun.Socket) => {
          this.#socket = socket;
        },
        data: (socket: Bun.Socket, chunk: Uint8Array) => {
          if (!this.push(chunk)) socket.pause();
        },
        drain: () => this.#flush(),
        end: () => this.#finishReading(),
        close: (_socket: Bun.Socket, error?: Error) => {
          this.#socket = undefined;
          if (error) this.destroy(error);
          else this.#finishReading();
          this.#settleWrite(new ChainmailError("ECONNRESET", "the connection was closed by the peer"));
        },
        error: (_socket: Bun.Socket, error: Error) => this.destroy(error),
      },
    };
    this.#socket = await Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<undefined>);
    return this;
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#rest = chunk;
    this.#written = done;
    if (this.#socket) this.#flush();
    else this.#settleWrite(new ChainmailError("EPIPE", "write after the connection was closed"));
  }

  override _final(done: (error?: Error | null) => void): void {
    // A plain end() would close both ways.
    this.#socket?.shutdown();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (error) socket?.terminate();
    else socket?.end();
    done(error);
  }

  /** http.Agent asks these of what it takes for a net.Socket. */
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    this.#socket?.ref();
    return this;
  }
  unref(): this {
    this.#socket?.unref();
    return this;
  }

  #flush(): void {
    if (!this.#rest || !this.#socket) return;
    const count = this.#socket.write(this.#rest);
    if (count < 0) return this.#settleWrite(new ChainmailError("EPIPE", "write after the connection was closed"));
    this.#rest = count < this.#rest.length ? this.#rest.subarray(count) : undefined;
    if (!this.#rest) this.#settleWrite(null);
  }

  #settleWrite(error: Error | null): void {
    const done = this.#written;
    this.#written = undefined;
    this.#rest = undefined;
    done?.(error);
  }

  #finishReading(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push(null);
  }
}

function failure(fd: number, what: string, deadline: number): SystemError | ChainmailError | "none" | undefined {
  const result = connectResult(fd, what);
  if (result.state === "connected") return "none";
  if (result.state === "failed") return result.error;
  return performance.now() > deadline ? new ChainmailError("ETIMEDOUT", `connect ${what}: no answer in ${CONNECT_TIMEOUT_MS / 1000} s`) : undefined;
}
