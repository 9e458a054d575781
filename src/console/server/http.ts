import { type Clock, ChainmailError, type Logger, errorText } from "../../base/index.ts";
import { ApiError, type ExecRequest, type ExecResult, type Transport } from "../../kube/index.ts";
import type { QueryClient } from "../../telemetry/index.ts";
import { guideOf } from "../api/guide-routes.ts";
import { type ApiContext, ApiProblem, createRouter } from "../api/router.ts";
import { previewManifest } from "../api/security-routes.ts";
import { ROUTES } from "../api/routes.ts";
import { type Guide, runStep } from "../guide/index.ts";
import { whyLine } from "../api/why.ts";
import { asset } from "./assets.ts";
import { GraphService } from "./graph-service.ts";
import { SECURITY_HEADERS, refuse } from "./guard.ts";
import { Hub } from "./hub.ts";
import type { Istiod } from "./istiod.ts";
import { eventStream } from "./live.ts";
import { followLogs } from "./log-stream.ts";
import type { MeshView } from "./mesh-view.ts";
import type { PodLogs } from "./pod-logs.ts";
import { setProxyLogLevel } from "./proxy-logging.ts";
import { Sessions } from "./sessions.ts";
import type { TraceClient } from "./traces.ts";
import { type UserTransport, bodyText, createWrites, policyOf } from "./writes.ts";

export interface ConsoleOptions {
  mesh: MeshView;
  queries: QueryClient;
  traces: TraceClient;
  logs: PodLogs;
  istiod: Istiod;
  /** The API server, with the rights of who holds a token. */
  asUser: UserTransport;
  /** The same to run commands in pods. */
  execAs(token: string): (request: ExecRequest) => Promise<ExecResult>;
  /** The API server with the console's own rights, which are to read. */
  own: Transport;
  guides: readonly Guide[];
  /** Folder of the built web app. */
  webRoot: string;
  allowedHosts: string[];
  clock: Clock;
  log: Logger;
}

const ROOT = "/kiali";
/** Answers that one page may watch at once: none needs more. */
const MAX_WATCHES = 12;
/** Anonymous readers must not take all connections: each open page holds one stream, a log view a second. */
const MAX_STREAMS = 200;

