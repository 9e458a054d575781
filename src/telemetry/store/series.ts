/** Label names to values, `__name__` included. */
export type Labels = Readonly<Record<string, string>>;

/** A label's value, "" where there is none: what every object has, such as a constructor, is no label. */
export function labelOf(labels: Labels, name: string): string {
  const value: unknown = labels[name];
  return typeof value === "string" ? value : "";
}

/** From an age on, one value a so long is enough: what is older is looked at from further away. In ms, youngest first. */
export interface Tier {
  olderThanMs: number;
  keepEveryMs: number;
}

/** A scrape may come late, but one that comes later than this left another out. */
const MAX_STEPS = 1.5;
/** Steps of a run are fractions: the last one must count although sums of them fall short by a rounding. */
const ROUNDING = 1e-9;

/**
 * One series as runs of equal values: scrapes that bring nothing new only move the end of the last run. Counters of an
 * idle mesh, most of all there is, so cost nothing however often they are scraped.
 */
export class Series {
  /** Parallel arrays, oldest first: the value held from the first to the last scrape of the run, in ms. */
  #from: number[] = [];
  #to: number[] = [];
  #value: number[] = [];
  #head = 0;
  /** When the series ended, oldest first. */
  #ended: number[] = [];
  /** How far apart scrapes are: a run stands for so many samples. */
  #stepMs = 1_000;

  constructor(readonly labels: Labels) {}

