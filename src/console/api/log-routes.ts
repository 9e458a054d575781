import { type LogEntry, logEntry } from "./access-log.ts";
import { ApiProblem, type Route, param, queryNumber } from "./router.ts";

const DEFAULT_LINES = 1_000;
const MAX_LINES = 10_000;

export const LOG_ROUTES: Route[] = [
  {
    pattern: "/namespaces/:namespace/pods/:pod/logs",
    async answer(request, { logs, mesh }) {
      const [namespace, pod] = [param(request, "namespace"), param(request, "pod")];
      const { query } = request;
      const container = query.get("container") ?? (query.get("logType") === "proxy" ? "istio-proxy" : "");
      if (!container) throw new ApiProblem(400, "query parameter 'container' is required");
      const maxLines = queryNumber(query, "maxLines", DEFAULT_LINES, 1, MAX_LINES);
      const since = queryNumber(query, "sinceTime", 0, 0, 1e11);
      const entries: LogEntry[] = [];
      for await (const line of logs.lines({
        namespace,
        pod,
        container,
        tailLines: maxLines + 1,
        ...(since > 0 && { sinceTime: new Date(since * 1000).toISOString() }),
      })) {
        const entry = logEntry(line, container, mesh);
        if (entry) entries.push(entry);
      }
      return { entries: entries.slice(-maxLines), linesTruncated: entries.length > maxLines };
    },
  },
];
