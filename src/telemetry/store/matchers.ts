import { ChainmailError } from "../../base/index.ts";

export type MatchOp = "=" | "!=" | "=~" | "!~";

/** One condition on a label; a missing label counts as "". */
export interface Matcher {
  name: string;
  op: MatchOp;
  value: string;
  matches(value: string): boolean;
}

/** Regular expressions are anchored at both ends, as Prometheus' are. */
export function createMatcher(name: string, op: MatchOp, value: string): Matcher {
  if (op === "=") return { name, op, value, matches: (v) => v === value };
  if (op === "!=") return { name, op, value, matches: (v) => v !== value };
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${value})$`, "s");
  } catch (cause) {
    throw new ChainmailError("PROMQL_BAD_REGEXP", `error parsing regexp: ${value}`, { cause });
  }
  const wanted = op === "=~";
  return { name, op, value, matches: (v) => expression.test(v) === wanted };
}
