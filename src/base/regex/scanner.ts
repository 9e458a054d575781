import { type CharClass, negated, toClass, upTo } from "./char-class.ts";
import { folded } from "./case-folding.ts";
import { PERL_CLASSES, POSIX_CLASSES, unicodeClass } from "./named-classes.ts";
import { type Dialect, type ProblemCode, RegexProblem } from "./syntax.ts";

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** Reads characters, escapes and classes of an expression. All methods throw RegexProblem. */
export class Scanner {
  at = 0;

  constructor(
    readonly source: string,
    readonly dialect: Dialect,
    readonly maxCharacter: number,
  ) {}

  problem(code: ProblemCode, fragment: string): RegexProblem {
    return new RegexProblem(this.dialect, code, fragment);
  }

  get done(): boolean {
    return this.at >= this.source.length;
  }

  /** The character `ahead` of here, empty beyond the end. */
  peek(ahead = 0): string {
    return this.source[this.at + ahead] ?? "";
  }

  since(start: number): string {
    return this.source.slice(start, this.at);
  }

  character(): number {
    const code = this.source.codePointAt(this.at) ?? 0;
    this.at += code > 0xffff ? 2 : 1;
    return code;
  }

  /** After a backslash that begins here: one character. */
  escape(): number {
    const start = this.at;
    if (this.at + 1 >= this.source.length) throw this.problem("trailing-backslash", "");
    this.at++;
    const code = this.character();
    const name = String.fromCodePoint(code);
    const bad = (): RegexProblem => this.problem("escape", this.since(start));
    const control = CONTROLS[name];
    if (control !== undefined) return control;
    if (/[0-7]/.test(name)) {
      // A single digit other than zero would be a back reference.
      if (name !== "0" && !/[0-7]/.test(this.peek())) throw bad();
      let value = code - 0x30;
      for (let more = 0; more < 2 && /[0-7]/.test(this.peek()); more++) value = value * 8 + this.character() - 0x30;
      if (value > this.maxCharacter) throw bad();
      return value;
    }
    if (name === "x") return this.#hexadecimal(bad);
    if (code < 0x80 && !/[0-9A-Za-z]/.test(name)) return code;
    throw bad();
  }

  #hexadecimal(bad: () => RegexProblem): number {
    if (this.done) throw bad();
    const first = String.fromCodePoint(this.character());
    if (this.done) throw bad();
    if (first !== "{") {
      const digits = first + String.fromCodePoint(this.character());
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw bad();
      return Number.parseInt(digits, 16);
    }
    let value = 0;
    for (let count = 0; ; count++) {
      if (this.done) throw bad();
      const digit = String.fromCodePoint(this.character());
      if (digit === "}" && count > 0) return value;
      if (!/^[0-9A-Fa-f]$/.test(digit)) throw bad();
      value = value * 16 + Number.parseInt(digit, 16);
      if (value > this.maxCharacter) throw bad();
    }
  }

  /** `\d`, `\pL`, `\P{Greek}` at this place; undefined for anything else. */
  namedClass(fold: boolean): CharClass | undefined {
    const start = this.at;
    const kind = this.peek(1);
    const perl = PERL_CLASSES[kind.toLowerCase()];
    if (this.peek() === "\\" && perl && kind !== "") {
      this.at += 2;
      return this.signed(perl, fold, kind !== kind.toLowerCase());
    }
    if (this.peek() !== "\\" || (kind !== "p" && kind !== "P")) return undefined;
    this.at += 2;
    if (this.done) throw this.problem("class-range", this.since(start));
    let name = String.fromCodePoint(this.character());
    if (name === "{") {
      const end = this.source.indexOf("}", this.at);
      if (end < 0) throw this.problem("class-range", this.source.slice(start));
      name = this.source.slice(this.at, end);
      this.at = end + 1;
    }
    const not = name.startsWith("^");
    const set = unicodeClass(not ? name.slice(1) : name, this.dialect);
    if (!set) throw this.problem("class-range", this.since(start));
    return this.signed(set, fold, (kind === "P") !== not);
  }

  signed(set: CharClass, fold: boolean, not: boolean): CharClass {
    const whole = upTo(fold ? folded(set) : set, this.maxCharacter);
    return not ? negated(whole, this.maxCharacter) : whole;
  }

  /** From `[` to its `]`. */
  class(fold: boolean): CharClass {
    const start = this.at;
    const unfinished = (): RegexProblem => this.problem("missing-bracket", this.source.slice(start));
    this.at++;
    const not = this.peek() === "^";
    if (not) this.at++;
    const ranges: number[] = [];
    for (let first = true; this.peek() !== "]" || first; first = false) {
      if (this.done) throw unfinished();
      const named = this.#posixClass(fold) ?? (this.source.length - this.at > 2 || this.dialect === "go" ? this.namedClass(fold) : this.#perlOnly(fold));
      if (named) {
        for (const each of named) ranges.push(each);
        continue;
      }
      const from = this.at;
      const low = this.#classCharacter(unfinished);
      let high = low;
      if (this.peek() === "-" && this.peek(1) !== "]" && this.peek(1) !== "") {
        this.at++;
        high = this.#classCharacter(unfinished);
        if (high < low) throw this.problem("class-range", this.since(from));
      }
      for (const each of fold ? folded([low, high]) : [low, high]) ranges.push(each);
    }
    this.at++;
    const set = upTo(toClass(ranges), this.maxCharacter);
    return not ? negated(set, this.maxCharacter) : set;
  }

  /** RE2 looks for `\p` only where something follows its letter. */
  #perlOnly(fold: boolean): CharClass | undefined {
    return this.peek(1) === "p" || this.peek(1) === "P" ? undefined : this.namedClass(fold);
  }

  #classCharacter(unfinished: () => RegexProblem): number {
    if (this.done) throw unfinished();
    return this.peek() === "\\" ? this.escape() : this.character();
  }

  /** `[:alpha:]` within brackets. */
  #posixClass(fold: boolean): CharClass | undefined {
    if (this.peek() !== "[" || this.peek(1) !== ":") return undefined;
    const end = this.source.indexOf(":]", this.at + 2);
    if (end < 0) return undefined;
    const text = this.source.slice(this.at, end + 2);
    const not = text[2] === "^";
    const set = Object.hasOwn(POSIX_CLASSES, text.slice(not ? 3 : 2, -2)) ? POSIX_CLASSES[text.slice(not ? 3 : 2, -2)] : undefined;
    if (!set) throw this.problem("class-range", text);
    this.at = end + 2;
    return this.signed(set, fold, not);
  }
}
