import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Logger, errorText } from "../../base/index.ts";
import type { MetricStore } from "./metric-store.ts";
import type { Series } from "./series.ts";

export interface HistoryOptions {
  folder: string;
  /** All files together; the oldest goes when it is exceeded. */
  maxBytes: number;
  /** A file is closed at this size: the unit in which old samples are dropped. */
  segmentBytes: number;
  /** A series that was silent for so long has ended. */
  endedMs: number;
  /** How far apart scrapes are. */
  stepMs: number;
  log: Logger;
}

/** How a series stood when it was written last. */
interface Written {
  id: number;
  value: number;
  ended: boolean;
}

/**
 * The store's memory on disk: what has changed since the last time is appended now and then, so that a store that is
 * killed comes back with all but its last seconds. Files are text, a line a record, each file readable by itself:
 *
 *     L "text"                   a label's name or value; the first is number 0
 *     S id name value …          a series: the number that it has in this file, and its labels as numbers of texts
 *     B time id value            a series that has begun since the last time, with its first value
 *     V time @id value value …   values that are new at a moment, in ms: of a series and of those with the numbers after it
 *     E time id …                series whose last scrape was then
 */
export class History {
  #file = "";
  #size = 0;
  #sequence = 0;
  #written = new Map<Series, Written>();
  #texts = new Map<string, number>();
  /** Series whose beginning is in some file. */
  readonly #begun = new WeakSet<Series>();
  #failed = false;

  constructor(private readonly options: HistoryOptions) {}

  /** Reads all files into the store, oldest first, and goes on in a new one. Returns how many series were read. */
  load(store: MetricStore): number {
    const { folder, log, stepMs, endedMs } = this.options;
    mkdirSync(folder, { recursive: true });
    let count = 0;
    for (const name of this.#segments()) {
      try {
        count += readSegment(readFileSync(join(folder, name), "utf8"), store, stepMs);
      } catch (thrown) {
        // One damaged file must not keep the store from starting; what it held is lost and said.
        log.warn("a file of the history could not be read", { file: name, error: errorText(thrown) });
      }
      this.#sequence = Math.max(this.#sequence, Number.parseInt(name.slice(8), 10));
    }
    for (const series of store.all()) {
      this.#begun.add(series);
      // Nothing is known of the time between the last record and now: a gap, not what held before it.
      series.end(series.lastTime + endedMs);
    }
    this.#rotate();
    return count;
  }

