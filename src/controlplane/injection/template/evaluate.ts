import { fieldOf, goText, GoStruct, isMap, truthy } from "./data.ts";
import { parse, type Node, type Operand, type Parsed, type Pipeline } from "./parser.ts";
import { TemplateError } from "./template-error.ts";

/** The last argument is what came through the pipe. */
export type Functions = Readonly<Record<string, (...args: unknown[]) => unknown>>;

export interface Template {
  readonly parsed: Parsed;
  readonly functions: Functions;
}

/** What a template may make and do: those of administrators are far below, and one that runs away is stopped. */
const MAX_OUTPUT = 4_194_304;
const MAX_STEPS = 1_000_000;
const MAX_DEPTH = 200;

/** Throws TemplateError for what Go's parser refuses, functions that are not there among it. */
export function parseTemplate(source: string, functions: Functions): Template {
  const parsed = parse(source);
  for (const nodes of [parsed.body, ...parsed.defined.values()]) checkNodes(nodes, functions);
  return { parsed, functions };
}

/** The text that a template makes of data. Throws TemplateError when it fails. */
export function runTemplate(template: Template, data: unknown): string {
  const run = new Run(template);
  run.nodes(template.parsed.body, data, new Scope(undefined, [["$", data]]));
  return run.output.join("");
}

class Scope {
  readonly #own = new Map<string, unknown>();

  constructor(
    private readonly outer: Scope | undefined,
    entries: readonly (readonly [string, unknown])[] = [],
  ) {
    for (const [name, value] of entries) this.#own.set(name, value);
  }

  /** A new variable here, or another value of the one that there is. */
  set(name: string, value: unknown, isNew: boolean): void {
    if (isNew || this.#own.has(name)) this.#own.set(name, value);
    else if (this.outer) this.outer.set(name, value, false);
    else throw new TemplateError(`undefined variable ${JSON.stringify(name)}`);
  }

  get(name: string): unknown {
    if (this.#own.has(name)) return this.#own.get(name);
    if (this.outer) return this.outer.get(name);
    throw new TemplateError(`undefined variable ${JSON.stringify(name)}`);
  }
}

type Flow = "next" | "break" | "continue";

class Run {
  readonly output: string[] = [];
  #size = 0;
  #steps = 0;
  #depth = 0;

  constructor(private readonly template: Template) {}

  nodes(nodes: readonly Node[], dot: unknown, scope: Scope): Flow {
    for (const node of nodes) {
      if (++this.#steps > MAX_STEPS) throw new TemplateError("the template takes too long");
      const flow = this.#node(node, dot, scope);
      if (flow !== "next") return flow;
    }
    return "next";
  }

  #node(node: Node, dot: unknown, scope: Scope): Flow {
    switch (node.kind) {
      case "text":
        this.#write(node.text);
        return "next";
      case "action": {
        const value = this.#pipeline(node.pipeline, dot, scope);
        if (node.pipeline.variables.length === 0) this.#write(value === undefined || value === null ? this.#nothing(node.pipeline, dot, scope) : goText(value));
        return "next";
      }
      case "if":
      case "with": {
        const inner = new Scope(scope);
        const value = this.#pipeline(node.pipeline, dot, inner);
        if (!truthy(value)) return this.nodes(node.otherwise, dot, inner);
        return this.nodes(node.body, node.kind === "with" ? value : dot, inner);
      }
      case "range":
        return this.#range(node, dot, scope);
      case "template": {
        const body = this.template.parsed.defined.get(node.name);
        if (!body) throw new TemplateError(`template ${JSON.stringify(node.name)} not defined`);
        const data = node.pipeline && this.#pipeline(node.pipeline, dot, scope);
        if (++this.#depth > MAX_DEPTH) throw new TemplateError("exceeded maximum template depth");
        this.nodes(body, data, new Scope(undefined, [["$", data]]));
        this.#depth--;
        return "next";
      }
      case "break":
      case "continue":
        return node.kind;
    }
  }

  /** What is shown where there is nothing: the zero of a struct's field, which is a text more often than not. */
  #nothing({ commands }: Pipeline, dot: unknown, scope: Scope): string {
    const [operand, ...others] = commands.flat();
    if (others.length > 0 || (operand?.kind !== "dot" && operand?.kind !== "variable") || operand.path.length === 0) return "<no value>";
    return this.#operand({ ...operand, path: operand.path.slice(0, -1) }, dot, scope) instanceof GoStruct ? "" : "<no value>";
  }

  #range(node: Node & { kind: "if" | "with" | "range" }, dot: unknown, scope: Scope): Flow {
    const outer = new Scope(scope);
    const { variables, ...pipeline } = node.pipeline;
    const value = this.#pipeline({ ...pipeline, variables: [] }, dot, outer);
    const entries = entriesOf(value);
    if (entries.length === 0) return this.nodes(node.otherwise, dot, outer);
    for (const [key, item] of entries) {
      const inner = new Scope(outer);
      const [first, second] = variables;
      const set = (name: string | undefined, to: unknown): void => {
        if (name !== undefined) inner.set(name, to, pipeline.declares);
      };
      if (second === undefined) set(first, item);
      else {
        set(first, key);
        set(second, item);
      }
      if (this.nodes(node.body, item, inner) === "break") break;
    }
    return "next";
  }

  #pipeline({ commands, variables, declares }: Pipeline, dot: unknown, scope: Scope): unknown {
    let value: unknown;
    for (const [index, command] of commands.entries()) value = this.#command(command, dot, scope, index > 0 ? [value] : []);
    for (const name of variables) scope.set(name, value, declares);
    return value;
  }

