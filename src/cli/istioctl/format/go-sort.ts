/**
 * Go's sort.Slice, a pattern-defeating quicksort (https://github.com/orlp/pdqsort): with an order that does not compare
 * everything, which istioctl has, the result depends on the algorithm, so that it has to be the same one.
 */
export function goSort<T>(items: readonly T[], less: (a: T, b: T) => boolean): T[] {
  const out = [...items];
  new Sorter(out, less).quicksort(0, out.length, bitLength(out.length));
  return out;
}

/** Up to so many elements, insertion is quickest. */
const INSERTION_LIMIT = 12;
/** From so many on the pivot is the middle of three middles. */
const NINTHER_LIMIT = 50;
/** As many swaps while a pivot is chosen say that the order is backwards. */
const MAX_SWAPS = 12;
/** A run that is nearly in order is mended in so many steps, if it is long enough to be worth it. */
const MENDING_STEPS = 5;
const MENDING_LIMIT = 50;

class Sorter<T> {
  constructor(
    readonly items: T[],
    readonly isLess: (a: T, b: T) => boolean,
  ) {}

  /** Sorts from `from` up to but not including `to`; after `limit` bad pivots by a heap. */
  quicksort(from: number, to: number, limit: number): void {
    let [start, end, tries] = [from, to, limit];
    let [balanced, partitioned] = [true, true];
    for (;;) {
      const length = end - start;
      if (length <= INSERTION_LIMIT) return this.#insertion(start, end);
      if (tries === 0) return this.#heap(start, end);
      if (!balanced) {
        this.#breakPatterns(start, end);
        tries--;
      }
      let { pivot, hint } = this.#choosePivot(start, end);
      if (hint === "backwards") {
        this.#reverse(start, end);
        pivot = end - 1 - (pivot - start);
        hint = "in order";
      }
      if (balanced && partitioned && hint === "in order" && this.#mend(start, end)) return;
      // The element before is a former pivot: when it is not less, many are equal to this one.
      if (start > 0 && !this.#less(start - 1, pivot)) {
        start = this.#partitionEqual(start, end, pivot);
        continue;
      }
      const { middle, already } = this.#partition(start, end, pivot);
      partitioned = already;
      const [left, right] = [middle - start, end - middle];
      const enough = Math.floor(length / 8);
      if (left < right) {
        balanced = left >= enough;
        this.quicksort(start, middle, tries);
        start = middle + 1;
      } else {
        balanced = right >= enough;
        this.quicksort(middle + 1, end, tries);
        end = middle;
      }
    }
  }

  #less(a: number, b: number): boolean {
    return this.isLess(this.items[a] as T, this.items[b] as T);
  }

  #swap(a: number, b: number): void {
    [this.items[a], this.items[b]] = [this.items[b] as T, this.items[a] as T];
  }

  #insertion(start: number, end: number): void {
    for (let at = start + 1; at < end; at++) {
      for (let index = at; index > start && this.#less(index, index - 1); index--) this.#swap(index, index - 1);
    }
  }

  #heap(start: number, end: number): void {
    const length = end - start;
    const sink = (from: number, size: number): void => {
      for (let root = from; ;) {
        let child = 2 * root + 1;
        if (child >= size) return;
        if (child + 1 < size && this.#less(start + child, start + child + 1)) child++;
        if (!this.#less(start + root, start + child)) return;
        this.#swap(start + root, start + child);
        root = child;
      }
    };
    for (let root = Math.floor((length - 1) / 2); root >= 0; root--) sink(root, length);
    for (let size = length - 1; size >= 0; size--) {
      this.#swap(start, start + size);
      sink(0, size);
    }
  }

  /** Puts what is less than the pivot before it; returns its place, and whether everything stood right already. */
  #partition(start: number, end: number, pivot: number): { middle: number; already: boolean } {
    this.#swap(start, pivot);
    let [low, high] = [start + 1, end - 1];
    let already = true;
    for (;;) {
      while (low <= high && this.#less(low, start)) low++;
      while (low <= high && !this.#less(high, start)) high--;
      if (low > high) break;
      already = false;
      this.#swap(low++, high--);
    }
    this.#swap(high, start);
    return { middle: high, already };
  }

  /** Puts what is equal to the pivot first; returns where the rest begins. */
  #partitionEqual(start: number, end: number, pivot: number): number {
    this.#swap(start, pivot);
    let [low, high] = [start + 1, end - 1];
    for (;;) {
      while (low <= high && !this.#less(start, low)) low++;
      while (low <= high && this.#less(start, high)) high--;
      if (low > high) return low;
      this.#swap(low++, high--);
    }
  }

  /** Mends a run that is nearly in order; false when it was not. */
  #mend(start: number, end: number): boolean {
    let at = start + 1;
    for (let step = 0; step < MENDING_STEPS; step++) {
      while (at < end && !this.#less(at, at - 1)) at++;
      if (at === end) return true;
      if (end - start < MENDING_LIMIT) return false;
      this.#swap(at, at - 1);
      if (at - start >= 2) for (let index = at - 1; index >= 1 && this.#less(index, index - 1); index--) this.#swap(index, index - 1);
      if (end - at >= 2) for (let index = at + 1; index < end && this.#less(index, index - 1); index++) this.#swap(index, index - 1);
    }
    return false;
  }

  /** Swaps three elements around the middle with others, by numbers that depend on the length alone. */
  #breakPatterns(start: number, end: number): void {
    const length = end - start;
    if (length < 8) return;
    const mask = (1n << BigInt(bitLength(length))) - 1n;
    let random = BigInt(length);
    const first = start + Math.floor(length / 4) * 2 - 1;
    for (let index = 0; index < 3; index++) {
      random = BigInt.asUintN(64, random ^ (random << 13n));
      random ^= random >> 7n;
      random = BigInt.asUintN(64, random ^ (random << 17n));
      const other = Number(random & mask);
      this.#swap(first + index, start + (other >= length ? other - length : other));
    }
  }

  #choosePivot(start: number, end: number): { pivot: number; hint: "in order" | "backwards" | "unknown" } {
    const length = end - start;
    const quarter = Math.floor(length / 4);
    let swaps = 0;
    const ordered = (a: number, b: number): [number, number] => {
      if (!this.#less(b, a)) return [a, b];
      swaps++;
      return [b, a];
    };
    const median = (a: number, b: number, c: number): number => {
      const [low, high] = ordered(a, b);
      const [middle] = ordered(high, c);
      return ordered(low, middle)[1];
    };
    const around = (at: number): number => (length >= NINTHER_LIMIT ? median(at - 1, at, at + 1) : at);
    let pivot = start + quarter * 2;
    if (length >= 8) {
      const [first, second, third] = [around(start + quarter), around(pivot), around(start + quarter * 3)];
      pivot = median(first, second, third);
    }
    return { pivot, hint: swaps === 0 ? "in order" : swaps === MAX_SWAPS ? "backwards" : "unknown" };
  }

  #reverse(start: number, end: number): void {
    for (let [low, high] = [start, end - 1]; low < high; low++, high--) this.#swap(low, high);
  }
}

function bitLength(value: number): number {
  return value.toString(2).length;
}
