import type { Alphabet } from "./alphabet.ts";
import type { Program, Step } from "./program.ts";
import type { Assertion } from "./syntax.ts";

/** States are made as texts come along; a text that needs ever more of them makes room for itself. */
const MAX_STATES = 1_000;

/** Steps that a text may have come to, before conditions are looked at, and where letters lead from there as far as that is known. */
interface State {
  readonly steps: readonly number[];
  readonly before: Before;
  readonly next: (State | undefined)[];
  /** Whether the text may end here; known when one has. */
  accepts: boolean | undefined;
  /** A match has been found on the way: the rest of the text changes nothing. Only where a match may be anywhere. */
  readonly matched: boolean;
}

/** What is before a place: the beginning of the text, the end of a line, a part of a word, or anything else. */
type Before = "begin" | "line" | "word" | "other";

/** What is behind a place. */
interface After {
  readonly end: boolean;
  readonly line: boolean;
  readonly word: boolean;
}
const END: After = { end: true, line: false, word: false };

/**
 * Tells whether a text matches, as a whole or anywhere in it: a deterministic automaton whose states are made when a text
 * first leads to them. Which way a match took, it does not know.
 */
export class Automaton {
  #states = new Map<string, State>();
  #initial: State;
  readonly #conditions: boolean;

  constructor(
    private readonly program: Program,
    private readonly alphabet: Alphabet,
    private readonly anywhere: boolean,
  ) {
    this.#conditions = program.steps.some(({ op }) => op === "assert");
    this.#initial = this.#state([program.first], "begin", false);
  }

  matches(text: string): boolean {
    const { table } = this.alphabet;
    let state = this.#initial;
    const { length } = text;
    for (let at = 0; at < length; at++) {
      const unit = text.charCodeAt(at);
      let letter: number;
      if (unit < 256) letter = table[unit] as number;
      else {
        const character = text.codePointAt(at) as number;
        if (character > 0xffff) at++;
        letter = this.alphabet.letter(character);
      }
      state = state.next[letter] ?? this.#step(state, letter);
      if (state.matched) return true;
      if (state.steps.length === 0) return false;
    }
    return (state.accepts ??= this.#accepts(state));
  }

  #step(state: State, letter: number): State {
    const after: After = { end: false, line: this.alphabet.lines[letter] === true, word: this.alphabet.words[letter] === true };
    const { program, alphabet } = this;
    const next: number[] = [];
    let matched = false;
    for (const index of this.#reached(state, after)) {
      const step = program.steps[index] as Step;
      if (step.op === "match") matched ||= this.anywhere;
      else if (step.op === "character" && alphabet.membership(step.set)[letter] === 1) next.push(step.next);
    }
    if (this.anywhere) next.push(program.first);
    const found = this.#state(matched ? [] : [...new Set(next)].sort((a, b) => a - b), after.line ? "line" : after.word ? "word" : "other", matched);
    state.next[letter] = found;
    return found;
  }

  #accepts(state: State): boolean {
    for (const index of this.#reached(state, END)) if (this.program.steps[index]?.op === "match") return true;
    return false;
  }

  #state(steps: readonly number[], before: Before, matched: boolean): State {
    const context = this.#conditions ? before : "other";
    const key = `${context}${matched}${steps.join()}`;
    const known = this.#states.get(key);
    if (known) return known;
    const state: State = { steps, before: context, next: Array.from({ length: this.alphabet.size }), accepts: undefined, matched };
    if (this.#states.size >= MAX_STATES) {
      // A new beginning: what led to the old states goes with them, once the text that is being read has left them.
      this.#states = new Map();
      this.#initial = this.#state([this.program.first], "begin", false);
    }
    this.#states.set(key, state);
    return state;
  }

  /** Everything that is reached without reading. */
  #reached({ steps, before }: State, after: After): Set<number> {
    const reached = new Set<number>();
    const pending = [...steps];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (reached.has(index)) continue;
      reached.add(index);
      const step = this.program.steps[index] as Step;
      if (step.op === "fork") pending.push(step.first, step.second);
      else if (step.op === "save") pending.push(step.next);
      else if (step.op === "assert" && holds(step.what, before === "begin", before === "line", before === "word", after)) pending.push(step.next);
    }
    return reached;
  }
}

/** Whether a condition is true between what is before and what is behind. */
export function holds(what: Assertion, atBegin: boolean, lineBefore: boolean, wordBefore: boolean, after: After): boolean {
  switch (what) {
    case "begin-text":
      return atBegin;
    case "end-text":
      return after.end;
    case "begin-line":
      return atBegin || lineBefore;
    case "end-line":
      return after.end || after.line;
    case "word-boundary":
      return wordBefore !== after.word;
    case "no-word-boundary":
      return wordBefore === after.word;
  }
}
