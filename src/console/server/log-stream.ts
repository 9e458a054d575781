import { errorText } from "../../base/index.ts";
import { logEntry } from "../api/access-log.ts";
import { type ApiContext, ApiProblem, queryList, queryNumber } from "../api/router.ts";
import { type LogEntry } from "../api/access-log.ts";
import type { Subscribe } from "./live.ts";

/** What a log view begins with, a container. */
const DEFAULT_TAIL = 200;
const MAX_TAIL = 5_000;
/** Lines that come together are sent together. */
const BATCH_MS = 100;
/** Containers of one pod that a page may follow at once. */
const MAX_CONTAINERS = 8;

/** Follows the logs of containers of one pod as one stream of parsed lines, by their time as far as they come together. */
export function followLogs(query: URLSearchParams, { logs, log, clock, mesh }: ApiContext): Subscribe {
  const [namespace, pod] = [query.get("namespace") ?? "", query.get("pod") ?? ""];
  const containers = queryList(query, "containers").slice(0, MAX_CONTAINERS);
  if (!namespace || !pod || containers.length === 0) throw new ApiProblem(400, "namespace, pod and containers are required");
  const tailLines = queryNumber(query, "tail", DEFAULT_TAIL, 1, MAX_TAIL);
  return (send) => {
    const stop = new AbortController();
    let waiting: LogEntry[] = [];
    let cancel: (() => void) | undefined;
    const flush = () => {
      cancel = undefined;
      const entries = waiting.sort((a, b) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0));
      waiting = [];
      send("lines", { entries });
    };
    const follow = async (container: string) => {
      try {
        for await (const line of logs.lines({ namespace, pod, container, tailLines, follow: true, signal: stop.signal })) {
          if (stop.signal.aborted) return;
          const entry = logEntry(line, container, mesh);
          if (!entry) continue;
          waiting.push(entry);
          cancel ??= clock.after(BATCH_MS, flush);
        }
        if (!stop.signal.aborted) send("ended", { container });
      } catch (thrown) {
        if (stop.signal.aborted) return;
        log.warn("a log could not be followed", { namespace, pod, container, error: errorText(thrown) });
        send("failed", { container, message: errorText(thrown) });
      }
    };
    for (const container of containers) void follow(container);
    return () => {
      stop.abort();
      cancel?.();
    };
  };
}
