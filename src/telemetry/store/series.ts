/** Label names to values, `__name__` included. */
export type Labels = Readonly<Record<string, string>>;

/** From an age on, one value a so long is enough: what is older is looked at from further away. In ms, youngest first. */
export interface Tier {
  olderThanMs: number;
  keepEveryMs: number;
}

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

  constructor(readonly labels: Labels) {}

  append(time: number, value: number, stepMs: number): void {
    const last = this.#value.length - 1;
    // A gap of more than two scrapes (a target that was down) starts a run anew: nothing is known of the time between.
    if (last >= this.#head && Object.is(this.#value[last], value) && time - this.#to[last]! <= 2 * stepMs) {
      this.#to[last] = time;
      return;
    }
    this.#from.push(time);
    this.#to.push(time);
    this.#value.push(value);
  }

  /** A run that was read back; it must be later than all there is. */
  restore(from: number, to: number, value: number): void {
    if (from <= this.lastTime) return;
    this.#from.push(from);
    this.#to.push(to);
    this.#value.push(value);
  }

  /** Drops what ended before `time` and, beyond `maxRuns`, the oldest. */
  trim(time: number, maxRuns: number): void {
    while (this.#head < this.#value.length && (this.#to[this.#head]! < time || this.#value.length - this.#head > maxRuns)) this.#head++;
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
      const dropped = tier !== undefined && next < count && tierOf(next) === tier && bucket(this.#to[i]!, tier) === bucket(this.#to[next]!, tier) && this.#from[next]! - this.#to[i]! <= gapMs;
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

  /** The newest sample at or before `time` and no older than `lookbackMs`: an instant vector's rule. */
  at(time: number, lookbackMs: number): number | undefined {
    const index = this.#runAt(time);
    if (index < this.#head) return undefined;
    const end = Math.min(this.#to[index]!, time);
    return time - end <= lookbackMs ? this.#value[index] : undefined;
  }

  /**
   * The samples in (from, to]: of each run the first and the last that a scrape every `stepMs` put there. Between them the
   * value is the same; with `every` they all come, for what counts or weighs samples.
   */
  window(from: number, to: number, stepMs = 1, every = false): { times: number[]; values: number[] } {
    const times: number[] = [];
    const values: number[] = [];
    let index = Math.max(this.#runAt(from), this.#head);
    for (; index < this.#value.length && this.#from[index]! <= to; index++) {
      const [begin, stop, value] = [this.#from[index]!, this.#to[index]!, this.#value[index]!];
      // The window is open at its start: the first scrape after it counts.
      const start = begin > from ? begin : begin + (Math.floor((from - begin) / stepMs) + 1) * stepMs;
      const end = stop <= to ? stop : begin + Math.floor((to - begin) / stepMs) * stepMs;
      if (start > end) continue;
      times.push(start);
      values.push(value);
      if (every) {
        // Scrapes are never exactly a step apart: what is left at the end must be worth a sample.
        for (let time = start + stepMs; time < end - stepMs / 2; time += stepMs) {
          times.push(time);
          values.push(value);
        }
      }
      if (end > start) {
        times.push(end);
        values.push(value);
      }
    }
    return { times, values };
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
