import { ChainmailError } from "../../base/index.ts";
import type { JaegerTrace } from "../../telemetry/index.ts";

/** Where traces are asked for: the mesh's own store, or a real Jaeger. */
export interface TraceClient {
  services(): Promise<string[]>;
  operations(service: string): Promise<string[]>;
  /** Parameters as Jaeger's page sends them: service, operation, tags, minDuration, start, end, limit. */
  search(parameters: Record<string, string>): Promise<JaegerTrace[]>;
  /** Undefined where it is not known (any more). */
  trace(id: string): Promise<JaegerTrace | undefined>;
}

const TIMEOUT_MS = 5_000;

/** Asks Jaeger's query API at a URL. */
export function createTraceClient(baseUrl: string): TraceClient {
  const ask = async (path: string): Promise<unknown> => {
    let answer: Response;
    try {
      answer = await fetch(`${baseUrl}${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (cause) {
      throw new ChainmailError("TRACE_STORE_UNREACHABLE", `the trace store at ${baseUrl} does not answer`, {
        cause,
        hint: "kubectl get pods -n istio-system -l app=prometheus",
      });
    }
    const body = (await answer.json().catch(() => undefined)) as { data?: unknown; errors?: { msg?: string }[] | null } | undefined;
    if (answer.status === 404) return undefined;
    if (!answer.ok || !body) throw new ChainmailError("TRACE_QUERY_FAILED", `the trace store refused a query: ${body?.errors?.[0]?.msg ?? answer.status}`);
    return body.data;
  };
  const list = (data: unknown): unknown[] => (Array.isArray(data) ? data : []);
  return {
    services: async () => list(await ask("/api/services")) as string[],
    operations: async (service) => list(await ask(`/api/services/${encodeURIComponent(service)}/operations`)) as string[],
    search: async (parameters) => list(await ask(`/api/traces?${new URLSearchParams(parameters)}`)) as JaegerTrace[],
    trace: async (id) => list(await ask(`/api/traces/${encodeURIComponent(id)}`))[0] as JaegerTrace | undefined,
  };
}
