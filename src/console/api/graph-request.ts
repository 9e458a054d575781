import type { GraphType } from "../../telemetry/index.ts";
import type { GraphRequest } from "../server/graph-service.ts";
import { queryList } from "./router.ts";

/** What the graph looks back on unless asked otherwise: Kiali's default. */
const DEFAULT_DURATION_SECONDS = 60;
/** Beyond what the store keeps there is nothing. */
const MAX_DURATION_SECONDS = 86_400;

/** A graph as the query asks for it, in Kiali's words. */
export function graphRequest(query: URLSearchParams): Omit<GraphRequest, "responseTimes" | "throughput"> {
  const type = query.get("graphType");
  return {
    namespaces: queryList(query, "namespaces"),
    graphType: type === "app" || type === "service" || type === "versionedApp" ? type : ("workload" satisfies GraphType),
    durationSeconds: durationSeconds(query.get("duration")),
    injectServiceNodes: query.get("injectServiceNodes") === "true",
  };
}

/** `60s`, `10m`, `3h`, or bare seconds. */
export function durationSeconds(text: string | null, fallback = DEFAULT_DURATION_SECONDS): number {
  const match = /^(\d{1,6})(s|m|h|d)?$/.exec(text ?? "");
  if (!match) return fallback;
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[(match[2] ?? "s") as "s" | "m" | "h" | "d"];
  return Math.min(Math.max(1, Number(match[1]) * unit), MAX_DURATION_SECONDS);
}
