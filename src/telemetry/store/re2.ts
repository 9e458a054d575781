import { compileLinear, mayBacktrack, nestsRepeats, parseRegex } from "../../base/regex/index.ts";
import { re2Problem } from "../../resources/istio-validation/re2.ts";

const POSIX: Record<string, string> = {
  alnum: "0-9A-Za-z", alpha: "A-Za-z", ascii: "\\x00-\\x7F", blank: "\\t ", cntrl: "\\x00-\\x1F\\x7F", digit: "0-9", graph: "!-~", lower: "a-z", print: " -~", punct: "!-\\/:-@\\[-`{-~", space: "\\t\\n\\v\\f\\r ", upper: "A-Z", word: "0-9A-Za-z_", xdigit: "0-9A-Fa-f",
};
/** What needs a backslash in JavaScript's u mode; all other punctuation must not have one. */
const SYNTAX = /[\^$\\.*+?()[\]{}|/]/;

/**
 * Whether an RE2 expression, as Prometheus takes it, fits a whole text. One that could be tried in many ways is matched in
 * time that grows with the text, where a character beyond 16 bits counts as two. Throws an Error in Go's words when it is none.
 */
export function compileRe2(expression: string): (text: string) => boolean {
  const native = translated(expression);
  const node = parseRegex(expression);
  if (!node || !mayBacktrack(node)) return (text) => native.test(text);
  const linear = compileLinear(node);
  if (!linear) throw new Error("error parsing regexp: expression too large");
  return linear;
}

/**
 * The same for who wants to know what its groups stand for: only JavaScript's engine tells, so what it could try in ways
 * without end is refused. Throws an Error.
 */
export function compileRe2Groups(expression: string): (text: string) => RegExpExecArray | undefined {
  const native = translated(expression);
  const node = parseRegex(expression);
  if (node && nestsRepeats(node)) throw new Error("error parsing regexp: a repetition without limit inside of another one");
  const fits = compileRe2(expression);
  return (text) => (fits(text) ? (native.exec(text) ?? undefined) : undefined);
}

/** JavaScript knows all constructs of RE2 in some form, but not the other way round: look-around and back references are refused. */
function translated(expression: string): RegExp {
  const problem = re2Problem(expression);
  if (problem !== undefined) throw new Error(problem);
  return new RegExp(`^(?:${new Translator(expression).translate()})$`, "u");
}

class Translator {
  #at = 0;

  constructor(private readonly text: string) {}

  translate(): string {
    let out = "";
    // Flags such as (?i) hold until their group ends, over its alternatives: a group is put around each of these.
    let flags: string[] = [];
    const outer: string[][] = [];
    while (this.#at < this.text.length) {
      const char = this.text[this.#at]!;
      if (char === "(") {
        const group = /^\((?:\?(?:P?<(\w+)>|([a-zA-Z]*(?:-[a-zA-Z]+)?)([:)])))?/.exec(this.text.slice(this.#at))!;
        const [all, name, set = "", end] = group;
        this.#at += all.length;
        if (end === ")") {
          flags = [...flags, modifiers(set)];
          out += flags.at(-1);
          continue;
        }
        outer.push(flags);
        flags = [];
        out += name !== undefined ? `(?<${name}>` : end === ":" ? modifiers(set) : "(";
      } else if (char === ")") {
        out += ")".repeat(flags.length + 1);
        flags = outer.pop() ?? [];
        this.#at++;
      } else if (char === "|") {
        out += `${")".repeat(flags.length)}|${flags.join("")}`;
        this.#at++;
      } else if (char === "[") out += this.#class();
      else if (char === "\\") out += this.#escape(false);
      else if (char === "{") {
        const repeat = /^\{\d+(?:,\d*)?\}/.exec(this.text.slice(this.#at));
        out += repeat ? repeat[0] : "\\{";
        this.#at += repeat ? repeat[0].length : 1;
      } else {
        out += char === "]" || char === "}" ? `\\${char}` : char;
        this.#at++;
      }
    }
    return out + ")".repeat(flags.length);
  }

  #class(): string {
    let out = "[";
    this.#at++;
    if (this.text[this.#at] === "^") {
      out += "^";
      this.#at++;
    }
    for (let first = true; this.#at < this.text.length; first = false) {
      const char = this.text[this.#at]!;
      if (char === "]" && !first) break;
      const posix = /^\[:(\^?)(\w+):\]/.exec(this.text.slice(this.#at));
      if (posix) {
        // A negated one inside of a class is rare enough to be said no to.
        if (posix[1]) throw new Error(`error parsing regexp: invalid character class range: \`${posix[0]}\``);
        out += POSIX[posix[2]!] ?? "";
        this.#at += posix[0].length;
      } else if (char === "\\") out += this.#escape(true);
      else {
        out += char === "[" || char === "]" ? `\\${char}` : char;
        this.#at++;
      }
    }
    this.#at++;
    return `${out}]`;
  }

  #escape(inClass: boolean): string {
    const rest = this.text.slice(this.#at);
    const literal = /^\\Q(.*?)(?:\\E|$)/s.exec(rest);
    const named = /^\\[pP](?:\{\^?\w+\}|[A-Z])/.exec(rest);
    const octal = /^\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(rest);
    const hex = /^\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/.exec(rest);
    const length = (literal ?? named ?? octal ?? hex)?.[0].length ?? 2;
    this.#at += length;
    if (literal) return [...literal[1]!].map(quoted).join("");
    if (named) return property(named[0]);
    if (octal) return `\\u{${Number.parseInt(octal[1]!, 8).toString(16)}}`;
    if (hex) return `\\u{${hex[1] ?? hex[2]}}`;
    const char = rest[1] ?? "";
    if (char === "A") return "^";
    if (char === "z") return "$";
    if (char === "a") return "\\x07";
    if (char === "s") return inClass ? "\\t\\n\\f\\r " : "[\\t\\n\\f\\r ]";
    if (char === "S" && !inClass) return "[^\\t\\n\\f\\r ]";
    if (/[a-zA-Z0-9]/.test(char) || (inClass && char === "-")) return `\\${char}`;
    return quoted(char);
  }
}

function quoted(char: string): string {
  return SYNTAX.test(char) ? `\\${char}` : char;
}

/** `\pL`, `\p{Greek}`, `\p{^L}`: scripts need their key in JavaScript. */
function property(text: string): string {
  const name = text.slice(2).replace(/[{}^]/g, "");
  const negated = (text[1] === "P") !== text.includes("^");
  return `\\${negated ? "P" : "p"}{${name.length <= 2 || name === "Any" ? name : `Script=${name}`}}`;
}

/** The beginning of a group with flags. Ungreedy matching changes nothing of whether a whole text fits. */
function modifiers(flags: string): string {
  const [on = "", off = ""] = flags.split("-").map((part) => part.replaceAll("U", ""));
  return `(?${on}${off ? `-${off}` : ""}:`;
}
