import { KUBERNETES_VERSION } from "../../../base/index.ts";
import type { Discovery, Document } from "../discovery/documents.ts";
import { encodeSwagger } from "../discovery/openapi-v2-protobuf.ts";
import type { OpenApi } from "../discovery/openapi.ts";
import { type ApiRequest, type ApiResponse, JSON_TYPE } from "./exchange.ts";
import { health, type HealthChecks } from "./health.ts";
import { parseAccept } from "./negotiate.ts";
import { respondText } from "./respond.ts";
import { methodNotAllowed } from "./status.ts";

export interface NonResourceParts {
  discovery: Discovery;
  openApi: OpenApi;
  /** OpenID discovery documents by path, for those who check service-account tokens themselves. */
  openId(path: string): string | undefined;
  health: HealthChecks;
  /** Prometheus' text format. */
  metrics(): string;
}

/** What hashes promise: a document under its hash never changes. */
const IMMUTABLE_SECONDS = 365 * 24 * 3600;
const AGGREGATED = "APIGroupDiscoveryList";

/** Everything that is no resource: discovery, OpenAPI, health, version. */
export function nonResource(parts: NonResourceParts, request: ApiRequest): ApiResponse | undefined {
  const path = request.path.length > 1 ? request.path.replace(/\/$/, "") : request.path;
  const answer = route(parts, request, path);
  if (answer && request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed();
  return answer;
}

function route(parts: NonResourceParts, request: ApiRequest, path: string): ApiResponse | undefined {
  if (path === "/version") return json(JSON.stringify(versionInfo(), null, 2));
  const healthy = health(parts.health, request, path);
  if (healthy) return healthy;
  if (path === "/metrics") return respondText(200, parts.metrics(), "text/plain; version=0.0.4; charset=utf-8");
  if (path === "/api" || path === "/apis") return discovery(parts.discovery, request, path);
  if (path.startsWith("/api/") || path.startsWith("/apis/")) {
    const document = parts.discovery.legacy(path);
    return document && json(document.body);
  }
  if (path === "/openapi/v2") return swagger(parts.openApi, request);
  if (path === "/openapi/v3") return openApiIndex(parts.openApi, request);
  if (path.startsWith("/openapi/v3/")) return openApiDocument(parts.openApi, request, path.slice("/openapi/v3/".length));
  if (path === "/")
    return json(
      JSON.stringify({ paths: ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"] }, null, 2),
    );
  const openId = parts.openId(path);
  return openId === undefined ? undefined : json(openId);
}

function versionInfo(): Record<string, string> {
  const { major, minor, gitVersion } = KUBERNETES_VERSION;
  return {
    major,
    minor,
    gitVersion,
    gitCommit: "0".repeat(40),
    gitTreeState: "clean",
    buildDate: "2025-05-15T00:00:00Z",
    goVersion: "go1.24.2",
    compiler: "gc",
    platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
}

function discovery(documents: Discovery, request: ApiRequest, path: string): ApiResponse {
  const wanted = parseAccept(request.header("accept") ?? "*/*").find(({ type, params }) => {
    if (params.get("as") !== AGGREGATED) return type === JSON_TYPE || type === "*/*" || type === "application/*";
    return params.get("g") === "apidiscovery.k8s.io" && (params.get("v") === "v2" || params.get("v") === "v2beta1");
  });
  if (wanted?.params.get("as") !== AGGREGATED) {
    const document = documents.legacy(path);
    return { ...json(document?.body ?? "{}"), headers: { "content-type": JSON_TYPE, "cache-control": "no-cache, private", vary: "Accept" } };
  }
  const version = wanted.params.get("v");
  const document = documents.aggregated(path === "/api");
  const headers = { etag: `"${document.etag}"`, vary: "Accept", "cache-control": "public" };
  if (notModified(request, document)) return { status: 304, headers };
  const body = version === "v2" ? document.body : document.body.replace('"apidiscovery.k8s.io/v2"', '"apidiscovery.k8s.io/v2beta1"');
  return { status: 200, headers: { ...headers, "content-type": `${JSON_TYPE};g=apidiscovery.k8s.io;v=${version};as=${AGGREGATED}` }, body };
}

function notModified(request: ApiRequest, { etag }: Document): boolean {
  return (request.header("if-none-match") ?? "").split(",").some((tag) => tag.trim() === `"${etag}"`);
}

function openApiIndex(openApi: OpenApi, request: ApiRequest): ApiResponse {
  const { body, lastModified } = openApi.index();
  const headers = { "last-modified": new Date(lastModified).toUTCString(), "cache-control": "no-cache, private" };
  const since = Date.parse(request.header("if-modified-since") ?? "");
  if (since >= lastModified) return { status: 304, headers };
  return { status: 200, headers: { ...headers, "content-type": "text/plain; charset=utf-8" }, body };
}

/** Asked for with an @, which no media type may have. */
const SWAGGER_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/** Go clients ask for protobuf, others get JSON. */
function swagger(openApi: OpenApi, request: ApiRequest): ApiResponse {
  const { document, hash } = openApi.swagger();
  const headers = { etag: `"${hash}"`, vary: "Accept", "cache-control": "no-cache, private" };
  if (request.header("if-none-match") === headers.etag) return { status: 304, headers };
  if (!(request.header("accept") ?? "").includes("proto-openapi.spec.v2"))
    return { status: 200, headers: { ...headers, "content-type": JSON_TYPE }, body: JSON.stringify(document()) };
  return { status: 200, headers: { ...headers, "content-type": SWAGGER_PROTOBUF }, body: encodeSwagger(document()) };
}

function openApiDocument(openApi: OpenApi, request: ApiRequest, name: string): ApiResponse | undefined {
  const document = openApi.document(name);
  if (!document) return undefined;
  const etag = `"${document.hash}"`;
  const asked = request.query.get("hash");
  const fresh = asked !== null && asked === document.hash;
  const headers = {
    etag,
    vary: "Accept",
    "cache-control": fresh ? "public, immutable" : "no-cache, private",
    ...(fresh ? { expires: new Date(Date.now() + IMMUTABLE_SECONDS * 1000).toUTCString() } : {}),
  };
  if (asked !== null && !fresh) {
    return { status: 301, headers: { location: `${request.path}?hash=${document.hash}`, "cache-control": "no-cache, private" } };
  }
  if (request.header("if-none-match") === etag) return { status: 304, headers };
  return { status: 200, headers: { ...headers, "content-type": JSON_TYPE }, body: document.body };
}

function json(body: string): ApiResponse {
  return { status: 200, headers: { "content-type": JSON_TYPE }, body };
}
