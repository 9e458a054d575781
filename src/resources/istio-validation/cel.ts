import type * as Cel from "@marcbachmann/cel-js";

/** What may begin an operand, as the parser that istiod uses lists it. */
const OPERAND = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const CLOSING: Readonly<Record<string, string>> = { RBRACKET: "{']', ','}", RPAREN: "{')', ','}", RBRACE: "{'}', ','}", COLON: "':'" };

let environment: Cel.Environment | undefined;

/** What is wrong with an expression's syntax, told of its first mistake as istiod tells it; undefined where it can be read. */
export function celProblem(expression: string): string | undefined {
  // Few resources have an expression: the library is loaded with the first one.
  const { Environment } = require("@marcbachmann/cel-js") as typeof Cel;
  environment ??= new Environment({ unlistedVariablesAreDyn: true });
  try {
    environment.parse(expression);
    return undefined;
  } catch (error) {
    const start = positionOf(error) ?? expression.length;
    const problem = `Syntax error: ${reason(expression, start, error instanceof Error ? error.message : "")}`;
    // An empty text has no place to point at.
    if (expression === "") return `ERROR: <input>:1:0: ${problem}`;
    const before = expression.slice(0, start).split("\n");
    const line = expression.split("\n")[before.length - 1] ?? "";
    const column = before.at(-1)?.length ?? 0;
    return `ERROR: <input>:${before.length}:${column + 1}: ${problem}\n | ${line}\n | ${".".repeat(column)}^`;
  }
}

function positionOf(error: unknown): number | undefined {
  const range: unknown = typeof error === "object" && error !== null && "range" in error ? error.range : undefined;
  return typeof range === "object" && range !== null && "start" in range && typeof range.start === "number" ? range.start : undefined;
}

function reason(expression: string, start: number, message: string): string {
  const [token = "<EOF>"] = /^(?:[A-Za-z_]\w*|\d[\w.]*|&&|\|\||[=!<>]=|[\s\S])/.exec(expression.slice(start)) ?? [];
  const [, wanted = ""] = /^Expected (\w+)/.exec(message) ?? [];
  if (message.startsWith("Unexpected character")) return `extraneous input '${token}' expecting <EOF>`;
  return `mismatched input '${token}' expecting ${CLOSING[wanted] ?? OPERAND}`;
}
