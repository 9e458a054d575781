import { ChainmailError } from "../../base/index.ts";
import { closeFd, setNonBlocking, SystemError, writeSome } from "../../linux/index.ts";

/** What may wait for a program that does not read its input; a client that sends more is cut off. */
const MAX_QUEUED = 16 * 1024 * 1024;
/** How often a full pipe is tried again. Input is typed or piped by a person: latency matters more than throughput. */
const RETRY_MS = 5;

/** Reads a pipe's end to its end of file, then closes it. The promise settles when no writer is left. */
export async function readPipe(fd: number, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  setNonBlocking(fd);
  try {
    // Bun reads through a duplicate of its own and closes only that.
    for await (const chunk of Bun.file(fd).stream()) onChunk(chunk);
  } finally {
    closeFd(fd);
  }
}

/** Writes to a pipe's end without ever blocking, in order. Bun's own file writer leaves the descriptor open at its end. */
export class PipeWriter {
  #fd: number | undefined;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #ending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(fd: number) {
    setNonBlocking(fd);
    this.#fd = fd;
  }

  /** Throws STDIN_OVERFLOW when the program has left too much unread. What comes after the end is dropped. */
  write(chunk: Uint8Array): void {
    if (this.#fd === undefined || this.#ending) return;
    if (this.#queued + chunk.length > MAX_QUEUED) {
      this.#close();
      throw new ChainmailError("STDIN_OVERFLOW", `the program has left ${MAX_QUEUED} bytes of input unread`);
    }
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    this.#pump();
  }

  /** The reader sees the end of the file after what is queued. */
  end(): void {
    this.#ending = true;
    this.#pump();
  }

  #pump(): void {
    if (this.#fd === undefined || this.#timer) return;
    try {
      for (let head = this.#queue[0]; head; head = this.#queue[0]) {
        const count = writeSome(this.#fd, head);
        this.#queued -= count;
        if (count < head.length) {
          this.#queue[0] = head.subarray(count);
          return this.#later();
        }
        this.#queue.shift();
      }
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return this.#close(); // EPIPE: nobody reads any more.
    }
    if (this.#ending) this.#close();
  }

  #later(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, RETRY_MS);
  }

  #close(): void {
    clearTimeout(this.#timer);
    if (this.#fd !== undefined) closeFd(this.#fd);
    this.#fd = undefined;
    this.#queue = [];
    this.#queued = 0;
  }
}
