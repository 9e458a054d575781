/**
 * A map that never changes: `with` answers another that differs in a few entries and shares the rest. A few layered
 * entries cost what they are; once they are many they are folded in, so that reading never looks in more than two places.
 */
export class LayeredMap<Key, Value> {
  readonly #base: ReadonlyMap<Key, Value>;
  /** undefined is an entry that is gone. */
  readonly #top: ReadonlyMap<Key, Value | undefined>;

  private constructor(base: ReadonlyMap<Key, Value>, top: ReadonlyMap<Key, Value | undefined>) {
    this.#base = base;
    this.#top = top;
  }

  static empty<Key, Value>(): LayeredMap<Key, Value> {
    return new LayeredMap<Key, Value>(new Map(), new Map());
  }

  get(key: Key): Value | undefined {
    return this.#top.has(key) ? this.#top.get(key) : this.#base.get(key);
  }

  /** With each key of `changes` at its value; undefined removes. */
  with(changes: ReadonlyMap<Key, Value | undefined>): LayeredMap<Key, Value> {
    if (changes.size === 0) return this;
    if (this.#top.size + changes.size <= MAX_LAYERED) return new LayeredMap(this.#base, new Map([...this.#top, ...changes]));
    const folded = new Map(this.#base);
    for (const layer of [this.#top, changes]) {
      for (const [key, value] of layer) {
        if (value === undefined) folded.delete(key);
        else folded.set(key, value);
      }
    }
    return new LayeredMap(folded, new Map());
  }

  *entries(): Generator<[Key, Value]> {
    for (const [key, value] of this.#base) if (!this.#top.has(key)) yield [key, value];
    for (const [key, value] of this.#top) if (value !== undefined) yield [key, value];
  }
}

/** Copying these for each change is cheaper than copying everything once in so many changes. */
const MAX_LAYERED = 64;
