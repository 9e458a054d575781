import { Alphabet } from "./alphabet.ts";
import { Automaton } from "./automaton.ts";
import { parse } from "./parse.ts";
import { compile, type Program } from "./program.ts";
import { programSize } from "./program-size.ts";
import { shapeTest, type TextTest } from "./shapes.ts";
import { type Dialect, type Expression, RegexProblem } from "./syntax.ts";
import { type Places, Tracer } from "./tracer.ts";

/** A regular expression that texts are matched against in time that grows with the text and nothing else. */
export interface Regex {
  /** Whether it matches the whole text. */
  readonly fits: TextTest;
  /** Whether it matches somewhere in the text. */
  readonly found: TextTest;
  /** The names of its groups, from group 1 on; undefined for those without one. */
  readonly names: readonly (string | undefined)[];
  /** As RE2 counts it; Envoy has a limit for it. */
  readonly programSize: number;
  /** The first match from a place on: where it and its groups begin and end. */
  search(text: string, from?: number): Places | undefined;
  /** The match of the whole text. */
  match(text: string): Places | undefined;
}

/**
 * Compiles an expression. In the dialect `re2` it is given as an ordinary text and matches texts whose characters are the
 * bytes of UTF-8, as headers and paths are kept in the proxy. Throws RegexProblem.
 */
export function compileRegex(source: string, dialect: Dialect): Regex {
  return new CompiledRegex(dialect === "re2" ? utf8Bytes(source) : source, dialect);
}

/** Why a text is no expression, in the words of RE2 or of Go; undefined when it is one. */
export function regexProblem(source: string, dialect: Dialect): string | undefined {
  try {
    compile(parse(dialect === "re2" ? utf8Bytes(source) : source, dialect), dialect);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof RegexProblem) return thrown.message;
    throw thrown;
  }
}

/** What a text is as bytes of UTF-8, each a character. */
export function utf8Bytes(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

// oxlint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/** What only some ask for is made when it is first asked for. */
class CompiledRegex implements Regex {
  readonly fits: TextTest;
  readonly names: readonly (string | undefined)[];
  readonly #program: Program;
  readonly #expression: Expression;
  #alphabetMade: Alphabet | undefined;
  #whole: Automaton | undefined;
  #anywhere: Automaton | undefined;
  #tracer: Tracer | undefined;

  constructor(source: string, dialect: Dialect) {
    const expression = parse(source, dialect);
    this.#expression = expression;
    this.#program = compile(expression, dialect);
    this.names = expression.names;
    this.fits = shapeTest(expression.node) ?? ((text) => (this.#whole ??= new Automaton(this.#program, this.#alphabet, false)).matches(text));
  }

  readonly found = (text: string): boolean => (this.#anywhere ??= new Automaton(this.#program, this.#alphabet, true)).matches(text);

  get programSize(): number {
    return programSize(this.#expression);
  }

  search(text: string, from = 0): Places | undefined {
    return this.#traced.find(text, from, false);
  }

  match(text: string): Places | undefined {
    return this.fits(text) ? this.#traced.find(text, 0, true) : undefined;
  }

  get #alphabet(): Alphabet {
    return (this.#alphabetMade ??= new Alphabet(this.#program));
  }

  get #traced(): Tracer {
    return (this.#tracer ??= new Tracer(this.#program, this.#alphabet));
  }
}
