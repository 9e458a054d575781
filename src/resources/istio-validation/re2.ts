/**
 * Whether a text is an RE2 expression, and if not, why, in the words of Go's regexp package, which istiod compiles with.
 * A scanner over the syntax; nothing is matched. https://github.com/google/re2/wiki/Syntax
 */

/** Go's limit of {n,m}. */
const MAX_REPEAT = 1000;
const POSIX_CLASSES = new Set(["alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word", "xdigit"]);
const UNICODE_CLASS = /^(Any|C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|[A-Z][a-z]+(_[A-Z][a-z]+)*)$/;

class SyntaxProblem extends Error {
  constructor(what: string, where: string) {
    super(`error parsing regexp: ${what}: \`${where}\``);
  }
}

/** undefined when the expression is valid. */
export function re2Problem(expression: string): string | undefined {
  try {
    new Scanner(expression).scan();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxProblem) return thrown.message;
    throw thrown;
  }
}

class Scanner {
  #at = 0;
  #names = new Set<string>();

  constructor(private readonly text: string) {}

  scan(): void {
    let open = 0;
    // Whether there is something that a repetition could repeat, and the repetition just read.
    let operand = false;
    let lastRepeat = -1;
    while (this.#at < this.text.length) {
      const start = this.#at;
      const character = this.text[this.#at] ?? "";
      let repeat = -1;
      switch (character) {
        case "(":
          if (this.text[start + 1] === "?") {
            if (this.#group()) open++;
          } else {
            this.#at++;
            open++;
          }
          operand = false;
          break;
        case "|":
          this.#at++;
          operand = false;
          break;
        case ")":
          if (open === 0) throw new SyntaxProblem("unexpected )", this.text);
          open--;
          this.#at++;
          operand = true;
          break;
        case "[":
          this.#class();
          operand = true;
          break;
        case "*":
        case "+":
        case "?":
          this.#at++;
          this.#repeated(start, operand, lastRepeat);
          repeat = start;
          break;
        case "{": {
          const counts = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.text.slice(start));
          if (!counts) {
            this.#at++;
            operand = true;
            break;
          }
          this.#at += counts[0].length;
          const min = Number(counts[1]);
          const max = counts[2] === undefined ? min : counts[3] === "" ? -1 : Number(counts[3]);
          if (min > MAX_REPEAT || max > MAX_REPEAT || (max >= 0 && min > max)) throw new SyntaxProblem("invalid repeat count", counts[0]);
          this.#repeated(start, operand, lastRepeat);
          repeat = start;
          break;
        }
        case "\\":
          this.#escape(false);
          operand = true;
          break;
        default:
          this.#at += codePointLength(this.text, this.#at);
          operand = true;
      }
      lastRepeat = repeat;
    }
    if (open > 0) throw new SyntaxProblem("missing closing )", this.text);
  }

  #repeated(start: number, operand: boolean, lastRepeat: number): void {
    const operator = this.#at;
    if (this.text[this.#at] === "?") this.#at++; // lazy
    if (lastRepeat >= 0) throw new SyntaxProblem("invalid nested repetition operator", this.text.slice(lastRepeat, this.#at));
    if (!operand) throw new SyntaxProblem("missing argument to repetition operator", this.text.slice(start, operator === this.#at ? operator : this.#at));
  }

  /** `(?P<name>`, `(?<name>`, `(?i)`, `(?i:`; true when it opens a group. */
  #group(): boolean {
    const rest = this.text.slice(this.#at);
    const named = /^\(\?P?</.exec(rest);
    if (named) {
      const end = rest.indexOf(">");
      if (end < 0) throw new SyntaxProblem("invalid named capture", rest);
      const name = rest.slice(named[0].length, end);
      if (!/^\w+$/.test(name)) throw new SyntaxProblem("invalid named capture", rest.slice(0, end + 1));
      if (this.#names.has(name)) throw new SyntaxProblem("duplicate capture group name", name);
      this.#names.add(name);
      this.#at += end + 1;
      return true;
    }
    const flags = /^\(\?([imsU]*(?:-[imsU]+)?)([:)])/.exec(rest);
    if (!flags) {
      const known = /^\(\?[imsU-]*/.exec(rest)?.[0] ?? "(?";
      if (known.length >= rest.length) throw new SyntaxProblem("missing closing )", this.text);
      throw new SyntaxProblem("invalid or unsupported Perl syntax", rest.slice(0, known.length + 1));
    }
    this.#at += flags[0].length;
    return flags[2] === ":";
  }

  #class(): void {
    const start = this.#at;
    const missing = () => new SyntaxProblem("missing closing ]", this.text.slice(start));
    this.#at++;
    if (this.text[this.#at] === "^") this.#at++;
    for (let first = true; ; first = false) {
      if (this.#at >= this.text.length) throw missing();
      if (this.text[this.#at] === "]" && !first) break;
      const posix = /^\[:(\^?)([^\]]*?):\]/.exec(this.text.slice(this.#at));
      if (posix) {
        if (!POSIX_CLASSES.has(posix[2] ?? "")) throw new SyntaxProblem("invalid character class range", posix[0]);
        this.#at += posix[0].length;
        continue;
      }
      const from = this.#at;
      const low = this.#classCharacter(missing);
      if (low === undefined || this.text[this.#at] !== "-" || this.text[this.#at + 1] === "]" || this.#at + 1 >= this.text.length) continue;
      this.#at++;
      const high = this.#classCharacter(missing);
      if (high === undefined || high < low) throw new SyntaxProblem("invalid character class range", this.text.slice(from, this.#at));
    }
    this.#at++;
  }

  /** The code point; undefined for a class such as \d. */
  #classCharacter(missing: () => SyntaxProblem): number | undefined {
    if (this.#at >= this.text.length) throw missing();
    if (this.text[this.#at] === "\\") return this.#escape(true);
    const code = this.text.codePointAt(this.#at) ?? 0;
    this.#at += codePointLength(this.text, this.#at);
    return code;
  }

  #escape(inClass: boolean): number | undefined {
    const start = this.#at;
    const next = this.text[start + 1];
    if (next === undefined) throw new SyntaxProblem("trailing backslash at end of expression", "");
    const rest = this.text.slice(start);
    if (next === "Q" && !inClass) {
      const end = rest.indexOf("\\E", 2);
      this.#at = end < 0 ? this.text.length : start + end + 2;
      return undefined;
    }
    if (next === "p" || next === "P") return this.#unicodeClass(rest);
    if ("dDsSwW".includes(next) || (!inClass && "AbBz".includes(next))) {
      this.#at += 2;
      return undefined;
    }
    const control = "afnrtv".indexOf(next);
    const octal = /^\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(rest);
    const hex = /^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})/.exec(rest);
    if (control >= 0) {
      this.#at += 2;
      return [7, 12, 10, 13, 9, 11][control];
    }
    if (octal) {
      this.#at += octal[0].length;
      return Number.parseInt(octal[1] ?? "0", 8);
    }
    if (hex) {
      const code = Number.parseInt(hex[1] ?? hex[2] ?? "", 16);
      if (code > 0x10ffff) throw new SyntaxProblem("invalid escape sequence", hex[0]);
      this.#at += hex[0].length;
      return code;
    }
    if (next < "\x80" && !/[0-9A-Za-z]/.test(next)) {
      this.#at += 2;
      return next.charCodeAt(0);
    }
    const shown = next === "x" ? (/^\\x\{?[0-9A-Fa-f]*[^]?/.exec(rest)?.[0] ?? "\\x") : rest.slice(0, 1 + codePointLength(rest, 1));
    throw new SyntaxProblem("invalid escape sequence", shown);
  }

  #unicodeClass(rest: string): undefined {
    const match = /^\\[pP](?:\{(\^?)([^}]*)\}|(.))/su.exec(rest);
    if (!match) throw new SyntaxProblem("invalid character class range", rest);
    if (!UNICODE_CLASS.test(match[2] ?? match[3] ?? "")) throw new SyntaxProblem("invalid character class range", match[0]);
    this.#at += match[0].length;
    return undefined;
  }
}

function codePointLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
