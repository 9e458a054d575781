/** What an expression is made of. Groups are only structure here: nobody asks what they matched. */
export type RegexNode =
  | { readonly kind: "unit"; readonly test: (unit: number) => boolean }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly RegexNode[] }
  | { readonly kind: "repeat"; readonly part: RegexNode; readonly min: number; readonly max: number }
  | { readonly kind: "start" | "end" };

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
}

/** An escape, a class, or a character: of everything else the parser knows itself. */
const ATOM = /\\[pP](?:\{\^?[^}]*\}|[A-Z])|\\x\{[0-9A-Fa-f]+\}|\\x[0-9A-Fa-f]{2}|\\[0-7]{1,3}|\\[^]|\[\^?\]?(?:\[:\^?\w+:\]|\\[pP](?:\{[^}]*\}|[A-Z])|\\[^]|[^\]\\])*\]|[^]/y;
const QUANTIFIER = /(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y;
const GROUP = /\((?:\?(?:P?<\w+>|([imsU]*)(?:-([imsU]+))?([:)])))?/y;
const POSIX: Readonly<Record<string, string>> = { alnum: "0-9A-Za-z", alpha: "A-Za-z", ascii: "\\x00-\\x7F", blank: "\\t ", cntrl: "\\x00-\\x1F\\x7F", digit: "0-9", graph: "!-~", lower: "a-z", print: " -~", punct: "!-\\/:-@\\[-`{-~", space: "\\t\\n\\v\\f\\r ", upper: "A-Z", word: "0-9A-Za-z_", xdigit: "0-9A-Fa-f" };

/** Undefined for what is no expression, and for one that asks about word boundaries or lines, which is left to others. */
export function parseRegex(source: string): RegexNode | undefined {
  const parser = new Parser(source);
  const node = parser.choice({ ignoreCase: false, dotAll: false });
  return parser.unknown || parser.at < source.length ? undefined : node;
}

/**
 * Whether there may be several ways to match the same text: unless a single character is all that repeats without a limit,
 * once, and hardly anything else is optional. Errs on the side of yes.
 */
export function mayBacktrack(node: RegexNode): boolean {
  let [unlimited, optional] = [0, 0];
  const visit = (one: RegexNode): boolean => {
    if (one.kind === "sequence" || one.kind === "choice") {
      if (one.kind === "choice") optional += one.parts.length - 1;
      return one.parts.every(visit);
    }
    if (one.kind !== "repeat") return true;
    if (one.max === Number.POSITIVE_INFINITY) unlimited++;
    else if (one.max !== one.min) optional += one.max - one.min;
    return one.part.kind === "unit" || (one.max === 1 && visit(one.part));
  };
  return !visit(node) || unlimited > 1 || optional > MAX_OPTIONAL;
}

/**
 * Whether a repetition without a limit stands inside of another repetition, or a choice inside of one without a limit: then
 * the ways to match double with each character, or grow with a high power of their number.
 */
export function nestsRepeats(node: RegexNode, inside: "nothing" | "some" | "unlimited" = "nothing"): boolean {
  switch (node.kind) {
    case "sequence":
      return node.parts.some((part) => nestsRepeats(part, inside));
    case "choice":
      return inside === "unlimited" || node.parts.some((part) => nestsRepeats(part, inside));
    case "repeat": {
      const unlimited = node.max === Number.POSITIVE_INFINITY;
      if (inside === "unlimited" ? node.max !== node.min : inside === "some" && unlimited) return true;
      return nestsRepeats(node.part, unlimited || inside === "unlimited" ? "unlimited" : node.max > 1 ? "some" : inside);
    }
    default:
      return false;
  }
}

/** As many optional parts give at most 2^8 ways, each of which is tried in well under a microsecond. */
const MAX_OPTIONAL = 8;
/** Go's and RE2's limit of {n,m}. */
const MAX_REPEAT = 1000;

class Parser {
  at = 0;
  unknown = false;

  constructor(readonly source: string) {}

  choice(flags: Flags): RegexNode {
    const parts: RegexNode[] = [];
    let own = flags;
    for (;;) {
      const { node, flags: after } = this.#sequence(own);
      parts.push(node);
      own = after;
      if (this.source[this.at] !== "|") break;
      this.at++;
    }
    return parts.length === 1 && parts[0] ? parts[0] : { kind: "choice", parts };
  }

  #sequence(initial: Flags): { node: RegexNode; flags: Flags } {
    const parts: RegexNode[] = [];
    let flags = initial;
    while (this.at < this.source.length && !this.unknown) {
      const character = this.source[this.at] ?? "";
      if (character === "|" || character === ")") break;
      if (character === "(") {
        const group = this.#group(flags);
        if (group.node) parts.push(this.#quantified(group.node));
        else flags = group.flags;
        continue;
      }
      const atom = this.#atom(flags);
      if (atom) parts.push(this.#quantified(atom));
    }
    return { node: { kind: "sequence", parts }, flags };
  }

  #group(flags: Flags): { node?: RegexNode; flags: Flags } {
    GROUP.lastIndex = this.at;
    const [whole = "", on = "", off = "", end = ""] = GROUP.exec(this.source) ?? [];
    this.at += whole.length;
    const set = (name: string, value: boolean): boolean => (off.includes(name) ? false : on.includes(name) || value);
    const inner = { ignoreCase: set("i", flags.ignoreCase), dotAll: set("s", flags.dotAll) };
    if (whole === "" || on.includes("m") || (whole === "(" && this.source[this.at] === "?")) this.unknown = true;
    if (end === ")") return { flags: inner };
    const node = this.choice(inner);
    if (this.source[this.at++] !== ")") this.unknown = true;
    return { node, flags };
  }

  #atom(flags: Flags): RegexNode | undefined {
    ATOM.lastIndex = this.at;
    const text = ATOM.exec(this.source)?.[0] ?? "";
    this.at += Math.max(text.length, 1);
    if (text === "^" || text === "\\A") return { kind: "start" };
    if (text === "$" || text === "\\z") return { kind: "end" };
    if (/^\\[bBCZGkQ1-9]/.test(text) || /^[*+?]$/.test(text) || text === "[" || text === "\\") this.unknown = true;
    if (text === ".") return { kind: "unit", test: flags.dotAll ? () => true : (unit) => unit !== 10 };
    if (text.length === 1 && !flags.ignoreCase) {
      const only = text.charCodeAt(0);
      return { kind: "unit", test: (unit) => unit === only };
    }
    return this.#class(text, flags);
  }

  /** One character is left to JavaScript's engine, which cannot take long over it; answers are kept by whoever asks. */
  #class(text: string, { ignoreCase }: Flags): RegexNode | undefined {
    const body = text
      .replaceAll(/\[:(\^?)(\w+):\]/g, (_, not: string, name: string) => (not === "" && POSIX[name] !== undefined ? POSIX[name] : this.#fail()))
      .replaceAll(/\\([pP])([A-Z])/g, "\\$1{$2}")
      .replaceAll(/\\p\{\^/g, "\\P{")
      .replaceAll(/\\x\{([0-9A-Fa-f]+)\}/g, "\\u{$1}")
      .replaceAll(/\\([^\w\s])/g, (_, mark: string) => `\\u{${mark.codePointAt(0)?.toString(16)}}`);
    try {
      const expression = new RegExp(`^${text.startsWith("[") ? body : text.length === 1 ? `[${text === "^" || text === "]" ? "\\" : ""}${text}]` : body}$`, `u${ignoreCase ? "i" : ""}`);
      return { kind: "unit", test: (unit) => expression.test(String.fromCharCode(unit)) };
    } catch {
      this.#fail();
      return undefined;
    }
  }

  #quantified(part: RegexNode): RegexNode {
    QUANTIFIER.lastIndex = this.at;
    const match = QUANTIFIER.exec(this.source);
    if (!match) return part;
    this.at += match[0].length;
    const [, mark, from = "0", comma, to = ""] = match;
    const min = mark === undefined ? Number(from) : mark === "+" ? 1 : 0;
    const max = mark === undefined ? (comma === undefined ? min : to === "" ? Number.POSITIVE_INFINITY : Number(to)) : mark === "?" ? 1 : Number.POSITIVE_INFINITY;
    QUANTIFIER.lastIndex = this.at;
    if (min > MAX_REPEAT || (max !== Number.POSITIVE_INFINITY && (max > MAX_REPEAT || max < min)) || QUANTIFIER.test(this.source)) this.unknown = true;
    return { kind: "repeat", part, min, max };
  }

  #fail(): string {
    this.unknown = true;
    return "";
  }
}
