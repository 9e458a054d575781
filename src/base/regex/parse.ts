import { type CharClass, MAX_CODE_POINT, upTo } from "./char-class.ts";
import { folded } from "./case-folding.ts";
import { Scanner } from "./scanner.ts";
import { type Assertion, type Dialect, type Expression, type RegexNode, type RegexProblem } from "./syntax.ts";

/**
 * Reads an expression, for bytes given as characters up to 255 (`re2`) or for a text (`go`). Throws RegexProblem with RE2's
 * or Go's words. https://github.com/google/re2/wiki/Syntax
 */
export function parse(source: string, dialect: Dialect): Expression {
  const parser = new Parser(source, dialect);
  return { node: parser.parse(), names: parser.names };
}

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
  readonly lines: boolean;
  readonly lazy: boolean;
}

/** A group that is open: what it was begun with, and its alternatives so far. */
interface Open {
  readonly capture: number | undefined;
  readonly flags: Flags;
  readonly done: RegexNode[];
  readonly parts: RegexNode[];
}

/** RE2's and Go's limit of {n,m}, and of what nested ones come to. */
const MAX_REPEAT = 1000;
/** Go's limit; RE2 has none, but nobody nests so deeply and means it. */
const MAX_NESTING = 1000;
const MAX_BYTE = 0xff;
/** `{n}`, `{n,}`, `{n,m}`: numbers do not begin with a zero. */
const COUNTS = /\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}/y;
const FLAG_NAMES: Readonly<Record<string, keyof Flags>> = { i: "ignoreCase", m: "lines", s: "dotAll", U: "lazy" };
/** RE2 takes larger counts for no counts at all. */
const MAX_COUNT_DIGITS = 9;

class Parser {
  readonly names: (string | undefined)[] = [];
  readonly #max: number;
  readonly #scanner: Scanner;
  readonly #open: Open[] = [];
  #flags: Flags = { ignoreCase: false, dotAll: false, lines: false, lazy: false };
  /** Where the repetition began that was just read. */
  #repetition: number | undefined;

  constructor(
    readonly source: string,
    readonly dialect: Dialect,
  ) {
    this.#max = dialect === "re2" ? MAX_BYTE : MAX_CODE_POINT;
    this.#scanner = new Scanner(source, dialect, this.#max);
  }

  parse(): RegexNode {
    this.#begin(undefined);
    while (!this.#scanner.done) {
      const repetition = this.#repetition;
      this.#repetition = undefined;
      this.#item(repetition);
    }
    if (this.#open.length > 1) throw this.#problem("missing-paren", this.source);
    return this.#end();
  }

  #problem(...args: Parameters<Scanner["problem"]>): RegexProblem {
    return this.#scanner.problem(...args);
  }

  #item(repetition: number | undefined): void {
    const scanner = this.#scanner;
    const start = scanner.at;
    switch (scanner.peek()) {
      case "(":
        if (scanner.peek(1) === "?") return this.#special();
        scanner.at++;
        return this.#capture(undefined);
      case "|":
        scanner.at++;
        return this.#alternative();
      case ")":
        if (this.#open.length < 2) throw this.#problem("unexpected-paren", this.source);
        scanner.at++;
        return this.#push(this.#end());
      case "[":
        return this.#class(scanner.class(this.#flags.ignoreCase));
      case ".":
        scanner.at++;
        return this.#class(this.#flags.dotAll ? [0, this.#max] : [0, 9, 11, this.#max]);
      case "^":
        scanner.at++;
        return this.#assert(this.#flags.lines ? "begin-line" : "begin-text");
      case "$":
        scanner.at++;
        return this.#assert(this.#flags.lines ? "end-line" : "end-text");
      case "*":
      case "+":
      case "?": {
        const mark = scanner.peek();
        scanner.at++;
        return this.#repeat(start, repetition, mark === "+" ? 1 : 0, mark === "?" ? 1 : Number.POSITIVE_INFINITY);
      }
      case "{":
        return this.#counted(start, repetition);
      case "\\":
        return this.#escape();
      default:
        return this.#literal(scanner.character());
    }
  }

  #begin(capture: number | undefined): void {
    if (this.#open.length > MAX_NESTING) throw this.#problem("nesting", this.source);
    this.#open.push({ capture, flags: this.#flags, done: [], parts: [] });
  }

