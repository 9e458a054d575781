import type { Alphabet } from "./alphabet.ts";
import { holds } from "./automaton.ts";
import type { Program, Step } from "./program.ts";
import type { Assertion } from "./syntax.ts";

/** Where a match begins and ends: two places for the whole, two for each group, -1 where a group has no part in the match. */
export type Places = readonly number[];

/** Ways that are followed at the same time, the preferred ones first, each with the places that it has passed. */
interface Ways {
  readonly steps: number[];
  readonly places: number[][];
  /** Marks the steps that are in it. */
  round: number;
}

/** Before the text and behind it there is no letter. */
const NONE = -1;

/**
 * Finds the first match in a text, of those that begin there the one that a Perl-like engine would find first, and what its
 * groups matched. All ways are followed at the same time, character by character (Pike's machine), so the time grows with
 * the text times the program and nothing else.
 */
export class Tracer {
  readonly #steps: readonly Step[];
  /** By step: the round in which it was last reached. */
  readonly #seen: Int32Array;
  readonly #members: readonly (Uint8Array | undefined)[];
  /** Letters that a match can begin with; undefined when it can begin without reading. */
  readonly #starts: Uint8Array | undefined;
  readonly #onlyAtBegin: boolean;
  #round = 0;
  /** What is yet to be followed; empty between the calls. */
  readonly #pendingSteps: number[] = [];
  readonly #pendingPlaces: number[][] = [];
  readonly #nothing: number[];

  constructor(
    private readonly program: Program,
    private readonly alphabet: Alphabet,
  ) {
    this.#steps = program.steps;
    this.#nothing = Array.from({ length: program.slots }, () => -1);
    this.#seen = new Int32Array(program.steps.length);
    this.#members = program.steps.map((step) => (step.op === "character" ? alphabet.membership(step.set) : undefined));
    this.#starts = this.#firstLetters();
    const first = program.steps[program.first];
    this.#onlyAtBegin = first?.op === "assert" && first.what === "begin-text";
  }

  /** A match that begins at `from` or later, or, of the whole text, one from its beginning to its end. */
  find(text: string, from: number, whole: boolean): Places | undefined {
    let now: Ways = { steps: [], places: [], round: this.#nextRound() };
    let next: Ways = { steps: [], places: [], round: 0 };
    let found: Places | undefined;
    let before = from === 0 ? NONE : this.#letterAt(text, lowSurrogate(text, from - 1) ? from - 2 : from - 1);
    let letter = this.#letterAt(text, from);
    for (let at = from; ;) {
      if (!found && (at === 0 || !(whole || this.#onlyAtBegin)) && (this.#starts === undefined || (letter !== NONE && this.#starts[letter] === 1))) {
        const places = this.#nothing.slice();
        places[0] = at;
        this.#follow(now, this.program.first, places, at, before, letter);
      }
      if (now.steps.length === 0 && (found || whole || this.#onlyAtBegin)) return found;
      const after = letter === NONE ? at : at + (text.charCodeAt(at) >= 0xd800 && (text.codePointAt(at) as number) > 0xffff ? 2 : 1);
      const letterAfter = letter === NONE ? NONE : this.#letterAt(text, after);
      next.round = this.#nextRound();
      for (let index = 0; index < now.steps.length; index++) {
        const number = now.steps[index] as number;
        const step = this.#steps[number] as Step;
        const places = now.places[index] as number[];
        if (step.op === "match") {
          if (whole && letter !== NONE) continue;
          places[1] = at;
          found = places;
          // What is preferred less than this is given up.
          break;
        }
        if (step.op === "character" && letter !== NONE && (this.#members[number] as Uint8Array)[letter] === 1)
          this.#follow(next, step.next, places, after, letter, letterAfter);
      }
      if (letter === NONE) return found;
      [now, next] = [next, now];
      next.steps.length = 0;
      next.places.length = 0;
      [at, before, letter] = [after, letter, letterAfter];
    }
  }

  /** Adds what is reached from a step without reading, in the order of preference. */
  #follow(ways: Ways, from: number, passed: number[], at: number, before: number, letter: number): void {
    const steps = this.#pendingSteps;
    const places = this.#pendingPlaces;
    steps.push(from);
    places.push(passed);
    while (steps.length > 0) {
      const number = steps.pop() as number;
      const own = places.pop() as number[];
      if (this.#seen[number] === ways.round) continue;
      this.#seen[number] = ways.round;
      const step = this.#steps[number] as Step;
      switch (step.op) {
        case "fork":
          steps.push(step.second, step.first);
          places.push(own, own);
          break;
        case "save": {
          const moved = own.slice();
          moved[step.slot] = at;
          steps.push(step.next);
          places.push(moved);
          break;
        }
        case "assert":
          if (!this.#holds(step.what, before, letter)) break;
          steps.push(step.next);
          places.push(own);
          break;
        default:
          ways.steps.push(number);
          ways.places.push(own);
      }
    }
  }

  #holds(what: Assertion, before: number, letter: number): boolean {
    const { lines, words } = this.alphabet;
    const after = { end: letter === NONE, line: letter !== NONE && lines[letter] === true, word: letter !== NONE && words[letter] === true };
    return holds(what, before === NONE, before !== NONE && lines[before] === true, before !== NONE && words[before] === true, after);
  }

  #firstLetters(): Uint8Array | undefined {
    const letters = new Uint8Array(this.alphabet.size);
    const reached = new Set<number>();
    const pending = [this.program.first];
    for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
      if (reached.has(number)) continue;
      reached.add(number);
      const step = this.#steps[number] as Step;
      if (step.op === "match") return undefined;
      if (step.op === "fork") pending.push(step.first, step.second);
      else if (step.op === "character")
        for (const [letter, member] of (this.#members[number] as Uint8Array).entries()) letters[letter] = (letters[letter] as number) | member;
      else pending.push(step.next);
    }
    return letters;
  }

  #letterAt(text: string, at: number): number {
    if (at >= text.length) return NONE;
    const unit = text.charCodeAt(at);
    return unit < 256 ? (this.alphabet.table[unit] as number) : this.alphabet.letter(text.codePointAt(at) as number);
  }

  #nextRound(): number {
    if (this.#round >= MAX_ROUND) {
      this.#round = 0;
      this.#seen.fill(0);
    }
    return ++this.#round;
  }
}

/** What an Int32Array holds. */
const MAX_ROUND = 2 ** 31 - 1;

/** Whether the unit ends a pair. */
function lowSurrogate(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff && at > 0 && (text.codePointAt(at - 1) ?? 0) > 0xffff;
}
