/** What Go says of a text that is no JSON. Only asked once a text has been refused: speed does not matter. */

const END = "unexpected end of JSON input";

/** undefined where the text is JSON after all. */
export function jsonProblem(source: string): string | undefined {
  const scanner = new Scanner(source);
  try {
    scanner.value("looking for beginning of value");
    scanner.end();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

class Problem extends Error {}

class Scanner {
  #at = 0;
  constructor(private readonly source: string) {}

  value(context: string): void {
    const first = this.#next();
    switch (first) {
      case "{":
        return this.#list("}", () => this.#member(), "looking for beginning of object key string", "after object key:value pair");
      case "[":
        return this.#list("]", () => this.value("looking for beginning of value"), "looking for beginning of value", "after array element");
      case '"':
        return this.#text();
      case "t":
        return this.#word("true");
      case "f":
        return this.#word("false");
      case "n":
        return this.#word("null");
      default:
        if (first !== "-" && !/\d/.test(first)) this.#fail(first, context);
        return this.#number(first);
    }
  }

  end(): void {
    const rest = this.#peek();
    if (rest !== undefined) this.#fail(rest, "after top-level value");
  }

  #list(close: string, item: () => void, begin: string, after: string): void {
    if (this.#peek() === close) {
      this.#at++;
      return;
    }
    for (;;) {
      if (this.#peek() === undefined) throw new Problem(END);
      if (close === "}" && this.#peek() !== '"') this.#fail(this.#peek() ?? "", begin);
      item();
      const next = this.#next();
      if (next === close) return;
      if (next !== ",") this.#fail(next, after);
    }
  }

  #member(): void {
    this.#at++;
    this.#text();
    const colon = this.#next();
    if (colon !== ":") this.#fail(colon, "after object key");
    this.value("looking for beginning of value");
  }

  #text(): void {
    for (;;) {
      const character = this.#take();
      if (character === '"') return;
      if (character < " ") this.#fail(character, "in string literal");
      if (character !== "\\") continue;
      const escaped = this.#take();
      if (escaped === "u") for (let i = 0; i < 4; i++) this.#expect(/[0-9a-fA-F]/, "in \\u hexadecimal character escape");
      else if (!'"\\/bfnrt'.includes(escaped)) this.#fail(escaped, "in string escape code");
    }
  }

  #word(word: string): void {
    for (const letter of word.slice(1)) {
      const character = this.#take();
      if (character !== letter) this.#fail(character, `in literal ${word} (expecting ${quoted(letter)})`);
    }
  }

  #number(first: string): void {
    const digit = first === "-" ? this.#expect(/\d/, "in numeric literal") : first;
    if (digit !== "0") this.#digits();
    if (this.source[this.#at] === ".") {
      this.#at++;
      this.#expect(/\d/, "after decimal point in numeric literal");
      this.#digits();
    }
    if (/[eE]/.test(this.source[this.#at] ?? "")) {
      this.#at++;
      if (/[+-]/.test(this.source[this.#at] ?? "")) this.#at++;
      this.#expect(/\d/, "in exponent of numeric literal");
      this.#digits();
    }
  }

  #digits(): void {
    while (/\d/.test(this.source[this.#at] ?? "")) this.#at++;
  }

  #expect(pattern: RegExp, context: string): string {
    const character = this.#take();
    if (!pattern.test(character)) this.#fail(character, context);
    return character;
  }

  #take(): string {
    const character = this.source[this.#at++];
    if (character === undefined) throw new Problem(END);
    return character;
  }

  #peek(): string | undefined {
    while (/[ \t\r\n]/.test(this.source[this.#at] ?? "")) this.#at++;
    return this.source[this.#at];
  }

  #next(): string {
    const character = this.#peek();
    if (character === undefined) throw new Problem(END);
    this.#at++;
    return character;
  }

  #fail(character: string, context: string): never {
    throw new Problem(`invalid character ${quoted(character)} ${context}`);
  }
}

function quoted(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return `'"'`;
  return `'${JSON.stringify(character).slice(1, -1)}'`;
}
