import type { Question } from "../../golden/promql/queries.ts";

/** What a Prometheus answers, as its HTTP API has it. */
export interface Answer {
  status: number;
  errorType?: string;
  error?: string;
  resultType?: string;
  result?: unknown;
}

/** Asks one question over HTTP, by a form as Kiali and Grafana do. */
export async function ask(url: string, question: Question): Promise<Answer> {
  const form = new URLSearchParams(Object.entries(question).map(([name, value]) => [name, String(value)]));
  const answer = await fetch(`${url}/api/v1/${"time" in question ? "query" : "query_range"}`, { method: "POST", body: form });
  const body = (await answer.json()) as { errorType?: string; error?: string; data?: { resultType: string; result: unknown } };
  return { status: answer.status, ...(body.errorType !== undefined && { errorType: body.errorType, error: body.error }), ...body.data };
}
