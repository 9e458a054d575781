import { join, normalize } from "node:path";
import { type Clock, type Logger, VERSION, errorText } from "../../base/index.ts";
import type { GraphType, QueryClient } from "../../telemetry/index.ts";
import { toKialiGraph } from "../api/kiali-graph.ts";
import { autoMtlsEnabled, meshStatus, namespaceStatus } from "../api/mtls.ts";
import { loadGraph } from "./graph-service.ts";
import { SECURITY_HEADERS, refuse } from "./guard.ts";
import { eventStream } from "./live.ts";
import { liveMesh, meshState } from "./live-mesh.ts";
import { CLUSTER, type MeshView, ROOT_NAMESPACE } from "./mesh-view.ts";

export interface ConsoleOptions {
  mesh: MeshView;
  queries: QueryClient;
  /** Folder of the built web app. */
  webRoot: string;
  allowedHosts: string[];
  clock: Clock;
  log: Logger;
}

const ROOT = "/kiali";
/** What the graph looks back on unless asked otherwise: Kiali's default. */
const DEFAULT_DURATION_SECONDS = 60;
/** Beyond what the store keeps there is nothing. */
const MAX_DURATION_SECONDS = 86_400;

/** The console's requests: the page, the live stream, and Kiali's API. Read-only: nothing here writes. */
export function createConsole(options: ConsoleOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    const refusal = refuse(request, options.allowedHosts);
    if (refusal) return refusal;
    const url = new URL(request.url);
    try {
      const answer = await route(request, url, options);
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
      return answer;
    } catch (thrown) {
      options.log.error("request failed", { path: url.pathname, error: errorText(thrown) });
      return Response.json({ error: errorText(thrown) }, { status: 500, headers: SECURITY_HEADERS });
    }
  };
}

async function route(request: Request, url: URL, options: ConsoleOptions): Promise<Response> {
  if (url.pathname === "/" || url.pathname === ROOT + "/") return redirect(ROOT);
  if (url.pathname === "/healthz" || url.pathname === `${ROOT}/healthz`) return new Response("ok\n");
  if (!url.pathname.startsWith(ROOT)) return new Response("404 page not found\n", { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") return new Response("Method Not Allowed\n", { status: 405 });
  const path = url.pathname.slice(ROOT.length);
  if (path.startsWith("/api/")) return api(path.slice("/api".length), url.searchParams, options);
  return asset(path, options.webRoot);
}

async function api(path: string, query: URLSearchParams, options: ConsoleOptions): Promise<Response> {
  const { mesh } = options;
  const policies = mesh.peerAuthentications();
  switch (path) {
    case "/live":
      return eventStream(liveMesh(liveRequest(query), options), options.log, {});
    case "/state":
      return Response.json(meshState(mesh));
    case "/auth/info":
      return Response.json({ strategy: "anonymous", sessionInfo: { username: "anonymous", expiresOn: "" } });
    case "/status":
      return Response.json({ status: { "Kiali state": "running", "Kiali version": VERSION, "Mesh name": "Istio" }, externalServices: [{ name: "Prometheus" }], warningMessages: [], istioEnvironment: { isMaistra: false, istioAPIEnabled: true } });
    case "/namespaces":
      return Response.json(mesh.namespaces().map(({ metadata }) => ({ name: metadata.name, cluster: CLUSTER, isAmbient: false, isControlPlane: metadata.name === ROOT_NAMESPACE, labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} })));
    case "/namespaces/graph":
      return graphAnswer(query, options);
    case "/mesh/tls":
      return Response.json({ status: meshStatus(policies), autoMTLSEnabled: autoMtlsEnabled(mesh.meshConfig()), minTLS: "N/A" });
    case "/clusters/tls": {
      const names = query.get("namespaces")?.split(",").filter(Boolean) ?? mesh.namespaces().map((n) => n.metadata.name);
      return Response.json(names.map((namespace) => ({ namespace, cluster: CLUSTER, status: namespaceStatus(namespace, policies), autoMTLSEnabled: autoMtlsEnabled(mesh.meshConfig()) })));
    }
    default:
      return Response.json({ error: `no such resource: ${path}` }, { status: 404 });
  }
}

async function graphAnswer(query: URLSearchParams, { mesh, queries, clock }: ConsoleOptions): Promise<Response> {
  const appenders = query.get("appenders")?.split(",") ?? [];
  const request = liveRequest(query);
  if (request.namespaces.length === 0) return Response.json({ error: "Invalid query parameter: namespaces" }, { status: 400 });
  const graph = await loadGraph({ ...request, responseTimes: appenders.includes("responseTime"), throughput: appenders.includes("throughput") }, queries, mesh);
  if (!appenders.includes("securityPolicy")) for (const edge of graph.edges) Object.assign(edge, { mtls: undefined, sourcePrincipals: [], destinationPrincipals: [] });
  const gateways = new Set(meshState(mesh).workloads.filter((w) => w.gateway).map((w) => `${w.namespace}/${w.workload}`));
  return Response.json(
    toKialiGraph(graph, {
      timestamp: Math.floor(clock.now() / 1000),
      durationSeconds: request.durationSeconds,
      graphType: request.graphType,
      boxBy: query.get("boxBy")?.split(",") ?? [],
      isGateway: (node) => gateways.has(`${node.namespace}/${node.workload}`),
    }),
  );
}

function liveRequest(query: URLSearchParams): Parameters<typeof liveMesh>[0] {
  const type = query.get("graphType");
  const seconds = durationSeconds(query.get("duration"));
  return {
    namespaces: query.get("namespaces")?.split(",").filter(Boolean) ?? [],
    graphType: type === "app" || type === "service" || type === "versionedApp" ? type : ("workload" satisfies GraphType),
    durationSeconds: Math.min(seconds, MAX_DURATION_SECONDS),
    injectServiceNodes: query.get("injectServiceNodes") === "true",
  };
}

/** `60s`, `10m`, `3h`, or bare seconds. */
function durationSeconds(text: string | null): number {
  const match = /^(\d{1,6})(s|m|h)?$/.exec(text ?? "");
  if (!match) return DEFAULT_DURATION_SECONDS;
  return Math.max(1, Number(match[1]) * { s: 1, m: 60, h: 3600 }[(match[2] ?? "s") as "s" | "m" | "h"]);
}

/** Files of the web app; every other path is a page of it, which the app routes itself. */
async function asset(path: string, webRoot: string): Promise<Response> {
  const name = normalize(path).replace(/^\/+/, "");
  if (name.startsWith("..")) return new Response("404 page not found\n", { status: 404 });
  const file = Bun.file(join(webRoot, name));
  if (name !== "" && (await file.exists())) {
    // Names of built files carry a hash of their content.
    return new Response(file, { headers: { "cache-control": /-[a-z0-9]{8,}\.\w+$/.test(name) ? "public, max-age=31536000, immutable" : "no-cache" } });
  }
  if (/\.\w+$/.test(name)) return new Response("404 page not found\n", { status: 404 });
  return new Response(Bun.file(join(webRoot, "index.html")), { headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" } });
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}
