import { type AggregateExpr, type BinaryExpr, type Expr, typeOf } from "./ast.ts";
import { PARAMETER_TYPES, SIGNATURES, type ValueType } from "./signatures.ts";

/** Where a mistake is: the expression's own place or that of an argument. */
export type Mistake = { message: string; argument?: number } | undefined;

export const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", ">", "<", ">=", "<="]);
const SET_OPERATORS: ReadonlySet<string> = new Set(["and", "or", "unless"]);

/** Checks of one expression whose parts are right, in Prometheus' words. */
export function checkCall(name: string, args: readonly Expr[]): Mistake {
  const signature = SIGNATURES.get(name);
  if (!signature) return { message: `unknown function with name ${JSON.stringify(name)}` };
  const { args: types, variadic } = signature;
  const call = `argument(s) in call to ${JSON.stringify(name)}, got ${args.length}`;
  if (variadic === 0 && args.length !== types.length) return { message: `expected ${types.length} ${call}` };
  if (variadic !== 0 && args.length < types.length - 1) return { message: `expected at least ${types.length - 1} ${call}` };
  if (variadic > 0 && args.length > types.length - 1 + variadic) return { message: `expected at most ${types.length - 1 + variadic} ${call}` };
  for (const [index, arg] of args.entries()) {
    const wrong = mismatch(arg, types[index] ?? types.at(-1)!, `call to function ${JSON.stringify(name)}`);
    if (wrong) return { message: wrong, argument: index };
  }
  return undefined;
}

export function checkAggregate(expr: AggregateExpr): Mistake {
  const wanted = PARAMETER_TYPES[expr.op];
  const wrong = mismatch(expr.expr, "instant vector", "aggregation expression");
  if (wrong) return { message: wrong, argument: expr.param ? 1 : 0 };
  if (!wanted || !expr.param) return undefined;
  const parameter = mismatch(expr.param, wanted, "aggregation parameter");
  return parameter ? { message: parameter, argument: 0 } : undefined;
}

export function checkBinary(expr: BinaryExpr, matching: boolean): Mistake {
  const [left, right] = [typeOf(expr.left), typeOf(expr.right)];
  const comparison = COMPARISONS.has(expr.op);
  if (expr.bool && !comparison) return { message: "bool modifier can only be used on comparison operators" };
  const operands: readonly string[] = [left, right];
  if (operands.includes("string") || operands.includes("range vector"))
    return { message: "binary expression must contain only scalar and instant vector types" };
  const scalars = left === "scalar" && right === "scalar";
  if (comparison && !expr.bool && scalars) return { message: "comparisons between scalars must use BOOL modifier" };
  if (SET_OPERATORS.has(expr.op)) {
    if (operands.includes("scalar")) return { message: `set operator ${JSON.stringify(expr.op)} not allowed in binary scalar expression` };
    if (expr.group) return { message: `no grouping allowed for ${JSON.stringify(expr.op)} operation` };
  }
  if (matching && operands.includes("scalar")) return { message: "vector matching only allowed between instant vectors" };
  const twice = expr.on ? expr.include.find((label) => expr.labels.includes(label)) : undefined;
  return twice === undefined ? undefined : { message: `label ${JSON.stringify(twice)} must not occur in ON and GROUP clause at once` };
}

function mismatch(expr: Expr, wanted: ValueType, context: string): string | undefined {
  const got = typeOf(expr);
  return got === wanted ? undefined : `expected type ${wanted} in ${context}, got ${got}`;
}
