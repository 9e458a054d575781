import { ChainmailError } from "../../base/index.ts";
import { PODS, type Transport, resourcePath } from "../../kube/index.ts";

export interface LogRequest {
  namespace: string;
  pod: string;
  container: string;
  /** RFC 3339. */
  sinceTime?: string;
  tailLines?: number;
  follow?: boolean;
  signal?: AbortSignal;
}

/** Reads a container's log line by line, each with its time in front. */
export interface PodLogs {
  lines(request: LogRequest): AsyncIterable<string>;
}

/** An application may write a line without end. */
const MAX_LINE = 64 << 10;

/** Logs by the API server, with the console's own right to read them. */
export function createPodLogs(transport: Transport): PodLogs {
  return {
    async *lines({ namespace, pod, container, sinceTime, tailLines, follow, signal }) {
      const query = new URLSearchParams({ container, timestamps: "true" });
      if (sinceTime) query.set("sinceTime", sinceTime);
      if (tailLines !== undefined) query.set("tailLines", String(tailLines));
      if (follow) query.set("follow", "true");
      // A followed log is silent for as long as its program is.
      const init: RequestInit & { timeout: false } = { timeout: false, ...(signal && { signal }) };
      const answer = await transport(`${resourcePath(PODS, namespace, pod, "log")}?${query}`, init);
      if (!answer.ok) {
        const body = (await answer.json().catch(() => undefined)) as { message?: string } | undefined;
        throw new ChainmailError("LOGS_UNAVAILABLE", body?.message ?? `the API server answered ${answer.status} for the logs of ${pod}`, {
          hint: `kubectl logs -n ${namespace} ${pod} -c ${container}`,
        });
      }
      if (answer.body) yield* splitLines(answer.body);
    },
  };
}

async function* splitLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", start)) {
      yield rest.slice(start, end);
      start = end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > MAX_LINE) {
      yield rest;
      rest = "";
    }
  }
  if (rest) yield rest;
}