  #command([head, ...rest]: readonly Operand[], dot: unknown, scope: Scope, piped: readonly unknown[]): unknown {
    if (++this.#steps > MAX_STEPS) throw new TemplateError("the template takes too long");
    if (!head) throw new TemplateError("empty command");
    if (head.kind !== "function") {
      if (rest.length + piped.length > 0) throw new TemplateError("can't give argument to non-function");
      return this.#operand(head, dot, scope);
    }
    const { name } = head;
    // Of these only as many operands as needed are looked at.
    if (name === "and" || name === "or") {
      let value: unknown;
      for (const operand of rest) {
        value = this.#operand(operand, dot, scope);
        if (truthy(value) === (name === "or")) return value;
      }
      return piped.length > 0 ? piped[0] : value;
    }
    const args = [...rest.map((operand) => this.#operand(operand, dot, scope)), ...piped];
    return this.#call(name, args);
  }

  #call(name: string, args: readonly unknown[]): unknown {
    const call = Object.hasOwn(this.template.functions, name) ? this.template.functions[name] : undefined;
    if (!call) throw new TemplateError(`function ${JSON.stringify(name)} not defined`);
    try {
      return call(...args);
    } catch (thrown) {
      if (thrown instanceof TemplateError) throw thrown;
      throw new TemplateError(`error calling ${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }

  #operand(operand: Operand, dot: unknown, scope: Scope): unknown {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return follow(dot, operand.path);
      case "variable":
        return follow(scope.get(operand.name), operand.path);
      case "pipeline":
        return follow(this.#pipeline(operand.pipeline, dot, new Scope(scope)), operand.path);
      case "function":
        return this.#call(operand.name, []);
    }
  }

  #write(text: string): void {
    this.#size += text.length;
    if (this.#size > MAX_OUTPUT) throw new TemplateError("the template makes too much text");
    this.output.push(text);
  }
}

function follow(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(fieldOf, value);
}

function entriesOf(value: unknown): (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return value.map((item, index) => [index, item] as const);
  if (typeof value === "number") return Array.from({ length: Math.max(0, Math.min(value, MAX_STEPS)) }, (_, index) => [index, index] as const);
  if (isMap(value))
    return Object.keys(value)
      .sort()
      .map((key) => [key, value[key]] as const);
  if (value === undefined || value === null) return [];
  throw new TemplateError(`range can't iterate over ${value instanceof GoStruct ? "a struct" : goText(value)}`);
}

const SPECIAL = new Set(["and", "or"]);

function checkNodes(nodes: readonly Node[], functions: Functions): void {
  for (const node of nodes) {
    if ("pipeline" in node && node.pipeline) checkPipeline(node.pipeline, functions);
    if ("body" in node) {
      checkNodes(node.body, functions);
      checkNodes(node.otherwise, functions);
    }
  }
}

function checkPipeline({ commands }: Pipeline, functions: Functions): void {
  for (const operand of commands.flat()) {
    if (operand.kind === "function" && !SPECIAL.has(operand.name) && !Object.hasOwn(functions, operand.name))
      throw new TemplateError(`function ${JSON.stringify(operand.name)} not defined`);
    if (operand.kind === "pipeline") checkPipeline(operand.pipeline, functions);
  }
}
