import { errorText, type Logger } from "../../base/index.ts";
import { VERSION_LINE, type DebugAccess, type DebugPages, type MetricsRegistry } from "../debug/index.ts";
import { InjectionError, parseReview, reviewOf, type AdmissionAnswer, type AdmissionRequest } from "../injection/index.ts";
import type { BoundServer } from "./grpc-server.ts";
import type { ServingCertificate, ServingMaterial } from "./serving-certificate.ts";

export interface MonitoringOptions {
  metrics: MetricsRegistry;
  pages: DebugPages;
  access: DebugAccess;
  /** Whether configuration can be served. */
  ready(): boolean;
  log: Logger;
}

export interface WebhookOptions {
  serving: ServingCertificate;
  inject(request: AdmissionRequest, path: string): AdmissionAnswer;
  validate(request: AdmissionRequest): AdmissionAnswer;
  log: Logger;
}

/** An object of the API is at most 1.5 MB, an UPDATE carries two. */
const MAX_REVIEW_BYTES = 4 * 1024 * 1024;

/** 15014: metrics, version and debug pages. */
export function serveMonitoring(options: MonitoringOptions, address: { hostname: string; port: number }): BoundServer {
  return serveHttp(address, options.log, (request, remote) => {
    const path = pathOf(request);
    if (path === "/metrics")
      return new Response(options.metrics.render(), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores" } });
    if (path === "/version") return text(200, VERSION_LINE);
    return debugResponse(options, request, remote);
  });
}

/** 8080: readiness and debug pages. */
export function serveReadiness(options: MonitoringOptions, address: { hostname: string; port: number }): BoundServer {
  return serveHttp(address, options.log, (request, remote) => {
    if (pathOf(request) === "/ready") return options.ready() ? new Response(null, { status: 200 }) : text(503, "not ready\n");
    return debugResponse(options, request, remote);
  });
}

/** 15017: the webhooks, over TLS with the mesh's own certificate, which renews without losing a request. */
export function serveWebhooks(options: WebhookOptions, address: { hostname: string; port: number }): BoundServer {
  const { serving, log } = options;
  const listen = (material: ServingMaterial, port: number): Bun.Server<undefined> =>
    Bun.serve({
      hostname: address.hostname,
      port,
      // Bun cannot exchange the certificate of a server that runs: the next one listens beside it before it stops.
      reusePort: true,
      development: false,
      maxRequestBodySize: MAX_REVIEW_BYTES,
      tls: { cert: material.chainPem, key: material.keyPem },
      fetch: (request) => reviewResponse(options, request),
      error: (thrown) => {
        log.error("webhook failed", { error: errorText(thrown) });
        return text(500, "internal error\n");
      },
    });
  let server = listen(serving.current(), address.port);
  const unsubscribe = serving.onChange((material) => {
    const old = server;
    server = listen(material, portOf(old));
    void old.stop();
  });
  return {
    port: portOf(server),
    async stop() {
      unsubscribe();
      await server.stop();
    },
  };
}

async function reviewResponse(options: WebhookOptions, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const handler = /^\/inject(\/|$)/.test(pathname) ? options.inject : /^\/validate(\/|$)/.test(pathname) ? options.validate : undefined;
  if (!handler) return text(404, "404 page not found\n");
  if (request.method !== "POST") return text(405, "a webhook is called by POST\n");
  if (!(request.headers.get("content-type") ?? "").startsWith("application/json")) return text(415, "invalid Content-Type, want `application/json`\n");
  let review: AdmissionRequest;
  try {
    review = parseReview(await request.json());
  } catch (thrown) {
    const message = thrown instanceof InjectionError ? thrown.message : "the body is not JSON";
    options.log.warn("a webhook was called with what is no AdmissionReview", { error: errorText(thrown) });
    return text(400, `${message}\n`);
  }
  return Response.json(reviewOf(review.uid, handler(review, pathname)));
}

async function debugResponse({ pages, access }: MonitoringOptions, request: Request, remoteAddress: string): Promise<Response> {
  const url = new URL(request.url);
  const path = pathOf(request);
  const name = /^\/debug(?:\/([^/]*))?\/?$/.exec(path)?.[1] ?? (/^\/debug\/?$/.test(path) ? "" : undefined);
  if (name === undefined) return text(404, "404 page not found\n");
  const refusal = await access({ page: name, query: url.searchParams, remoteAddress, authorization: request.headers.get("authorization") ?? undefined });
  if (refusal) return text(refusal.status, refusal.text);
  const page = await pages.page(name, url.searchParams);
  return new Response(page.body, { status: page.status, headers: { "content-type": page.contentType } });
}

/** istioctl asks for `//version`: a doubled slash counts as one, as in Istio. */
const pathOf = (request: Request): string => new URL(request.url).pathname.replace(/\/{2,}/g, "/");

function serveHttp(
  address: { hostname: string; port: number },
  log: Logger,
  handle: (request: Request, remoteAddress: string) => Response | Promise<Response>,
): BoundServer {
  const server = Bun.serve({
    hostname: address.hostname,
    port: address.port,
    // Bun's own page for errors shows source code.
    development: false,
    fetch: (request, self) => handle(request, self.requestIP(request)?.address ?? ""),
    error: (thrown) => {
      log.error("could not answer a request", { error: errorText(thrown) });
      return text(500, "internal error\n");
    },
  });
  return { port: portOf(server), stop: () => server.stop() };
}

function portOf(server: Bun.Server<undefined>): number {
  if (server.port === undefined) throw new Error("the server listens on no TCP port");
  return server.port;
}

const text = (status: number, body: string): Response => new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
