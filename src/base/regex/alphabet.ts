import type { CharClass } from "./char-class.ts";
import { PERL_CLASSES } from "./named-classes.ts";
import type { Program } from "./program.ts";

const WORD = PERL_CLASSES.w as CharClass;
const LINE: CharClass = [0x0a, 0x0a];
/** Characters with a place of their own in the table. */
const DIRECT = 256;

/** The characters as far as a program tells them apart: all that the same steps read are one letter. */
export class Alphabet {
  readonly size: number;
  /** The letter of a character below 256. */
  readonly table = new Uint16Array(DIRECT);
  /** By letter: whether it is part of a word, and whether it ends a line. */
  readonly words: readonly boolean[];
  readonly lines: readonly boolean[];
  readonly #starts: readonly number[];
  readonly #letters: readonly number[];
  readonly #members = new Map<CharClass, Uint8Array>();

  constructor(program: Program) {
    const sets = [...new Map(program.steps.flatMap((step) => (step.op === "character" ? [[step.set.join(), step.set] as const] : []))).values()];
    const conditions = program.steps.some((step) => step.op === "assert");
    const all = conditions ? [...sets, WORD, LINE] : sets;
    const starts = [...new Set([0, ...all.flatMap((set) => set.map((edge, index) => (index % 2 === 0 ? edge : edge + 1)))])].sort((a, b) => a - b);
    const at = new Map(starts.map((start, index) => [start, index]));
    // Which sets an interval belongs to, as a text: intervals of the same text are one letter.
    const belongs = starts.map(() => "");
    for (const [number, set] of all.entries()) {
      for (let index = 0; index < set.length; index += 2) {
        const end = at.get((set[index + 1] ?? 0) + 1) ?? starts.length;
        for (let interval = at.get(set[index] ?? 0) ?? 0; interval < end; interval++) belongs[interval] += `${number},`;
      }
    }
    const letters = new Map<string, number>();
    this.#letters = belongs.map((key) => letters.get(key) ?? (letters.set(key, letters.size), letters.size - 1));
    this.#starts = starts;
    this.size = letters.size;
    for (let character = 0; character < DIRECT; character++) this.table[character] = this.letter(character);
    const keys = [...letters.keys()].map((key) => new Set(key.split(",")));
    const lettersOf = (number: number): boolean[] => keys.map((key) => key.has(String(number)));
    this.words = lettersOf(all.lastIndexOf(WORD));
    this.lines = lettersOf(all.lastIndexOf(LINE));
    const numbers = new Map(sets.map((set, number) => [set.join(), number]));
    for (const step of program.steps) {
      if (step.op !== "character" || this.#members.has(step.set)) continue;
      this.#members.set(step.set, Uint8Array.from(lettersOf(numbers.get(step.set.join()) ?? -1), Number));
    }
  }

  /** The letter of any character. */
  letter(character: number): number {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= character) low = middle;
      else high = middle - 1;
    }
    return this.#letters[low] ?? 0;
  }

  /** By letter: whether it is in a set of the program. */
  membership(set: CharClass): Uint8Array {
    return this.#members.get(set) ?? new Uint8Array(this.size);
  }
}
