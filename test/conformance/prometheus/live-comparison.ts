import { EDGE_LABELS } from "../../../src/telemetry/graph/queries.ts";
import { type Answer, difference } from "../../golden/promql/compare.ts";
import { ask } from "./answers.ts";

/** Names that Kiali's queries are asked with on the lab. */
export interface Names {
  namespace: string;
  workload: string;
  istiod: string;
}

/** Each scrapes at its own moments: rates over a minute of one scrape a second differ by a few hundredths, medians of buckets more. */
const RATE_TOLERANCE = 0.08;

/** One of Kiali's recorded queries with its open names filled in. */
export function fillIn(line: string, names: Names): { kind: string; query: string } {
  const [kind, query] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
  const filled = query
    .replaceAll("<G13>", EDGE_LABELS.join(","))
    .replaceAll("[D]", "[60s]")
    .replaceAll('"NS"', `"${names.namespace}"`)
    .replaceAll('"X"', `"${names.workload}"`)
    .replaceAll(/\bNS\b/g, names.namespace)
    .replaceAll(/\bX\b/g, names.workload)
    .replaceAll("istiod-556dbdc76-xf5zb", names.istiod);
  return { kind, query: filled };
}

/**
 * Asks two stores that scrape the same targets the same question about the same time. What differs, in words; undefined when
 * nothing does but the moments of their scrapes.
 */
export async function compareLive(
  query: string,
  kind: string,
  theirs: string,
  ours: string,
  at: number,
  tolerance = RATE_TOLERANCE,
): Promise<string | undefined> {
  const question = kind === "range" ? { query, start: at - 30, end: at, step: 10 } : { query, time: at };
  const [a, b] = [await ask(theirs, question), await ask(ours, question)];
  // Pods may have come while one of the two had not scraped yet: the newest point is the one to compare.
  return kind === "range" ? difference(query, lastPoints(a), lastPoints(b), tolerance) : difference(query, a, b, tolerance);
}

function lastPoints(answer: Answer): Answer {
  if (answer.resultType !== "matrix") return answer;
  return {
    ...answer,
    resultType: "vector",
    result: (answer.result as { metric: unknown; values: unknown[] }[]).map(({ metric, values }) => ({ metric, value: values.at(-1) })),
  };
}
