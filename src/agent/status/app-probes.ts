import { ChainmailError } from "../../base/index.ts";
import { connectMarked } from "../../linux/index.ts";

/** One probe of an application's container as injection took it over: Istio's KubeAppProbers. */
export interface AppProbe {
  readonly kind: "http" | "tcp" | "grpc";
  readonly port: number;
  readonly path: string;
  readonly https: boolean;
  readonly host: string | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly service: string;
  readonly timeoutMs: number;
}

/** Reads ISTIO_KUBE_APP_PROBERS: request path of the agent to the probe. Throws on what is not such a map. */
export function readAppProbes(text: string | undefined): Map<string, AppProbe> {
  const probes = new Map<string, AppProbe>();
  if (!text) return probes;
  const map = record(JSON.parse(text), "the map");
  for (const [path, value] of Object.entries(map)) {
    if (!PROBE_PATH.test(path)) throw invalid(`${path} is not a probe's path`);
    probes.set(path, readProbe(record(value, path), path));
  }
  return probes;
}

const PROBE_PATH = /^\/app-(health\/[^/]+\/(livez|readyz|startupz)|lifecycle\/[^/]+\/(prestopz|poststartz))$/;

function readProbe(probe: Record<string, unknown>, path: string): AppProbe {
  const timeoutMs = (typeof probe.timeoutSeconds === "number" && probe.timeoutSeconds > 0 ? probe.timeoutSeconds : 1) * 1000;
  const base = { path: "/", https: false, host: undefined, headers: [], service: "", timeoutMs };
  if (probe.httpGet !== undefined) {
    const http = record(probe.httpGet, path);
    const headers = Array.isArray(http.httpHeaders) ? http.httpHeaders.map((header) => record(header, path)) : [];
    const host = headers.find(({ name }) => String(name).toLowerCase() === "host");
    const target = typeof http.path === "string" ? http.path : "/";
    return {
      ...base,
      kind: "http",
      port: portNumber(http.port, path),
      path: target.startsWith("/") ? target : `/${target}`,
      https: http.scheme === "HTTPS",
      host: host ? String(host.value) : undefined,
      headers: headers.filter((header) => header !== host).map(({ name, value }) => [String(name), String(value)] as const),
    };
  }
  if (probe.tcpSocket !== undefined) return { ...base, kind: "tcp", port: portNumber(record(probe.tcpSocket, path).port, path) };
  if (probe.grpc !== undefined) {
    const grpc = record(probe.grpc, path);
    return { ...base, kind: "grpc", port: portNumber(grpc.port, path), service: typeof grpc.service === "string" ? grpc.service : "" };
  }
  throw invalid(`${path} has neither httpGet, tcpSocket nor grpc`);
}

/** From this source address the capture rules let connections through to the application, whoever opens them. */
export const PASSTHROUGH_SOURCE = "127.0.0.6";

/** Starts a connection to a port of the application from the address that capture leaves alone. */
export function connectToApp(address: string, port: number): number {
  return connectMarked(address, port, 0, { bindAddress: PASSTHROUGH_SOURCE });
}

function portNumber(value: unknown, path: string): number {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalid(`${path}: port ${String(value)} is not a number`);
  return port;
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${what} is not an object`);
  return value as Record<string, unknown>;
}

function invalid(message: string): ChainmailError {
  return new ChainmailError("APP_PROBES_INVALID", `ISTIO_KUBE_APP_PROBERS: ${message}`);
}
