/** Chance that can be had again: all of it follows from a seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1): mulberry32. */
  draw(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  chance(share: number): boolean {
    return this.draw() < share;
  }

  below(limit: number): number {
    return Math.floor(this.draw() * limit);
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** So many at most, each once, in the order of the list. */
  some<T>(choices: readonly T[], most: number): T[] {
    const wanted = this.below(Math.min(most, choices.length) + 1);
    const left = [...choices];
    while (left.length > wanted) left.splice(this.below(left.length), 1);
    return left;
  }

  list<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }

  /** The fields that chance takes, each with this share. */
  fields<T>(share: number, makers: Readonly<Record<string, () => T>>): Record<string, T> {
    return Object.fromEntries(
      Object.entries(makers)
        .filter(() => this.chance(share))
        .map(([name, make]) => [name, make()]),
    );
  }
}
