import { ChainmailError } from "../../base/index.ts";
import { changeOwner, closeFd, createPipe, growPipe, setNonBlocking, SystemError, writeSome } from "../../linux/index.ts";

/** What may wait for a program that does not read its input; a client that sends on regardless is cut off. */
const MAX_QUEUED = 16 * 1024 * 1024;
/** How often a full pipe is tried again: with the pipe below it bounds input to some 500 MB/s. */
const RETRY_MS = 2;
/** What the kernel grants an ordinary user at most: /proc/sys/fs/pipe-max-size. */
const INPUT_PIPE_BYTES = 1 << 20;

/** A child's three standard streams: its ends, which are to be closed once it has started, and ours. */
export interface ChildPipes {
  child: { stdin: number | "ignore"; stdout: number; stderr: number };
  childEnds: number[];
  /** Ours: `stdin`, if there is one, then `stdout` and `stderr`. */
  own: number[];
  stdin: number | undefined;
  stdout: number;
  stderr: number;
}

/** Makes them for a process of that uid and gid: programs that open /dev/stdout anew need to own what is behind it. */
export function childPipes(withStdin: boolean, owner: [uid: number, gid: number]): ChildPipes {
  const stdout = createPipe();
  const stderr = createPipe();
  const stdin = withStdin ? createPipe() : undefined;
  if (stdin) growPipe(stdin.writeFd, INPUT_PIPE_BYTES);
  for (const fd of [stdout.writeFd, stderr.writeFd]) changeOwner(fd, ...owner);
  return {
    child: { stdin: stdin?.readFd ?? "ignore", stdout: stdout.writeFd, stderr: stderr.writeFd },
    childEnds: [stdout.writeFd, stderr.writeFd, ...(stdin ? [stdin.readFd] : [])],
    own: [...(stdin ? [stdin.writeFd] : []), stdout.readFd, stderr.readFd],
    stdin: stdin?.writeFd,
    stdout: stdout.readFd,
    stderr: stderr.readFd,
  };
}

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

/** A pipe's end as a stream that is read as fast as it is taken; it is closed at its end of file or when cancelled. */
export function pipeStream(fd: number): ReadableStream<Uint8Array> {
  setNonBlocking(fd);
  const reader = Bun.file(fd).stream().getReader();
  let open = true;
  const close = (): void => {
    if (open) closeFd(fd);
    open = false;
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (!done) return controller.enqueue(value);
      close();
      controller.close();
    },
    async cancel() {
      await reader.cancel();
      close();
    },
  });
}

/** Writes to a pipe's end, or a terminal, without ever blocking, in order. Bun's own file writer leaves the descriptor open at its end. */
export class PipeWriter {
  #fd: number | undefined;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #ending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  readonly #keepOpen: boolean;

  /** With `keepOpen` the descriptor stays the caller's, to be closed after `abandon`. */
  constructor(fd: number, options: { keepOpen?: boolean } = {}) {
    setNonBlocking(fd);
    this.#fd = fd;
    this.#keepOpen = options.keepOpen ?? false;
  }

  /**
   * A promise where the pipe is full: more is welcome when it resolves. Throws STDIN_OVERFLOW when far too much was
   * written regardless. What comes after the end is dropped.
   */
  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#fd === undefined || this.#ending) return;
    if (this.#queued + chunk.length > MAX_QUEUED) {
      this.#close();
      throw new ChainmailError("STDIN_OVERFLOW", `the program has left ${MAX_QUEUED} bytes of input unread`);
    }
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    this.#pump();
    if (this.#queue.length > 0) return (this.#room ??= Promise.withResolvers<void>()).promise;
  }

  /** The reader sees the end of the file after what is queued. */
  end(): void {
    this.#ending = true;
    this.#pump();
  }

  /** The reader is gone: nothing more is written. */
  abandon(): void {
    this.#close();
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
    if (this.#ending) return this.#close();
    this.#hasRoom();
  }

  #later(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, RETRY_MS);
  }

  #hasRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #close(): void {
    clearTimeout(this.#timer);
    if (this.#fd !== undefined && !this.#keepOpen) closeFd(this.#fd);
    this.#fd = undefined;
    this.#queue = [];
    this.#queued = 0;
    this.#hasRoom();
  }
}
