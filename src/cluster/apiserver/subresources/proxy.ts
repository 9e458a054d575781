import http from "node:http";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { errorText } from "../../../base/index.ts";
import type { KubeObject, Pod, Service } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import type { ApiRequest, ApiResponse } from "../http/exchange.ts";
import { badRequest, notFound, StatusError } from "../http/status.ts";
import type { ResourceCall, SpecialHandler } from "../rest/dispatch.ts";
import type { Dial } from "../types.ts";

interface Place {
  host: string;
  port: number;
}

/** Of one connection; and what must not reach a pod: who the client is to the API server. */
const NOT_FORWARDED = new Set(
  ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"].concat([
    "authorization",
    "content-length",
    "host",
    "http2-settings",
    "impersonate-user",
    "impersonate-group",
    "impersonate-uid",
  ]),
);

/** `pods/[scheme:]name[:port]/proxy/path`: one request to a port of a pod or of what is behind a service, from the node. */
export function proxySubresource(store: Store, dial: Dial, locate: typeof podPlace | typeof servicePlace): SpecialHandler {
  return async ({ request, target }: ResourceCall): Promise<ApiResponse> => {
    const { scheme, name, port } = parseName(target.name);
    const path = proxiedPath(request.path);
    const place = locate(store, target.namespace, name, port, scheme);
    refuseUnproxyable(place.host);
    if (path === undefined) return { status: 301, headers: { location: `${request.path}/${queryOf(request)}` } };
    try {
      return await exchange(request, await connect(dial, place, scheme), place, path + queryOf(request));
    } catch (error) {
      throw new StatusError(503, "ServiceUnavailable", `error trying to reach service: ${errorText(error)}`);
    }
  };
}

/** The pod's address, at the port asked for, its first one, or the scheme's own. Throws 404 and 400. */
export function podPlace(store: Store, namespace: string, name: string, port: string, scheme: string): Place {
  const pod = store.get("/pods", namespace, name)?.object as KubeObject | undefined as Pod | undefined;
  if (!pod) throw notFound({ group: "", plural: "pods", kind: "Pod" }, name);
  const host = pod.status?.podIP;
  if (!host) throw badRequest(`address not allowed: pod ${name} has no address`);
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  if (port === "") return { host, port: ports[0]?.containerPort ?? (scheme === "https" ? 443 : 80) };
  const number = portNumber(port) ?? ports.find((one) => one.name === port)?.containerPort;
  if (number === undefined) throw badRequest(`invalid pod request "${name}:${port}"`);
  return { host, port: number };
}

interface Slice extends KubeObject {
  endpoints?: { addresses?: string[]; conditions?: { ready?: boolean } }[];
  ports?: { name?: string; port?: number; protocol?: string }[];
}

/** A ready endpoint of the service's port. Throws 404, and 503 when there is none. */
export function servicePlace(store: Store, namespace: string, name: string, port: string): Place {
  const service = store.get("/services", namespace, name)?.object as KubeObject | undefined as Service | undefined;
  if (!service) throw notFound({ group: "", plural: "services", kind: "Service" }, name);
  const ports = service.spec?.ports ?? [];
  const number = portNumber(port);
  const wanted =
    port === "" ? (ports.length === 1 ? ports[0] : undefined) : ports.find((one) => (number === undefined ? one.name === port : one.port === number));
  if (!wanted)
    throw new StatusError(
      503,
      "ServiceUnavailable",
      port === ""
        ? `service ${JSON.stringify(name)} has more than one port: name one`
        : `no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`,
    );
  for (const { object } of store.list("discovery.k8s.io/endpointslices", namespace)) {
    if (object.metadata.labels?.["kubernetes.io/service-name"] !== name) continue;
    const slice = object as Slice;
    const at = slice.ports?.find((one) => (one.name ?? "") === (wanted.name ?? "") && (one.protocol ?? "TCP") === "TCP")?.port;
    const host = slice.endpoints?.find(({ conditions, addresses }) => conditions?.ready !== false && addresses?.length)?.addresses?.[0];
    if (at !== undefined && host !== undefined) return { host, port: at };
  }
  throw new StatusError(503, "ServiceUnavailable", `no endpoints available for service ${JSON.stringify(name)}`);
}

function parseName(text: string): { scheme: string; name: string; port: string } {
  const parts = text.split(":");
  if (parts.length === 3 && (parts[0] === "http" || parts[0] === "https" || parts[0] === ""))
    return { scheme: parts[0] || "http", name: parts[1] ?? "", port: parts[2] ?? "" };
  if (parts.length > 2) throw badRequest(`invalid request ${JSON.stringify(text)}: it is [scheme:]name[:port]`);
  return { scheme: "http", name: parts[0] ?? "", port: parts[1] ?? "" };
}

function portNumber(port: string): number | undefined {
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  return number > 0 && number < 65536 ? number : undefined;
}

/** Status is what whoever may write it says: the node's own loopback and link-local services are not to be reached by it. */
function refuseUnproxyable(host: string): void {
  if (/^(127\.|169\.254\.|0\.)/.test(host) || host.includes(":")) throw badRequest("address not allowed");
}

/** As the client wrote it, percent-encoding and all; undefined without even a slash. */
function proxiedPath(path: string): string | undefined {
  const segments = path.split("/");
  const rest = segments.slice(segments[3] === "namespaces" ? 8 : 6);
  return rest.length === 0 ? undefined : `/${rest.join("/")}`;
}

function queryOf({ query }: ApiRequest): string {
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

async function connect(dial: Dial, { host, port }: Place, scheme: string): Promise<Duplex> {
  const raw = await dial(host, port);
  if (scheme !== "https") return raw;
  return new Promise((resolve, reject) => {
    // As Kubernetes does: a pod's certificate names no address, and nothing says which CA would be its own.
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", (error) => {
      raw.destroy();
      reject(error);
    });
  });
}

async function exchange(request: ApiRequest, socket: Duplex, { host, port }: Place, path: string): Promise<ApiResponse> {
  const body = await request.body();
  const headers: Record<string, string> = { host: `${host}:${port}`, ...(body.length > 0 ? { "content-length": String(body.length) } : {}) };
  for (const [name, value] of request.headers())
    if (!name.startsWith(":") && !NOT_FORWARDED.has(name) && !name.startsWith("impersonate-extra-")) headers[name] = value;
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    const sent = http.request({ method: request.method, path, headers, createConnection: () => socket }, (response) => resolve(streamed(response, socket)));
    sent.once("error", reject);
    request.signal.addEventListener("abort", () => sent.destroy(new Error("the client is gone")), { once: true });
    sent.end(body);
  });
}

function streamed(response: http.IncomingMessage, socket: Duplex): ApiResponse {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(response.headers)) if (value !== undefined && !NOT_FORWARDED.has(name)) headers[name] = value;
  return {
    status: response.statusCode ?? 502,
    headers,
    stream: (sink, signal) => {
      const stop = () => socket.destroy();
      signal.addEventListener("abort", stop, { once: true });
      response.on("data", (chunk: Buffer) => {
        if (sink.write(chunk)) return;
        response.pause();
        sink.onDrain(() => response.resume());
      });
      const end = () => {
        signal.removeEventListener("abort", stop);
        stop();
        sink.end();
      };
      response.once("end", end);
      response.once("error", end);
    },
  };
}
