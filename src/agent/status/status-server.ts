import { errorText, type Logger } from "../../base/index.ts";
import { connectResult, closeFd } from "../../linux/index.ts";
import { connectToApp, type AppProbe } from "./app-probes.ts";
import { httpGet } from "./http-get.ts";

export interface AppMetrics {
  readonly port: number;
  readonly path: string;
}

export interface Readiness {
  readonly ready: boolean;
  /** What a probe's failure event shows. */
  readonly reason: string;
}

export interface StatusServerDeps {
  readonly ready: () => Readiness | Promise<Readiness>;
  readonly proxyMetrics: () => string | Promise<string>;
  readonly agentMetrics: () => string;
  readonly appMetrics: AppMetrics | undefined;
  readonly probes: ReadonlyMap<string, AppProbe>;
  /** The pod's address: where the application's probes go. */
  readonly podIp: string;
  readonly drain: () => void;
  readonly quit: () => void;
  readonly log: Logger;
}

/** The agent's port: readiness, probes of the application, metrics of everything in the pod, drain and quit. */
export function serveStatus(address: { hostname: string; port: number }, deps: StatusServerDeps): { port: number; stop: () => void } {
  const server = Bun.serve({
    hostname: address.hostname,
    port: address.port,
    async fetch(request, self) {
      const { pathname } = new URL(request.url);
      const peer = self.requestIP(request)?.address ?? "";
      try {
        return await answer(pathname, request, LOOPBACK.has(peer), deps);
      } catch (error) {
        deps.log.error("status page failed", { path: pathname, error: errorText(error) });
        return new Response(`${errorText(error)}\n`, { status: 500 });
      }
    },
  });
  return { port: server.port ?? address.port, stop: () => void server.stop(true) };
}

const LOOPBACK = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);

async function answer(path: string, request: Request, local: boolean, deps: StatusServerDeps): Promise<Response> {
  switch (path) {
    case "/healthz/ready": {
      const { ready, reason } = await deps.ready();
      return ready ? new Response(null, { status: 200 }) : new Response(reason, { status: 503 });
    }
    case "/stats/prometheus":
      return mergedMetrics(deps);
    case "/quitquitquit":
    case "/drain": {
      if (!local) return new Response("Only requests from localhost are allowed", { status: 403 });
      if (request.method !== "POST") return new Response("Only POST requests are allowed", { status: 405 });
      if (path === "/drain") deps.drain();
      // After the answer has left.
      else setTimeout(deps.quit, 10);
      return new Response("OK");
    }
    default: {
      const probe = deps.probes.get(path);
      return probe ? runProbe(probe, deps) : new Response("404 page not found\n", { status: 404 });
    }
  }
}

async function runProbe(probe: AppProbe, deps: StatusServerDeps): Promise<Response> {
  try {
    if (probe.kind === "tcp") return await probeTcp(probe, deps.podIp);
    if (probe.kind === "grpc") {
      const { probeGrpc } = await import("./grpc-probe.ts");
      return new Response(null, { status: (await probeGrpc(probe, deps.podIp)) ? 200 : 500 });
    }
    const { status, body, headers } = await httpGet({
      fd: connectToApp(deps.podIp, probe.port),
      https: probe.https,
      host: probe.host ?? `${deps.podIp}:${probe.port}`,
      path: probe.path,
      headers: probe.headers,
      timeoutMs: probe.timeoutMs,
      maxBytes: MAX_PROBE_BYTES,
    });
    const type = headers.get("content-type");
    // A redirect to elsewhere counts as healthy for the kubelet; it would follow one that we pass on.
    return new Response(body, { status: status >= 300 && status < 400 ? 200 : status, ...(type && { headers: { "content-type": type } }) });
  } catch (error) {
    deps.log.debug("application probe failed", { port: probe.port, path: probe.path, error: errorText(error) });
    return new Response(null, { status: 500 });
  }
}

async function probeTcp(probe: AppProbe, podIp: string): Promise<Response> {
  const fd = connectToApp(podIp, probe.port);
  const deadline = performance.now() + probe.timeoutMs;
  try {
    for (;;) {
      const result = connectResult(fd);
      if (result.state === "connected") return new Response(null, { status: 200 });
      if (result.state === "failed" || performance.now() > deadline) return new Response(null, { status: 500 });
      await Bun.sleep(5);
    }
  } finally {
    closeFd(fd);
  }
}

/** The proxy's, the agent's and the application's metrics in one answer; the application's may be missing, ours not. */
async function mergedMetrics(deps: StatusServerDeps): Promise<Response> {
  let app = "";
  if (deps.appMetrics) {
    const { port, path } = deps.appMetrics;
    try {
      const { status, body } = await httpGet({
        fd: connectToApp(deps.podIp, port),
        https: false,
        host: `${deps.podIp}:${port}`,
        path,
        headers: [],
        timeoutMs: APP_METRICS_TIMEOUT_MS,
        maxBytes: MAX_METRICS_BYTES,
      });
      if (status === 200) app = body.endsWith("\n") ? body : `${body}\n`;
      else deps.log.warn("the application's metrics answered with an error", { port, path, status });
    } catch (error) {
      deps.log.warn("the application's metrics could not be read", { port, path, error: errorText(error) });
    }
  }
  return new Response(deps.agentMetrics() + (await deps.proxyMetrics()) + app, { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
}

/** The kubelet reads 10 KB of a probe's answer. */
const MAX_PROBE_BYTES = 64 * 1024;
/** A large application has some 10,000 series of 100 bytes. */
const MAX_METRICS_BYTES = 16 << 20;
/** Below the usual scrape timeout of 10 s, so that the proxy's own metrics still arrive. */
const APP_METRICS_TIMEOUT_MS = 5_000;