  /** Appends what is new. A disk that does not take it is said once; the store goes on in memory. */
  save(store: MetricStore, now: number): void {
    const known: string[] = [];
    const lines: string[] = [];
    const values: string[] = [];
    const ended: Map<number, number[]> = new Map();
    let next = NaN;
    for (const series of store.all()) {
      const value = series.lastValue;
      if (value === undefined) continue;
      let written = this.#written.get(series);
      const silent = series.endedAt !== undefined || now - series.lastTime > this.options.endedMs;
      if (!written) {
        if (silent) continue;
        written = { id: this.#written.size, value: NaN, ended: true };
        this.#written.set(series, written);
        known.push(...this.#describe(written.id, series));
        const first = series.first;
        // A counter's first zero is what its first burst is measured from.
        if (first && first.time < now && !Object.is(first.value, value) && !this.#begun.has(series)) lines.push(`B ${first.time} ${written.id} ${first.value}`);
        this.#begun.add(series);
      }
      if (silent) {
        if (!written.ended) ended.set(series.lastTime, [...(ended.get(series.lastTime) ?? []), written.id]);
        written.ended = true;
      } else if (written.ended || !Object.is(written.value, value)) {
        values.push(written.id === next ? `${value}` : `@${written.id} ${value}`);
        next = written.id + 1;
        written.value = value;
        written.ended = false;
      }
    }
    if (values.length > 0) lines.push(`V ${now} ${values.join(" ")}`);
    // Without this a mesh in which nothing changes would seem to have ended when it is read back.
    else lines.push(`V ${now}`);
    for (const [time, ids] of ended) lines.push(`E ${time} ${ids.join(" ")}`);
    this.#append(known, lines);
  }

  /** The lines that say what a series is: its texts that are new in this file, and their numbers. */
  #describe(id: number, series: Series): string[] {
    const lines: string[] = [];
    const number = (text: string) => {
      const known = this.#texts.get(text);
      if (known !== undefined) return known;
      this.#texts.set(text, this.#texts.size);
      lines.push(`L ${JSON.stringify(text)}`);
      return this.#texts.size - 1;
    };
    const pairs = Object.entries(series.labels).map(([name, value]) => `${number(name)} ${number(value)}`);
    return [...lines, `S ${id} ${pairs.join(" ")}`];
  }

  #append(known: readonly string[], lines: readonly string[]): void {
    const text = `${lines.join("\n")}\n`;
    try {
      appendFileSync(join(this.options.folder, this.#file), known.length > 0 ? `${known.join("\n")}\n${text}` : text);
      // Of a great mesh, what the series are is more than a file of values: it must not begin a new file each time.
      this.#size += Buffer.byteLength(text);
      this.#failed = false;
    } catch (thrown) {
      if (!this.#failed) this.options.log.error("the history could not be written: samples are kept in memory only", { error: errorText(thrown) });
      this.#failed = true;
      return;
    }
    if (this.#size >= this.options.segmentBytes) this.#rotate();
  }

  #rotate(): void {
    const { folder, maxBytes, segmentBytes } = this.options;
    this.#sequence++;
    this.#file = `history-${String(this.#sequence).padStart(8, "0")}.log`;
    this.#size = 0;
    // A file stands by itself: series get their numbers anew.
    this.#written = new Map();
    this.#texts = new Map();
    const files = this.#segments().map((name) => ({ name, size: statSync(join(folder, name)).size }));
    let total = files.reduce((sum, { size }) => sum + size, 0) + segmentBytes;
    for (const { name, size } of files) {
      if (total <= maxBytes) break;
      rmSync(join(folder, name), { force: true });
      total -= size;
    }
  }

  #segments(): string[] {
    const { folder } = this.options;
    return existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => /^history-\d{8}\.log$/.test(name))
          .sort()
      : [];
  }
}

/** Values hold until the next record that says otherwise; a line that was cut off by a kill is left out. */
function readSegment(text: string, store: MetricStore, stepMs: number): number {
  const open = new Map<number, { series: Series; from: number; value: number } | undefined>();
  const known = new Map<number, Series>();
  const texts: string[] = [];
  let last = 0;
  const close = (id: number, to: number) => {
    const run = open.get(id);
    if (run) run.series.restore(run.from, Math.max(run.from, to), run.value, stepMs);
    open.set(id, undefined);
  };
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  for (const line of whole.split("\n")) {
    if (line.startsWith("L ")) texts.push(textOf(line));
    else if (line.startsWith("S ")) {
      const [, id, ...numbers] = line.split(" ");
      const labels: Record<string, string> = {};
      for (let i = 0; i + 1 < numbers.length; i += 2) labels[texts[Number(numbers[i])] ?? ""] = texts[Number(numbers[i + 1])] ?? "";
      // A text that could not be read: no label is called nothing.
      const found = Object.hasOwn(labels, "") || !labels.__name__ ? undefined : store.series(labels);
      if (found) known.set(Number(id), found.series);
    } else if (line.startsWith("B ")) {
      const [, time, id, value] = line.split(" ");
      const series = known.get(Number(id));
      if (series) open.set(Number(id), { series, from: Number(time), value: Number(value) });
    } else if (line.startsWith("V ")) {
      const parts = line.split(" ");
      const time = Number(parts[1]);
      let id = NaN;
      for (let i = 2; i < parts.length; i++) {
        const part = parts[i]!;
        if (part.startsWith("@")) id = Number(part.slice(1));
        else {
          const series = known.get(id);
          if (series) {
            close(id, last);
            open.set(id, { series, from: time, value: Number(part) });
          }
          id++;
        }
      }
      last = time;
    } else if (line.startsWith("E ")) {
      const [, time, ...ids] = line.split(" ");
      for (const id of ids) {
        close(Number(id), Number(time));
        known.get(Number(id))?.end(Number(time));
      }
    }
  }
  for (const id of open.keys()) close(id, last);
  return known.size;
}

function textOf(line: string): string {
  try {
    const text: unknown = JSON.parse(line.slice(2));
    return typeof text === "string" ? text : "";
  } catch {
    // It keeps its number, so that the others have theirs.
    return "";
  }
}
