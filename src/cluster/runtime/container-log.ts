import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export type LogStream = "stdout" | "stderr";

/** containerd's limit: a longer line is split into parts tagged P, the last one F. */
const MAX_LINE = 16 * 1024;
const NEWLINE = 10;

/** Writes both streams of one container to a file, as the CRI's log format: `<RFC3339Nano> <stream> <P|F> <line>`. */
export class ContainerLog {
  #fd: number;
  readonly #lines: Record<LogStream, LineSplitter>;

  constructor(
    readonly path: string,
    now: () => number = Date.now,
  ) {
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = open(path);
    this.#lines = { stdout: new LineSplitter("stdout", now), stderr: new LineSplitter("stderr", now) };
  }

  write(stream: LogStream, chunk: Uint8Array): void {
    this.#append(this.#lines[stream].push(chunk));
  }

  /** After the file was renamed: goes on in a new one under the old name. */
  reopen(): void {
    closeSync(this.#fd);
    this.#fd = open(this.path);
  }

  /** Writes what has no newline yet, and closes the file. */
  close(): void {
    for (const splitter of Object.values(this.#lines)) this.#append(splitter.end());
    closeSync(this.#fd);
  }

  #append(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length;) offset += writeSync(this.#fd, bytes, offset);
  }
}

/** Cuts a stream into log lines; bytes stay bytes, whatever their encoding. */
export class LineSplitter {
  #rest: Uint8Array = new Uint8Array();

  constructor(
    readonly stream: LogStream,
    readonly now: () => number,
  ) {}

  /** The finished log lines of this chunk, ready for the file. */
  push(chunk: Uint8Array): Uint8Array {
    const prefix = `${timestamp(this.now())} ${this.stream} `;
    const parts: Uint8Array[] = [];
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (;;) {
      const end = bytes.indexOf(NEWLINE);
      if (end > MAX_LINE || (end < 0 && bytes.length > MAX_LINE)) {
        parts.push(Buffer.from(`${prefix}P `), bytes.subarray(0, MAX_LINE), Buffer.from("\n"));
        bytes = bytes.subarray(MAX_LINE);
      } else if (end >= 0) {
        parts.push(Buffer.from(`${prefix}F `), bytes.subarray(0, end + 1));
        bytes = bytes.subarray(end + 1);
      } else break;
    }
    // A copy: the chunk's memory belongs to the stream.
    this.#rest = bytes.slice();
    return Buffer.concat(parts);
  }

  /** The last, unfinished line. */
  end(): Uint8Array {
    if (this.#rest.length === 0) return this.#rest;
    const line = Buffer.concat([Buffer.from(`${timestamp(this.now())} ${this.stream} F `), this.#rest, Buffer.from("\n")]);
    this.#rest = new Uint8Array();
    return line;
  }
}

/** Application logs can hold anything: the owner alone reads them. */
function open(path: string): number {
  return openSync(path, "a", 0o600);
}

/** RFC 3339 with nine digits, as Go's RFC3339Nano of a wall clock in milliseconds. */
function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("Z", "000000Z");
}