  /** Takes a sample; one that is not later than the last is left out, as Prometheus leaves out what is out of order. */
  append(time: number, value: number, stepMs: number): void {
    if (time <= this.lastTime) return;
    this.#stepMs = stepMs;
    const last = this.#value.length - 1;
    // A scrape that is missing starts a run anew: what counts samples must not count it.
    if (
      last >= this.#head &&
      Object.is(this.#value[last], value) &&
      time - this.#to[last]! <= MAX_STEPS * stepMs &&
      !this.#endedBetween(this.#to[last]!, time)
    ) {
      this.#to[last] = time;
      return;
    }
    this.#from.push(time);
    this.#to.push(time);
    this.#value.push(value);
  }

  /** The target no longer has it, or does not answer: from now on the series is not there, until the next sample. */
  end(time: number): void {
    if (this.empty || (this.#ended.at(-1) ?? 0) >= this.lastTime) return;
    this.#ended.push(Math.max(time, this.lastTime + 1));
  }

  /** When it ended, where no sample came since. */
  get endedAt(): number | undefined {
    const last = this.#ended.at(-1);
    return last !== undefined && last >= this.lastTime ? last : undefined;
  }

  /** A run that was read back; it must be later than all there is. */
  restore(from: number, to: number, value: number, stepMs: number): void {
    if (from <= this.lastTime) return;
    this.#stepMs = stepMs;
    this.#from.push(from);
    this.#to.push(to);
    this.#value.push(value);
  }

  /** Drops what ended before `time` and, beyond `maxRuns`, the oldest. */
  trim(time: number, maxRuns: number): void {
    while (this.#head < this.#value.length && (this.#to[this.#head]! < time || this.#value.length - this.#head > maxRuns)) this.#head++;
    while (this.#ended.length > 0 && this.#ended[0]! < (this.#from[this.#head] ?? Infinity)) this.#ended.shift();
    // Copying is worth it only when half of the arrays is dead.
    if (this.#head > 64 && this.#head * 2 > this.#value.length) this.#copy(this.#head);
  }

  /**
   * Keeps one value a bucket of what is older than a tier: the last. The value before it counts as held until then, so
   * that no hole opens; real gaps, of more than `gapMs`, stay.
   */
  thin(now: number, tiers: readonly Tier[], gapMs: number): void {
    const count = this.#value.length;
    const tierOf = (index: number) => tiers.findLast(({ olderThanMs }) => now - this.#to[index]! > olderThanMs);
    let kept = this.#head;
    for (let i = this.#head; i < count; i++) {
      const tier = tierOf(i);
      const next = i + 1;
      const dropped =
        tier !== undefined &&
        next < count &&
        tierOf(next) === tier &&
        bucket(this.#to[i]!, tier) === bucket(this.#to[next]!, tier) &&
        this.#from[next]! - this.#to[i]! <= gapMs;
      if (dropped && kept > this.#head && this.#from[i]! - this.#to[kept - 1]! <= gapMs) {
        this.#to[kept - 1] = this.#to[i]!;
        continue;
      }
      if (dropped && kept > this.#head) continue;
      this.#from[kept] = this.#from[i]!;
      this.#to[kept] = this.#to[i]!;
      this.#value[kept] = this.#value[i]!;
      kept++;
    }
    this.#from.length = kept;
    this.#to.length = kept;
    this.#value.length = kept;
  }

  get empty(): boolean {
    return this.#head >= this.#value.length;
  }

  get runs(): number {
    return this.#value.length - this.#head;
  }

  get lastTime(): number {
    return this.#to[this.#to.length - 1] ?? 0;
  }

  get first(): { time: number; value: number } | undefined {
    return this.empty ? undefined : { time: this.#from[this.#head]!, value: this.#value[this.#head]! };
  }

  get lastValue(): number | undefined {
    return this.#value[this.#value.length - 1];
  }

  /** The value at `time`: of the newest sample at or before it that is no older than `lookbackMs`, where the series has not ended since. */
  at(time: number, lookbackMs: number): number | undefined {
    return this.sampleAt(time, lookbackMs)?.value;
  }

  sampleAt(time: number, lookbackMs: number): { time: number; value: number } | undefined {
    const index = this.#runAt(time);
    if (index < this.#head) return undefined;
    const [from, to] = [this.#from[index]!, this.#to[index]!];
    const step = this.#stepOf(index);
    const newest = to <= time ? to : from + Math.floor((time - from) / step) * step;
    if (time - newest > lookbackMs || this.#endedBetween(newest, time)) return undefined;
    return { time: Math.round(newest), value: this.#value[index]! };
  }

  /**
   * The samples in [from, to]: of each run the first and the last, as between them the value is the same, or with `every`
   * all. `count` is how many samples that stands for.
   */
  window(from: number, to: number, every = false): { times: number[]; values: number[]; count: number } {
    const times: number[] = [];
    const values: number[] = [];
    let count = 0;
    for (let index = Math.max(this.#runAt(from), this.#head); index < this.#value.length && this.#from[index]! <= to; index++) {
      const [begin, stop, value] = [this.#from[index]!, this.#to[index]!, this.#value[index]!];
      const step = this.#stepOf(index);
      const first = begin >= from ? 0 : Math.ceil((from - begin) / step);
      const last = Math.floor((Math.min(stop, to) - begin) / step + ROUNDING);
      if (first > last) continue;
      count += last - first + 1;
      const between = every ? 1 : Math.max(1, last - first);
      for (let n = first; n <= last; n += between) {
        times.push(Math.round(begin + n * step));
        values.push(value);
      }
    }
    return { times, values, count };
  }

  /** How far apart the samples of a run are: as many fit as scrapes were made. */
  #stepOf(index: number): number {
    const length = this.#to[index]! - this.#from[index]!;
    return length === 0 ? this.#stepMs : length / Math.max(1, Math.round(length / this.#stepMs));
  }

  #endedBetween(after: number, until: number): boolean {
    for (let i = this.#ended.length - 1; i >= 0; i--) {
      const time = this.#ended[i]!;
      if (time < after) return false;
      if (time <= until) return true;
    }
    return false;
  }

  /** The last run that starts at or before `time`, or head − 1. */
  #runAt(time: number): number {
    let low = this.#head;
    let high = this.#value.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.#from[middle]! <= time) low = middle + 1;
      else high = middle - 1;
    }
    return high;
  }

  #copy(from: number): void {
    this.#from = this.#from.slice(from);
    this.#to = this.#to.slice(from);
    this.#value = this.#value.slice(from);
    this.#head = 0;
  }
}

function bucket(time: number, { keepEveryMs }: Tier): number {
  return Math.floor(time / keepEveryMs);
}
