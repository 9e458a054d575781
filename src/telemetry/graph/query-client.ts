import { ChainmailError } from "../../base/index.ts";

/** One element of an instant vector, as it came over HTTP. */
export interface QuerySample {
  labels: Record<string, string>;
  value: number;
}

/** Where PromQL is answered: the mesh's own store or a real Prometheus. */
export interface QueryClient {
  /** `at` in Unix seconds; now where it is left away. */
  instant(query: string, at?: number): Promise<QuerySample[]>;
  range(query: string, start: number, end: number, stepSeconds: number): Promise<{ labels: Record<string, string>; points: [number, number][] }[]>;
}

/** A console page must say that the store is down before its reader gives up. */
const TIMEOUT_MS = 5_000;

export function createQueryClient(baseUrl: string): QueryClient {
  const ask = async (path: string, form: Record<string, string>): Promise<unknown[]> => {
    let answer: Response;
    try {
      answer = await fetch(`${baseUrl}/api/v1/${path}`, { method: "POST", body: new URLSearchParams(form), signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (cause) {
      throw new ChainmailError("METRICS_STORE_UNREACHABLE", `the metrics store at ${baseUrl} does not answer`, {
        cause,
        hint: "kubectl get pods -n istio-system -l app=prometheus",
      });
    }
    const body = (await answer.json().catch(() => undefined)) as { status?: string; error?: string; data?: { result?: unknown } } | undefined;
    if (body?.status !== "success" || !Array.isArray(body.data?.result))
      throw new ChainmailError("METRICS_QUERY_FAILED", `the metrics store refused a query: ${body?.error ?? answer.status}`);
    return body.data.result as unknown[];
  };
  return {
    async instant(query, at) {
      const rows = (await ask("query", { query, ...(at !== undefined && { time: String(at) }) })) as {
        metric: Record<string, string>;
        value: [number, string];
      }[];
      return rows.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async range(query, start, end, stepSeconds) {
      const rows = (await ask("query_range", { query, start: String(start), end: String(end), step: String(stepSeconds) })) as {
        metric: Record<string, string>;
        values: [number, string][];
      }[];
      return rows.map(({ metric, values }) => ({ labels: metric, points: values.map(([time, value]) => [time, Number(value)]) }));
    },
  };
}
