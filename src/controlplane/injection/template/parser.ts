import { tokens, type Token } from "./lexer.ts";
import { TemplateError } from "./template-error.ts";

export type Operand =
  | { readonly kind: "dot"; readonly path: readonly string[] }
  | { readonly kind: "variable"; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "literal"; readonly value: string | number | boolean | undefined }
  | { readonly kind: "pipeline"; readonly pipeline: Pipeline; readonly path: readonly string[] };

export interface Pipeline {
  /** Variables that are set to what it gives: two in a range. */
  readonly variables: readonly string[];
  /** Whether they are new. */
  readonly declares: boolean;
  /** Each has a function or a value first, and its arguments behind. */
  readonly commands: readonly (readonly Operand[])[];
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline }
  | { readonly kind: "if" | "with" | "range"; readonly pipeline: Pipeline; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: "template"; readonly name: string; readonly pipeline: Pipeline | undefined }
  | { readonly kind: "break" | "continue" };

export interface Parsed {
  readonly body: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

export function parse(source: string): Parsed {
  const parser = new Parser(tokens(source));
  const body = parser.list();
  if (parser.ended !== undefined) throw new TemplateError(`unexpected {{${parser.ended}}}`);
  return { body, defined: parser.defined };
}

class Parser {
  readonly defined = new Map<string, readonly Node[]>();
  /** The word that ended the last list: end or else; undefined at the end of the text. */
  ended: string | undefined;
  #at = 0;

  constructor(private readonly all: readonly Token[]) {}

  list(): Node[] {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.all[this.#at++];
      this.ended = undefined;
      if (!token) return nodes;
      if (token.kind === "text") {
        nodes.push(token);
        continue;
      }
      const next = this.#peek();
      // A comment alone.
      if (next?.kind === "close") {
        this.#at++;
        continue;
      }
      const word = next?.kind === "word" ? next.text : "";
      if (word === "end" || word === "else") {
        this.#at++;
        this.ended = word;
        if (word === "end") this.#close();
        return nodes;
      }
      const node = this.#action(word);
      if (node) nodes.push(node);
    }
  }

  #action(word: string): Node | undefined {
    switch (word) {
      case "if":
      case "with":
      case "range":
        this.#at++;
        return this.#branch(word);
      case "break":
      case "continue":
        this.#at++;
        this.#close();
        return { kind: word };
      case "define":
      case "block": {
        this.#at++;
        const name = this.#name();
        const pipeline = word === "block" ? this.#pipeline("close") : undefined;
        this.#close();
        const body = this.list();
        if (this.ended !== "end") throw new TemplateError(`unexpected end of {{${word}}}`);
        if (word === "define" || !this.defined.has(name)) this.defined.set(name, body);
        return word === "block" ? { kind: "template", name, pipeline } : undefined;
      }
      case "template": {
        this.#at++;
        const name = this.#name();
        const pipeline = this.#peek()?.kind === "close" ? undefined : this.#pipeline("close");
        this.#close();
        return { kind: "template", name, pipeline };
      }
      default: {
        const pipeline = this.#pipeline("close");
        this.#close();
        return { kind: "action", pipeline };
      }
    }
  }

  #branch(kind: "if" | "with" | "range"): Node {
    const pipeline = this.#pipeline("close");
    this.#close();
    const body = this.list();
    const ended = this.ended as string | undefined;
    if (ended === "end") return { kind, pipeline, body, otherwise: [] };
    if (ended !== "else") throw new TemplateError(`unexpected end of {{${kind}}}`);
    const next = this.#peek();
    // {{else if}} is an if within the else that shares its end.
    if (next?.kind === "word" && (next.text === "if" || next.text === "with")) {
      this.#at++;
      return { kind, pipeline, body, otherwise: [this.#branch(next.text)] };
    }
    this.#close();
    const otherwise = this.list();
    if ((this.ended as string | undefined) !== "end") throw new TemplateError(`expected end of {{${kind}}}`);
    return { kind, pipeline, body, otherwise };
  }

  #pipeline(until: "close" | ")"): Pipeline {
    const { variables, declares } = this.#declaration();
    const commands: Operand[][] = [[]];
    for (;;) {
      const token = this.#peek();
      if (!token) throw new TemplateError("unclosed action");
      if (token.kind === "close" || (token.kind === "punctuation" && token.text === ")")) {
        if ((token.kind === "close") !== (until === "close")) throw new TemplateError(until === "close" ? "unexpected right paren" : "unclosed left paren");
        if (commands.some((command) => command.length === 0)) throw new TemplateError("missing value for command");
        return { variables, declares, commands };
      }
      if (token.kind === "punctuation" && token.text === "|") {
        this.#at++;
        commands.push([]);
      } else commands.at(-1)?.push(this.#operand());
    }
  }

  #declaration(): { variables: string[]; declares: boolean } {
    const names: string[] = [];
    let at = this.#at;
    for (let token = this.all[at]; token?.kind === "variable"; token = this.all[at]) {
      names.push(token.text);
      const next = this.all[at + 1];
      if (next?.kind !== "punctuation") break;
      if (next.text === ":=" || next.text === "=") {
        this.#at = at + 2;
        return { variables: names, declares: next.text === ":=" };
      }
      if (next.text !== ",") break;
      at += 2;
    }
    return { variables: [], declares: false };
  }

  #operand(): Operand {
    const token = this.all[this.#at++];
    switch (token?.kind) {
      case "field":
        return { kind: "dot", path: [...(token.text === "" ? [] : [token.text]), ...this.#path()] };
      case "variable":
        return { kind: "variable", name: token.text, path: this.#path() };
      case "literal":
        return { kind: "literal", value: token.value };
      case "word":
        if (token.text === "true" || token.text === "false") return { kind: "literal", value: token.text === "true" };
        return token.text === "nil" ? { kind: "literal", value: undefined } : { kind: "function", name: token.text };
      case "punctuation":
        if (token.text === "(") {
          const pipeline = this.#pipeline(")");
          this.#at++;
          return { kind: "pipeline", pipeline, path: this.#path() };
        }
        throw new TemplateError(`unexpected ${JSON.stringify(token.text)} in operand`);
      default:
        throw new TemplateError("unexpected end of action");
    }
  }

  /** Fields that follow without a space. */
  #path(): string[] {
    const path: string[] = [];
    for (let token = this.#peek(); token?.kind === "field" && token.adjacent && token.text !== ""; token = this.#peek()) {
      path.push(token.text);
      this.#at++;
    }
    return path;
  }

  #name(): string {
    const token = this.all[this.#at++];
    if (token?.kind !== "literal" || typeof token.value !== "string") throw new TemplateError("expected the name of a template");
    return token.value;
  }

  #close(): void {
    if (this.all[this.#at++]?.kind !== "close") throw new TemplateError("unexpected token before }}");
  }

  #peek(): Token | undefined {
    return this.all[this.#at];
  }
}
