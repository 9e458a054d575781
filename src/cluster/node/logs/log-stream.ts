import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { Clock } from "../../../base/index.ts";
import { CriLogReader, type LogFilter } from "./cri-log.ts";

/** How often a followed log is looked at: below what a person notices, and one stat a look. */
const FOLLOW_MS = 100;
const CHUNK = 64 * 1024;

export interface LogStreamOptions extends LogFilter {
  clock: Clock;
  /** Before `path`, when the log has been rotated. */
  rotatedPath: string;
  path: string;
  tailLines?: number;
  /** Follow until this says that nobody writes any more. */
  follow?: { finished(): boolean };
}

/** A log as a stream of text. Files that are missing are empty. */
export function logStream(options: LogStreamOptions): ReadableStream<Uint8Array> {
  const source = new LogSource(options);
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const chunk = await source.next();
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
    cancel: () => source.close(),
  });
}

class LogSource {
  readonly #reader: CriLogReader;
  readonly #files: string[];
  readonly #buffer = Buffer.alloc(CHUNK);
  #fd: number | undefined;
  #offset = 0;
  #closed = false;
  #wakeUp: (() => void) | undefined;

  constructor(readonly options: LogStreamOptions) {
    this.#reader = new CriLogReader(options);
    const start = options.tailLines === undefined ? undefined : tailStart([options.rotatedPath, options.path], options.tailLines);
    this.#files = start?.files ?? [options.rotatedPath, options.path];
    this.#offset = start?.offset ?? 0;
  }

  /** The next text; undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    while (!this.#closed && !this.#reader.done) {
      const finished = this.options.follow?.finished() ?? true;
      const bytes = this.#read();
      if (bytes) {
        const text = this.#reader.feed(bytes);
        if (text.length > 0) return text;
      } else if (!this.#nextFile()) {
        // Looked at before the read: what was written until then has been read.
        if (finished) break;
        await this.#sleep();
      }
    }
    this.close();
    return undefined;
  }

  close(): void {
    this.#closed = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#wakeUp?.();
  }

  #read(): Uint8Array | undefined {
    this.#fd ??= open(this.#files[0]);
    if (this.#fd === undefined) return undefined;
    const count = readSync(this.#fd, this.#buffer, 0, CHUNK, this.#offset);
    if (count === 0) return undefined;
    this.#offset += count;
    return this.#buffer.subarray(0, count);
  }

  /** At the end of a file: on to the one after it, or to the new one after a rotation. */
  #nextFile(): boolean {
    if (this.#files.length > 1) this.#files.shift();
    else if (this.#fd === undefined || !replaced(this.#fd, this.options.path)) return false;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#offset = 0;
    return true;
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.options.clock.after(FOLLOW_MS, resolve);
      this.#wakeUp = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** Where the last `lines` lines begin: the file to start with and the byte in it. */
function tailStart(paths: string[], lines: number): { files: string[]; offset: number } {
  let missing = lines;
  for (let index = paths.length - 1; index >= 0; index--) {
    const path = paths[index] ?? "";
    const fd = open(path);
    if (fd === undefined) continue;
    try {
      const { size } = fstatSync(fd);
      const found = scanBack(fd, size, missing);
      if (found.offset > 0 || found.lines >= missing) return { files: paths.slice(index), offset: found.offset };
      missing -= found.lines;
    } finally {
      closeSync(fd);
    }
  }
  return { files: paths, offset: 0 };
}

/** Counts line ends backwards from `size`. */
function scanBack(fd: number, size: number, wanted: number): { offset: number; lines: number } {
  if (wanted <= 0) return { offset: size, lines: 0 };
  const buffer = Buffer.alloc(CHUNK);
  let lines = 0;
  for (let end = size; end > 0;) {
    const begin = Math.max(0, end - CHUNK);
    const count = readSync(fd, buffer, 0, end - begin, begin);
    for (let i = count - 1; i >= 0; i--) {
      // The newline that ends the file's last line begins no line after it.
      if (buffer[i] !== 10 || begin + i === size - 1) continue;
      lines += 1;
      if (lines === wanted) return { offset: begin + i + 1, lines };
    }
    end = begin;
  }
  return { offset: 0, lines: size > 0 ? lines + 1 : 0 };
}

function open(path: string | undefined): number | undefined {
  try {
    return path === undefined ? undefined : openSync(path, "r");
  } catch {
    return undefined; // not written yet, or not rotated
  }
}

function replaced(fd: number, path: string): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.ino !== fstatSync(fd).ino;
}