  #capture(name: string | undefined): void {
    this.names.push(name);
    this.#begin(this.names.length);
  }

  get #parts(): RegexNode[] {
    return this.#open.at(-1)?.parts ?? [];
  }

  #push(node: RegexNode): void {
    this.#parts.push(node);
  }

  #alternative(): void {
    const open = this.#open.at(-1);
    open?.done.push({ kind: "sequence", parts: open.parts.splice(0) });
  }

  /** Closes what was opened last. */
  #end(): RegexNode {
    this.#alternative();
    const { capture, flags, done } = this.#open.pop() as Open;
    this.#flags = flags;
    const [only] = done;
    const node: RegexNode = done.length === 1 && only ? only : { kind: "choice", parts: done };
    return capture === undefined ? node : { kind: "capture", part: node, index: capture };
  }

  #class(set: CharClass, fold = false): void {
    this.#push({ kind: "class", set, fold });
  }

  #assert(what: Assertion): void {
    this.#push({ kind: "assertion", what });
  }

  #literal(character: number): void {
    const { ignoreCase } = this.#flags;
    const set = ignoreCase ? upTo(folded([character, character]), this.#max) : [character, character];
    this.#class(set, ignoreCase && set.length > 2);
  }

  #escape(): void {
    const scanner = this.#scanner;
    const kind = scanner.peek(1);
    const simple: Assertion | undefined =
      kind === "A" ? "begin-text" : kind === "z" ? "end-text" : kind === "b" ? "word-boundary" : kind === "B" ? "no-word-boundary" : undefined;
    if (simple !== undefined || kind === "C" || kind === "Q") {
      if (kind === "C" && this.dialect === "go") throw this.#problem("escape", "\\C");
      scanner.at += 2;
      if (simple !== undefined) return this.#assert(simple);
      if (kind === "C") return this.#class([0, this.#max]);
      const end = this.source.indexOf("\\E", scanner.at);
      const until = end < 0 ? this.source.length : end;
      while (scanner.at < until) this.#literal(scanner.character());
      scanner.at = end < 0 ? until : end + 2;
      return;
    }
    const named = scanner.namedClass(this.#flags.ignoreCase);
    if (named) this.#class(named);
    else this.#literal(scanner.escape());
  }

  /** `(?P<name>`, `(?<name>`, `(?flags)` and `(?flags:`; what else begins like this, nobody knows. */
  #special(): void {
    const scanner = this.#scanner;
    const start = scanner.at;
    const rest = this.source.slice(start);
    const looking = this.dialect === "re2" ? /^\(\?(?:[=!]|<[=!](?=.))/s.exec(rest) : null;
    if (looking && rest.length > 3) throw this.#problem("perl-operator", looking[0]);
    const named = rest.length > (this.dialect === "re2" ? 4 : 3) ? /^\(\?(?:P(?=<.)|(?=<))</s.exec(rest) : null;
    if (named) {
      const end = rest.indexOf(">");
      if (end < 0) throw this.#problem("named-capture", rest);
      const name = rest.slice(named[0].length, end);
      if (!(this.dialect === "re2" ? /^[\w\xaa\xb2\xb3\xb5\xb9\xba\xbc-\xbe\xc0-\xd6\xd8-\xf6\xf8-\xff]+$/ : /^\w+$/).test(name))
        throw this.#problem("named-capture", rest.slice(0, end + 1));
      scanner.at += end + 1;
      return this.#capture(name);
    }
    scanner.at += 2;
    const bad = (): RegexProblem => this.#problem("perl-operator", scanner.since(start));
    let flags = this.#flags;
    let value = true;
    let seen = false;
    for (;;) {
      if (scanner.done) throw bad();
      const letter = String.fromCodePoint(scanner.character());
      const flag = Object.hasOwn(FLAG_NAMES, letter) ? FLAG_NAMES[letter] : undefined;
      if (flag !== undefined) {
        flags = { ...flags, [flag]: value };
        seen = true;
      } else if (letter === "-" && value) [value, seen] = [false, false];
      else if ((letter === ":" || letter === ")") && (value || seen)) {
        if (letter === ":") this.#begin(undefined);
        this.#flags = flags;
        return;
      } else throw bad();
    }
  }

  #counted(start: number, repetition: number | undefined): void {
    COUNTS.lastIndex = start;
    const match = COUNTS.exec(this.source);
    const [whole = "", from = "", comma, to] = match ?? [];
    if (!match || (this.dialect === "re2" && Math.max(from.length, to?.length ?? 0) > MAX_COUNT_DIGITS)) {
      this.#scanner.at++;
      return this.#literal(0x7b);
    }
    this.#scanner.at += whole.length;
    const min = Number(from);
    this.#repeat(start, repetition, min, comma === undefined ? min : to === undefined ? Number.POSITIVE_INFINITY : Number(to), true);
  }

  #repeat(start: number, repetition: number | undefined, min: number, max: number, counted = false): void {
    const scanner = this.#scanner;
    const sizes = (): void => {
      if (counted && (min > MAX_REPEAT || (max !== Number.POSITIVE_INFINITY && (max > MAX_REPEAT || max < min))))
        throw this.#problem("repeat-size", scanner.since(start));
    };
    // Go looks at the numbers before it looks whether the operator is a lazy one.
    if (this.dialect === "go") sizes();
    const lazy = scanner.peek() === "?";
    if (lazy) scanner.at++;
    if (repetition !== undefined) throw this.#problem("repeat-operator", scanner.since(repetition));
    sizes();
    const part = this.#parts.pop();
    if (!part) throw this.#problem("repeat-argument", scanner.since(start));
    const node: RegexNode = { kind: "repeat", part, min, max, lazy: lazy !== this.#flags.lazy };
    if (counted && (min >= 2 || max >= 2) && copies(node) > MAX_REPEAT) throw this.#problem("repeat-size", scanner.since(start));
    this.#push(node);
    this.#repetition = start;
  }
}

/** How often the innermost part of an expression is there when its counts are multiplied. */
function copies(node: RegexNode): number {
  switch (node.kind) {
    case "capture":
      return copies(node.part);
    case "repeat": {
      const own = node.max === Number.POSITIVE_INFINITY ? node.min : node.max;
      return Math.max(own, 1) * copies(node.part);
    }
    case "sequence":
    case "choice":
      return node.parts.reduce((most, part) => Math.max(most, copies(part)), 1);
    default:
      return 1;
  }
}
