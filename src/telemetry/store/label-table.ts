import type { Labels } from "./series.ts";

/** Numbers are written as one UTF-16 unit, or as two where they are larger. */
const SMALL = 0x8000;

/**
 * Every text that labels are made of, once, with a number: a mesh says the same few names and values in thousands of
 * series. What tells a series from others is then a short string of numbers.
 */
export class LabelTable {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];
  /** Labels' names in order, by the names as they came: sorting is done once a metric. */
  readonly #orders = new Map<string, readonly string[]>();

  get size(): number {
    return this.#texts.length;
  }

  /** The same text, as the one copy that is kept. */
  text(text: string): string {
    return this.#texts[this.#number(text)]!;
  }

  /** The same labels, made of kept texts, in order of their names. */
  labels(labels: Labels): Labels {
    const kept: Record<string, string> = {};
    for (const name of this.#order(labels)) kept[this.text(name)] = this.text(labels[name]!);
    return kept;
  }

  /** Equal for equal labels. */
  key(labels: Labels): string {
    let key = "";
    for (const name of this.#order(labels)) key += code(this.#number(name)) + code(this.#number(labels[name]!));
    // Joined from pieces it would keep them all.
    return flat(key);
  }

  #order(labels: Labels): readonly string[] {
    const names = Object.keys(labels);
    const shape = names.join();
    let order = this.#orders.get(shape);
    if (!order) this.#orders.set(shape, (order = names.sort()));
    return order;
  }

  #number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    // A piece of a scrape's answer would keep the whole answer.
    const copy = flat(text);
    this.#texts.push(copy);
    this.#numbers.set(copy, this.#texts.length - 1);
    return this.#texts.length - 1;
  }
}

function code(number: number): string {
  return number < SMALL ? String.fromCharCode(number) : String.fromCharCode(SMALL | (number >> 15), number & (SMALL - 1));
}

/** A copy that shares nothing with other strings. */
export function flat(text: string): string {
  return Buffer.from(text, "utf16le").toString("utf16le");
}
