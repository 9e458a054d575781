import type { GraphType } from "../../telemetry/index.ts";
import type { GraphRequest } from "../server/graph-service.ts";
import { queryList, queryNumber } from "./router.ts";

/** What the graph looks back on unless asked otherwise: Kiali's default. */
const DEFAULT_DURATION_SECONDS = 60;
/** Beyond what the store keeps there is nothing. */
const MAX_DURATION_SECONDS = 86_400;

/** A graph as the query asks for it, in Kiali's words; `queryTime`, in Unix seconds, asks for one of the past. `now` in ms. */
export function graphRequest(query: URLSearchParams, now: number): Omit<GraphRequest, "responseTimes" | "throughput"> {
  const type = query.get("graphType");
  const at = queryNumber(query, "queryTime", 0, 0, 1e11);
  const seconds = durationSeconds(query.get("duration"));
  return {
    namespaces: queryList(query, "namespaces"),
    graphType: type === "app" || type === "service" || type === "versionedApp" ? type : ("workload" satisfies GraphType),
    durationSeconds: at === 0 ? seconds : Math.max(seconds, shortestAt(now / 1000 - at)),
    injectServiceNodes: query.get("injectServiceNodes") === "true",
    ...(at > 0 && { at }),
  };
}

/** The store thins out what is old: a rate needs a few of the values that are left. Age and answer in seconds. */
function shortestAt(age: number): number {
  return age > 3_600 ? 240 : age > 300 ? 60 : 1;
}

/** `60s`, `10m`, `3h`, or bare seconds. */
export function durationSeconds(text: string | null, fallback = DEFAULT_DURATION_SECONDS): number {
  const match = /^(\d{1,6})(s|m|h|d)?$/.exec(text ?? "");
  if (!match) return fallback;
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[(match[2] ?? "s") as "s" | "m" | "h" | "d"];
  return Math.min(Math.max(1, Number(match[1]) * unit), MAX_DURATION_SECONDS);
}
