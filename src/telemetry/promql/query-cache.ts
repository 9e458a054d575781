import type { Expr } from "./ast.ts";
import { parsePromql } from "./parse.ts";

/** A console and a few dashboards ask so many different queries, each again and again. */
const MAX_QUERIES = 128;

/** `parsePromql` that remembers the last queries: what is asked each second need not be read each second. */
export function createQueryCache(limit = MAX_QUERIES): (query: string) => Expr {
  const known = new Map<string, Expr>();
  return (query) => {
    const expr = known.get(query) ?? parsePromql(query);
    // The last asked is last in the map, and the first in it is the first to go.
    known.delete(query);
    known.set(query, expr);
    if (known.size > limit) known.delete(known.keys().next().value!);
    return expr;
  };
}