/** The console's requests: the page, the live stream, Kiali's API, and writes by those who have signed in. */
export function createConsole(options: ConsoleOptions): (request: Request) => Promise<Response> {
  const { mesh, queries, traces, logs, istiod, clock, log } = options;
  const context: ApiContext = { mesh, queries, traces, logs, istiod, guides: options.guides, clock, log, graphs: new GraphService(queries, mesh, clock) };
  const writes = createWrites(new Sessions(clock), options.asUser);
  const find = createRouter(ROUTES);
  const hub = new Hub(
    (watch) => {
      const match = find(watch);
      if (match?.route.liveMs === undefined) return undefined;
      return { everyMs: match.route.liveMs, compute: async () => match.route.answer(match.request, context) };
    },
    clock,
    log,
  );
  mesh.onChange(() => hub.touch());
  let streams = 0;
  const stream = (subscribe: Parameters<typeof eventStream>[0]): Response => {
    if (streams >= MAX_STREAMS) throw new ApiProblem(503, "too many pages are open at once");
    return eventStream((send) => {
      streams++;
      const end = subscribe(send);
      return () => {
        streams--;
        end();
      };
    }, log);
  };

  const runGuide = async (request: Request, id: string, number: number): Promise<Response> => {
    const step = guideOf(id, context).steps.find((candidate) => candidate.number === number);
    if (!step) throw new ApiProblem(404, `the guide has no step ${number}`);
    const token = writes.token(request);
    const user = token === undefined ? undefined : { transport: options.asUser(token), exec: options.execAs(token) };
    return Response.json(await runStep(step, { mesh, istiod, own: options.own, ...(user && { user }), now: clock.now() }));
  };

  const api = async (request: Request, url: URL): Promise<Response> => {
    const path = url.pathname.slice(`${ROOT}/api`.length);
    if (request.method !== "GET" && request.method !== "HEAD") {
      if (request.method === "POST" && path === "/security/preview")
        return Response.json(await previewManifest(await policyOf(request), url.searchParams, context));
      if (request.method === "POST" && path === "/security/line") return Response.json(await whyLine(await bodyText(request), url.searchParams, context));
      const [, guide, step] = /^\/guides\/([\w-]+)\/steps\/(\d{1,3})\/run$/.exec(path) ?? [];
      if (request.method === "POST" && guide !== undefined) return runGuide(request, guide, Number(step));
      const [, namespace = "", pod] = /^\/namespaces\/([\w-]+)\/pods\/([\w.-]+)\/logging$/.exec(path) ?? [];
      if (request.method === "POST" && pod !== undefined) {
        const token = writes.token(request);
        if (token === undefined) throw new ApiProblem(401, "Sign in first: who is anonymous may only read");
        await setProxyLogLevel(options.execAs(token), namespace, pod, url.searchParams.get("level") ?? "");
        return Response.json({});
      }
      const written = writes.answer(request, path, url.searchParams);
      if (!written) throw new ApiProblem(405, `${request.method} is not for ${path}`);
      return written;
    }
    // "anonymous" is how one gets in; signing in only adds the right to write.
    if (path === "/auth/info") return Response.json({ strategy: "anonymous", sessionInfo: writes.session(request) });
    if (path === "/live") return stream(watchAll(url.searchParams.getAll("watch"), hub));
    if (path === "/live/logs") return stream(followLogs(url.searchParams, context));
    const match = find(path + url.search);
    if (!match) throw new ApiProblem(404, `no such resource: ${path}`);
    return Response.json(await match.route.answer(match.request, context));
  };

  return async (request) => {
    const refusal = refuse(request, options.allowedHosts);
    if (refusal) return refusal;
    const url = new URL(request.url);
    try {
      const answer = await route(request, url, api, options.webRoot);
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
      return answer;
    } catch (thrown) {
      const status = thrown instanceof ApiProblem || thrown instanceof ApiError ? thrown.status : thrown instanceof ChainmailError ? 503 : 500;
      if (status >= 500) log.error("request failed", { path: url.pathname, error: errorText(thrown) });
      return Response.json(
        { error: errorText(thrown), ...(thrown instanceof ChainmailError && thrown.hint && { detail: thrown.hint }) },
        { status, headers: SECURITY_HEADERS },
      );
    }
  };
}

async function route(request: Request, url: URL, api: (request: Request, url: URL) => Promise<Response>, webRoot: string): Promise<Response> {
  if (url.pathname === "/" || url.pathname === ROOT + "/") return new Response(null, { status: 302, headers: { location: ROOT } });
  if (url.pathname === "/healthz" || url.pathname === `${ROOT}/healthz`) return new Response("ok\n");
  if (url.pathname !== ROOT && !url.pathname.startsWith(`${ROOT}/`)) return new Response("404 page not found\n", { status: 404 });
  if (url.pathname.startsWith(`${ROOT}/api/`)) return api(request, url);
  if (request.method !== "GET" && request.method !== "HEAD") return new Response("405 method not allowed\n", { status: 405 });
  return asset(url.pathname.slice(ROOT.length), webRoot, request.headers.get("accept-encoding") ?? "");
}

/** Everything that a page looks at, over its one stream. */
function watchAll(watches: string[], hub: Hub): Parameters<typeof eventStream>[0] {
  if (watches.length > MAX_WATCHES) throw new ApiProblem(400, `a page may watch ${MAX_WATCHES} answers at most`);
  return (send) => {
    const ends = watches.map((watch) => {
      const end = hub.watch(watch, ({ event, data }) => send(event, data));
      if (!end) send("problem", { watch, message: `nothing to watch at ${watch}` });
      return end;
    });
    return () => ends.forEach((end) => end?.());
  };
}
