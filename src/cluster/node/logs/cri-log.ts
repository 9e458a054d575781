/** Lines longer than this come out in parts; runtimes cut at 16 KiB, so this only bounds memory on a damaged file. */
const MAX_LINE = 1 << 20;

export interface LogFilter {
  timestamps: boolean;
  /** Lines before this moment (milliseconds since the epoch) are left out. */
  since?: number;
  limitBytes?: number;
}

/**
 * Turns the bytes of a CRI log (`<RFC3339Nano> stdout F <line>`) into what `kubectl logs` prints. Feed it the file's
 * bytes in order; parts tagged P are joined. `done` turns true once the byte limit is reached.
 */
export class CriLogReader {
  #pending = Buffer.alloc(0);
  #atLineStart = true;
  #left: number;

  constructor(readonly filter: LogFilter) {
    this.#left = filter.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  get done(): boolean {
    return this.#left <= 0;
  }

  feed(bytes: Uint8Array): Uint8Array {
    const data = this.#pending.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#pending, bytes]);
    const out: Uint8Array[] = [];
    let start = 0;
    for (let end = data.indexOf(10, start); end >= 0 && !this.done; end = data.indexOf(10, start)) {
      this.#line(data.subarray(start, end), out);
      start = end + 1;
    }
    this.#pending = Buffer.from(data.subarray(start));
    if (this.#pending.length > MAX_LINE) this.#pending = Buffer.alloc(0);
    return Buffer.concat(out);
  }

  #line(line: Buffer, out: Uint8Array[]): void {
    const timeEnd = line.indexOf(32);
    const streamEnd = line.indexOf(32, timeEnd + 1);
    const tagEnd = line.indexOf(32, streamEnd + 1);
    // A line that is none (a disk that was full in the middle of a write) is left out, as the kubelet does.
    if (timeEnd < 0 || streamEnd < 0 || tagEnd < 0) return;
    const time = line.toString("latin1", 0, timeEnd);
    if (this.filter.since !== undefined && Date.parse(time) < this.filter.since) return;
    const partial = line[streamEnd + 1] === 0x50;
    if (this.filter.timestamps && this.#atLineStart) this.#emit(Buffer.from(`${time} `), out);
    this.#emit(line.subarray(tagEnd + 1), out);
    if (!partial) this.#emit(Buffer.from("\n"), out);
    this.#atLineStart = !partial;
  }

  #emit(bytes: Buffer, out: Uint8Array[]): void {
    const cut = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= cut.length;
    if (cut.length > 0) out.push(cut);
  }
}
