import type * as Cel from "@marcbachmann/cel-js";
import { InvalidResource } from "../types.ts";
import { pathWithoutQuery } from "../router/route-match.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { StreamInfo } from "./stream-info.ts";

/**
 * An access-log filter in CEL over Envoy's attributes (envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes).
 * What cannot be evaluated for a request, such as an attribute that it does not have, filters it out, as in Envoy.
 * Throws InvalidResource for an expression that does not parse.
 */
export function compileCelFilter(expression: string): (info: StreamInfo) => boolean {
  const evaluate = compileCel(expression);
  return (info) => evaluate(info) === true;
}

/** The value of an expression as text, for a log's line; undefined when it has none. Throws InvalidResource. */
export function compileCelText(expression: string): (info: StreamInfo) => string | undefined {
  const evaluate = compileCel(expression);
  return (info) => {
    const value = evaluate(info);
    if (value === undefined || value === null) return undefined;
    return value instanceof Date
      ? value.toISOString()
      : typeof value === "object"
        ? JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? Number(each) : each))
        : String(value);
  };
}

function compileCel(expression: string): (info: StreamInfo) => unknown {
  // Few proxies have such a filter: the library is loaded with the first one.
  const { Environment } = require("@marcbachmann/cel-js") as typeof Cel;
  const environment = new Environment({ unlistedVariablesAreDyn: true });
  let program: (attributes: Record<string, unknown>) => unknown;
  try {
    program = environment.parse(expression) as unknown as typeof program;
  } catch (cause) {
    throw new InvalidResource(
      "INVALID_CEL",
      `Unable to parse CEL expression ${JSON.stringify(expression)}: ${cause instanceof Error ? cause.message.split("\n", 1)[0] : ""}`,
      { cause },
    );
  }
  const Duration = (environment.parse("duration('1s')")({}) as object).constructor as new (seconds: number, nanos: number) => object;
  return (info) => {
    try {
      return program(attributes(info, (ms) => new Duration(Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6))));
    } catch {
      // As Envoy: what cannot be evaluated, such as an attribute that there is none of, has no value.
      return undefined;
    }
  };
}

function attributes(info: StreamInfo, duration: (ms: number) => object): Record<string, unknown> {
  const { request, downstream } = info;
  const headers = request?.headers;
  const local = downstream.tls?.localUriSans[0];
  const peer = downstream.tls?.peer;
  return {
    request: {
      ...(request
        ? {
            path: request.path,
            url_path: pathWithoutQuery(request.path),
            query: request.path.split("?", 2)[1] ?? "",
            host: request.authority,
            scheme: request.scheme,
            method: request.method,
            headers: { ":method": request.method, ":path": request.path, ":authority": request.authority, ":scheme": request.scheme, ...plain(headers) },
          }
        : {}),
      ...present("referer", headers?.get("referer")),
      ...present("useragent", headers?.get("user-agent")),
      ...present("id", headers?.get("x-request-id")),
      ...present("protocol", info.protocol),
      time: new Date(info.startTime),
      duration: duration(info.durationMs),
      size: BigInt(info.bytesReceived),
      total_size: BigInt(info.bytesReceived + info.requestHeadBytes),
    },
    response: {
      code: BigInt(info.responseStatus),
      ...present("code_details", info.details === "" ? undefined : info.details),
      headers: plain(info.responseHeaders),
      trailers: plain(info.responseTrailers),
      ...grpcStatus(info),
      size: BigInt(info.bytesSent),
      total_size: BigInt(info.bytesSent + info.responseHeadBytes),
    },
    connection: {
      id: BigInt(downstream.id),
      mtls: peer !== undefined,
      requested_server_name: downstream.serverName,
      ...present("tls_version", downstream.tls?.version),
      ...present("uri_san_local_certificate", local),
      ...present("uri_san_peer_certificate", peer?.uriSans[0]),
      ...present("dns_san_peer_certificate", peer?.dnsSans[0]),
      ...present("subject_peer_certificate", peer?.subject),
      ...present("sha256_peer_certificate_digest", peer?.sha256),
      ...present("termination_details", info.terminationDetails === "" ? undefined : info.terminationDetails),
    },
    source: { address: info.remoteText, port: BigInt(downstream.remote.port) },
    destination: { address: downstream.localText, port: BigInt(downstream.local.port) },
    upstream: {
      ...present("address", info.upstreamHost?.text),
      ...present("local_address", info.upstreamLocal === "" ? undefined : info.upstreamLocal),
      ...present("uri_san_peer_certificate", info.upstreamPeerUri === "" ? undefined : info.upstreamPeerUri),
      ...present("transport_failure_reason", info.upstreamFailure === "" ? undefined : info.upstreamFailure),
      request_attempt_count: BigInt(info.attempts),
    },
    metadata: { filter_metadata: Object.fromEntries(info.dynamicMetadata ?? []) },
    filter_state: {},
    xds: {
      ...present("cluster_name", info.upstreamCluster?.name),
      ...(info.upstreamCluster ? { cluster_metadata: { filter_metadata: info.upstreamCluster.metadata } } : {}),
      ...(info.upstreamHost ? { upstream_host_metadata: { filter_metadata: info.upstreamHost.metadata } } : {}),
      route_name: info.routeName,
      virtual_host_name: info.virtualHostName,
    },
  };
}

function present(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}

function plain(headers: HeaderMap | undefined): Record<string, string> {
  return Object.fromEntries(headers ?? []);
}

function grpcStatus(info: StreamInfo): Record<string, bigint> {
  const status = info.responseTrailers?.get("grpc-status") ?? info.responseHeaders?.get("grpc-status");
  return status !== undefined && /^\d{1,3}$/.test(status) ? { grpc_status: BigInt(status) } : {};
}
