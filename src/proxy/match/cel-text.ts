import type { Constant, Expr, Expr_Call } from "../../proto/gen/google/api/expr/v1alpha1/syntax_pb.ts";
import { InvalidResource } from "../types.ts";

/** A parsed CEL expression written as text again, fully in brackets. Throws InvalidResource for what CEL's macros leave behind. */
export function celText({ exprKind }: Expr): string {
  switch (exprKind.case) {
    case "constExpr":
      return constant(exprKind.value);
    case "identExpr":
      return identifier(exprKind.value.name);
    case "selectExpr": {
      const { operand, field, testOnly } = exprKind.value;
      const selected = `${celText(required(operand))}.${identifier(field)}`;
      return testOnly ? `has(${selected})` : selected;
    }
    case "callExpr":
      return call(exprKind.value);
    case "listExpr":
      return `[${exprKind.value.elements.map(celText).join(", ")}]`;
  }
  throw new InvalidResource("UNSUPPORTED_CEL", `CEL expression ${exprKind.case ?? "(none)"} is not supported`);
}

/** Operators by the names under which the parser keeps them. */
const BINARY: Record<string, string> = {
  "_&&_": "&&",
  "_||_": "||",
  "_==_": "==",
  "_!=_": "!=",
  "_<_": "<",
  "_<=_": "<=",
  "_>_": ">",
  "_>=_": ">=",
  "_+_": "+",
  "_-_": "-",
  "_*_": "*",
  "_/_": "/",
  "_%_": "%",
  "@in": "in",
};

function call({ function: name, target, args }: Expr_Call): string {
  const [first = "", second = "", third = ""] = args.map((arg) => celText(arg));
  const operator = BINARY[name];
  if (operator !== undefined && args.length === 2) return `(${first} ${operator} ${second})`;
  if (name === "!_") return `!(${first})`;
  if (name === "-_") return `-(${first})`;
  if (name === "_[_]") return `${first}[${second}]`;
  if (name === "_?_:_") return `(${first} ? ${second} : ${third})`;
  const list = args.map((arg) => celText(arg)).join(", ");
  return target ? `${celText(target)}.${identifier(name)}(${list})` : `${identifier(name)}(${list})`;
}

function constant({ constantKind }: Constant): string {
  switch (constantKind.case) {
    case "nullValue":
      return "null";
    case "boolValue":
    case "int64Value":
      return String(constantKind.value);
    case "uint64Value":
      return `${constantKind.value}u`;
    case "doubleValue":
      return Number.isInteger(constantKind.value) ? constantKind.value.toFixed(1) : String(constantKind.value);
    case "stringValue":
      // JSON's escapes are among CEL's.
      return JSON.stringify(constantKind.value);
  }
  throw new InvalidResource("UNSUPPORTED_CEL", `CEL constant ${constantKind.case ?? "(none)"} is not supported`);
}

/** Nothing but a name may become part of the text. */
function identifier(name: string): string {
  if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name)) throw new InvalidResource("UNSUPPORTED_CEL", `${JSON.stringify(name)} is not a CEL name`);
  return name;
}

function required(expression: Expr | undefined): Expr {
  if (!expression) throw new InvalidResource("UNSUPPORTED_CEL", "a CEL selection has no operand");
  return expression;
}
