/** Label names to values, `__name__` included. */
export type Labels = Readonly<Record<string, string>>;

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

  /** Drops what ended before `time` and, beyond `maxRuns`, the oldest. */
  trim(time: number, maxRuns: number): void {
    while (this.#head < this.#value.length && (this.#to[this.#head]! < time || this.#value.length - this.#head > maxRuns)) this.#head++;
    // Copying is worth it only when half of the arrays is dead.
    if (this.#head > 64 && this.#head * 2 > this.#value.length) {
      this.#from = this.#from.slice(this.#head);
      this.#to = this.#to.slice(this.#head);
      this.#value = this.#value.slice(this.#head);
      this.#head = 0;
    }
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

  /** The newest sample at or before `time` and no older than `lookbackMs`: an instant vector's rule. */
  at(time: number, lookbackMs: number): number | undefined {
    const index = this.#runAt(time);
    if (index < this.#head) return undefined;
    const end = Math.min(this.#to[index]!, time);
    return time - end <= lookbackMs ? this.#value[index] : undefined;
  }

  /** The samples in (from, to]: both ends of each run, cut to the window. Between them the value is the same. */
  window(from: number, to: number): { times: number[]; values: number[] } {
    const times: number[] = [];
    const values: number[] = [];
    let index = Math.max(this.#runAt(from), this.#head);
    for (; index < this.#value.length && this.#from[index]! <= to; index++) {
      if (this.#to[index]! <= from) continue;
      const start = Math.max(this.#from[index]!, from);
      const end = Math.min(this.#to[index]!, to);
      times.push(start);
      values.push(this.#value[index]!);
      if (end > start) {
        times.push(end);
        values.push(this.#value[index]!);
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
}
