import type { Clock, Logger } from "../../base/index.ts";
import type { QueryClient } from "../../telemetry/index.ts";
import type { Guide } from "../guide/index.ts";
import type { GraphService } from "../server/graph-service.ts";
import type { Istiod } from "../server/istiod.ts";
import type { MeshView } from "../server/mesh-view.ts";
import type { PodLogs } from "../server/pod-logs.ts";
import type { TraceClient } from "../server/traces.ts";

/** What answers are made from. */
export interface ApiContext {
  mesh: MeshView;
  queries: QueryClient;
  traces: TraceClient;
  graphs: GraphService;
  logs: PodLogs;
  istiod: Istiod;
  guides: readonly Guide[];
  clock: Clock;
  log: Logger;
}

export interface ApiRequest {
  /** Parts of the path that the pattern names. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
}

export interface Route {
  /** Below /kiali/api: `/namespaces/:namespace/workloads/:workload`. */
  pattern: string;
  /** Plain data, sent as JSON. Throws ApiProblem for what the asker did wrong. */
  answer(request: ApiRequest, context: ApiContext): unknown;
  /** Set where pages may watch the answer: the time between two rounds, 0 where only changes of objects matter. */
  liveMs?: number;
}

/** An answer that is no success, with the status that says so. */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface Match {
  route: Route;
  request: ApiRequest;
}

/** Longer ones are nobody's: Kubernetes' names end at 253. */
const MAX_PATH = 2_048;

/** Finds the route of a path with its query; a fixed part wins over a named one, as routes are ordered. */
export function createRouter(routes: readonly Route[]): (target: string) => Match | undefined {
  const compiled = routes.map((route) => ({ route, parts: route.pattern.split("/") }));
  return (target) => {
    if (target.length > MAX_PATH) return undefined;
    const [path = "", query = ""] = splitOnce(target, "?");
    const parts = path.split("/");
    for (const { route, parts: pattern } of compiled) {
      const params = matchParts(pattern, parts);
      if (params) return { route, request: { params, query: new URLSearchParams(query) } };
    }
    return undefined;
  };
}

/** A named part that must be there. */
export function param({ params }: ApiRequest, name: string): string {
  const value = params[name];
  if (value === undefined) throw new Error(`the route has no ${name}`);
  return value;
}

/** A whole number of the query within bounds. */
export function queryNumber(query: URLSearchParams, name: string, fallback: number, min: number, max: number): number {
  const text = query.get(name);
  if (text === null || !/^\d{1,15}$/.test(text)) return fallback;
  return Math.min(Math.max(Number(text), min), max);
}

export function queryList(query: URLSearchParams, name: string): string[] {
  return query.get(name)?.split(",").filter(Boolean) ?? [];
}

function matchParts(pattern: string[], parts: string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const part = parts[index]!;
    if (!expected.startsWith(":")) {
      if (expected !== part) return undefined;
      continue;
    }
    const value = decoded(part);
    if (!value) return undefined;
    params[expected.slice(1)] = value;
  }
  return params;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function splitOnce(text: string, by: string): [string, string] {
  const at = text.indexOf(by);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
