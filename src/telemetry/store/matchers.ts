import { ChainmailError, errorText } from "../../base/index.ts";
import { compileRe2 } from "./re2.ts";

export type MatchOp = "=" | "!=" | "=~" | "!~";

/** One condition on a label; a missing label counts as "". */
export interface Matcher {
  name: string;
  op: MatchOp;
  value: string;
  matches(value: string): boolean;
}

/** Values repeat from series to series: what fits is remembered, up to so many. */
const MAX_REMEMBERED = 10_000;

/** Regular expressions are anchored at both ends, as Prometheus' are. Throws ChainmailError PROMQL_BAD_REGEXP. */
export function createMatcher(name: string, op: MatchOp, value: string): Matcher {
  if (op === "=") return { name, op, value, matches: (v) => v === value };
  if (op === "!=") return { name, op, value, matches: (v) => v !== value };
  const fits = expression(value);
  const wanted = op === "=~";
  return { name, op, value, matches: (v) => fits(v) === wanted };
}

function expression(value: string): (text: string) => boolean {
  // Lists of names are what dashboards ask for most.
  if (/^[\w-]*(?:\|[\w-]*)*$/.test(value)) {
    const names = new Set(value.split("|"));
    return (text) => names.has(text);
  }
  let compiled: (text: string) => boolean;
  try {
    compiled = compileRe2(value);
  } catch (cause) {
    throw new ChainmailError("PROMQL_BAD_REGEXP", errorText(cause), { cause });
  }
  const known = new Map<string, boolean>();
  return (text) => {
    let fits = known.get(text);
    if (fits === undefined) {
      if (known.size >= MAX_REMEMBERED) known.clear();
      known.set(text, (fits = compiled(text)));
    }
    return fits;
  };
}
