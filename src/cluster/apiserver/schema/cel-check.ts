import type { Schema } from "../../../resources/index.ts";
import { newEnvironment } from "./cel-environment.ts";
import { TypeRegistry } from "./cel-types.ts";

/** What an expression yields, or what is wrong with it in cel-go's words. */
export type Checked = { type: string } | { problem: string };

/** Looks at expressions over `self` and `oldSelf` of a schema. */
export function ruleChecker(schema: Schema, isRoot: boolean): (expression: string) => Checked {
  const env = newEnvironment(true);
  const type = new TypeRegistry(env).typeOf(schema, isRoot);
  // An optional is asked with functions of its own.
  const isOptional = schema["x-kubernetes-validations"]?.some(({ optionalOldSelf }) => optionalOldSelf) ?? false;
  env.registerVariable("self", type).registerVariable("oldSelf", isOptional ? "dyn" : type);
  return (expression) => check(env, expression);
}

/** Looks at expressions over variables of any type. */
export function dynamicChecker(variables: readonly string[]): (expression: string) => Checked {
  const env = newEnvironment(true);
  for (const name of variables) env.registerVariable(name, "dyn");
  return (expression) => check(env, expression);
}

/** What a syntax error says of an expression that ends too early. */
const TOKENS = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
/** Types of which two differ for good: an operator between them is refused by every checker. */
const SCALARS = new Set(["string", "bool", "int", "double", "bytes"]);

/** What cel-go and Kubernetes have functions for: of these some overloads are not known here, of others there are none anywhere. */
const FUNCTIONS = new Set(
  (
    "size contains startsWith endsWith matches int uint double string bytes bool timestamp duration dyn type getFullYear getMonth getDayOfYear getDayOfMonth getDate getDayOfWeek getHours getMinutes " +
    "getSeconds getMilliseconds has all exists exists_one existsOne map filter transformList transformMap transformMapEntry charAt indexOf lastIndexOf join lowerAscii upperAscii replace split substring " +
    "trim reverse format quote isSorted sum min max find findAll url isURL getScheme getHost getHostname getPort getEscapedPath getQuery path group resource subresource namespace name serviceAccount check " +
    "allowed reason errored error quantity isQuantity sign isInteger asInteger asApproximateFloat add sub compareTo isGreaterThan isLessThan ip isIP isCanonical family isUnspecified isLoopback " +
    "isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast cidr isCIDR containsIP containsCIDR masked prefixLength intersects equivalent named validate dns1123Label dns1123Subdomain dns1035Label " +
    "qualifiedName dns1123LabelPrefix dns1123SubdomainPrefix dns1035LabelPrefix labelValue uri uuid byte date datetime semver isSemver major minor patch none of ofNonZeroValue hasValue value or orValue " +
    "optMap optFlatMap escapeKey bind flatten sort sortBy distinct range slice first last encode decode"
  ).split(" "),
);

interface Fault {
  name?: string;
  code?: string;
  message: string;
  range?: { start: number; end: number };
}

function check(env: ReturnType<typeof newEnvironment>, expression: string): Checked {
  let result: { valid: boolean; type?: unknown; error?: unknown };
  try {
    result = env.check(expression);
  } catch (error) {
    result = { valid: false, error };
  }
  if (result.valid) return { type: String(result.type ?? "dyn") };
  const fault = result.error as Fault;
  const summary = (fault.message.split("\n")[0] ?? "").trim();
  const start = fault.range?.start ?? 0;
  const at = (offset: number, problem: string): Checked => ({ problem: located(expression, offset, problem) });
  switch (fault.code) {
    case "no_such_key":
      // Where the dot stands.
      return at(expression.lastIndexOf(".", start), `undefined field '${summary.replace("No such key: ", "")}'`);
    case "unknown_variable":
      return at(start, `undeclared reference to '${summary.replace("Unknown variable: ", "")}' (in container '')`);
    case "no_such_overload": {
      const [, left = "", operator = "", right = ""] = /^no such overload: (\S+) (\S+) (\S+)$/.exec(summary) ?? [];
      if (SCALARS.has(left) && SCALARS.has(right) && operator !== "")
        return at(expression.indexOf(operator, start), `found no matching overload for '_${operator}_' applied to '(${left}, ${right})'`);
      break;
    }
    case "no_matching_overload": {
      const name = /'(?:[^'(]*\.)?(\w+)\(/.exec(summary)?.[1] ?? "";
      if (name !== "" && !FUNCTIONS.has(name))
        return at(expression.indexOf("(", expression.indexOf(`${name}(`, start)), `undeclared reference to '${name}' (in container '')`);
      break;
    }
  }
  if (summary.includes("cannot be range of a comprehension")) return at(expression.lastIndexOf(".", start), `e${summary.slice(1).replace(/\.$/, "")}`);
  if (fault.name === "ParseError")
    return at(start, `Syntax error: ${summary === "Unexpected token: EOF" ? `mismatched input '<EOF>' expecting ${TOKENS}` : summary}`);
  // Other refusals are left to the moment at which the rule runs: this checker knows fewer overloads than cel-go.
  return { type: "dyn" };
}

/** As cel-go shows where something is wrong. */
function located(expression: string, at: number, problem: string): string {
  const offset = Math.max(0, at);
  const before = expression.slice(0, offset);
  const line = before.split("\n").length;
  const column = offset - (before.lastIndexOf("\n") + 1);
  return `ERROR: <input>:${line}:${column + 1}: ${problem}\n | ${expression.split("\n")[line - 1] ?? ""}\n | ${".".repeat(column)}^`;
}
