import type { CharClass } from "./char-class.ts";

/** What must be true of a place in the text for an expression to go on there. */
export type Assertion = "begin-text" | "end-text" | "begin-line" | "end-line" | "word-boundary" | "no-word-boundary";

/** What an expression is made of. */
export type RegexNode =
  | { readonly kind: "class"; readonly set: CharClass; readonly fold: boolean }
  | { readonly kind: "assertion"; readonly what: Assertion }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly RegexNode[] }
  | { readonly kind: "repeat"; readonly part: RegexNode; readonly min: number; readonly max: number; readonly lazy: boolean }
  | { readonly kind: "capture"; readonly part: RegexNode; readonly index: number };

export interface Expression {
  readonly node: RegexNode;
  /** How many groups keep what they matched, and their names where they have one; the first is group 1. */
  readonly names: readonly (string | undefined)[];
}

/**
 * `re2`: RE2 as Envoy uses it, over the bytes of UTF-8, each a character of its own (Latin-1). `go`: Go's regexp package,
 * over code points.
 */
export type Dialect = "re2" | "go";

/** Why a text is no expression. */
export type ProblemCode =
  | "missing-bracket"
  | "missing-paren"
  | "unexpected-paren"
  | "trailing-backslash"
  | "repeat-argument"
  | "repeat-size"
  | "repeat-operator"
  | "class-range"
  | "perl-operator"
  | "named-capture"
  | "escape"
  | "nesting"
  | "too-large";

const WORDS: Readonly<Record<Dialect, Readonly<Record<ProblemCode, string>>>> = {
  re2: {
    "missing-bracket": "missing ]",
    "missing-paren": "missing )",
    "unexpected-paren": "unexpected )",
    "trailing-backslash": "trailing \\",
    "repeat-argument": "no argument for repetition operator",
    "repeat-size": "invalid repetition size",
    "repeat-operator": "bad repetition operator",
    "class-range": "invalid character class range",
    "perl-operator": "invalid perl operator",
    "named-capture": "invalid named capture group",
    escape: "invalid escape sequence",
    nesting: "expression nests too deeply",
    "too-large": "pattern too large - compile failed",
  },
  go: {
    "missing-bracket": "missing closing ]",
    "missing-paren": "missing closing )",
    "unexpected-paren": "unexpected )",
    "trailing-backslash": "trailing backslash at end of expression",
    "repeat-argument": "missing argument to repetition operator",
    "repeat-size": "invalid repeat count",
    "repeat-operator": "invalid nested repetition operator",
    "class-range": "invalid character class range",
    "perl-operator": "invalid or unsupported Perl syntax",
    "named-capture": "invalid named capture",
    escape: "invalid escape sequence",
    nesting: "expression nests too deeply",
    "too-large": "expression too large",
  },
};

/** A text is no expression; the message has the words of RE2 or of Go. */
export class RegexProblem extends Error {
  constructor(
    dialect: Dialect,
    readonly code: ProblemCode,
    fragment: string,
  ) {
    const words = WORDS[dialect][code];
    const shown = dialect === "re2" ? Buffer.from(fragment, "latin1").toString("utf8") : fragment;
    super(dialect === "go" ? `error parsing regexp: ${words}: \`${shown}\`` : shown === "" || code === "too-large" ? words : `${words}: ${shown}`);
  }
}
