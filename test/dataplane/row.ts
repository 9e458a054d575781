import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** What the rows of this folder are made of: plain data that both proxies are given, and what is done to them. */

/** One row: a listener of its own, the clusters that only it needs, and calls, one after the other. */
export interface Row {
  /** Unique among all rows; it names the listener and the lines of the access log. */
  readonly name: string;
  /** An envoy.config.listener.v3.Listener without name and address, in Envoy's own spelling. */
  readonly listener: JsonObject;
  readonly clusters?: readonly JsonObject[];
  readonly calls: readonly Call[];
  /** Only what this list of bodies holds is compared, in any order: for choices that are made by chance. */
  readonly anyOrder?: boolean;
  /** Left out where the machine has no IPv6. */
  readonly ipv6?: boolean;
  /** Not at the same time as other rows: it measures time or fills something up. */
  readonly alone?: boolean;
}

export interface Group {
  readonly name: string;
  readonly rows: readonly Row[];
}

/** One connection to the row's listener, and what is sent over it. */
export interface Call {
  /** The client's address; 127.0.0.1 by default. */
  readonly from?: string;
  /** To one of the rig's ports on ::1, where the row's listener listens too; to the row's own address by default. */
  readonly toIpv6?: string;
  /** Sent before everything else, TLS included: a PROXY header. `hex:` for binary. */
  readonly preamble?: string;
  readonly tls?: TlsCall;
  /** Exactly one of these three. */
  readonly http?: HttpRequest | readonly HttpRequest[];
  readonly h2?: H2Request | readonly H2Request[];
  readonly raw?: readonly Step[];
  /** Milliseconds before this call begins. */
  readonly after?: number;
  /** So many times, one after the other. */
  readonly repeat?: number;
}

export interface TlsCall {
  readonly sni?: string;
  readonly alpn?: readonly string[];
  /** Which of the rig's certificates the client shows; none by default. */
  readonly cert?: "client" | "other-client" | "dns-client" | "stranger" | "expired";
  readonly maxVersion?: "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
}

export interface HttpRequest {
  readonly method?: string;
  readonly path?: string;
  /** Default `row.test`. */
  readonly host?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  /** Body in chunks instead of with a length; and what follows it. */
  readonly chunks?: readonly string[];
  readonly trailers?: readonly (readonly [string, string])[];
  /** What the backend shall do, one entry an attempt; the last counts for all that follow. */
  readonly want?: Want | readonly Want[];
}

export interface H2Request extends HttpRequest {
  readonly scheme?: string;
  /** The client resets its stream after so many milliseconds. */
  readonly cancelAfter?: number;
  /** Milliseconds between head and body. */
  readonly bodyAfter?: number;
}

/** A step of a connection that is written byte by byte. */
export type Step =
  | { readonly send: string }
  /** Reads so many whole responses. */
  | { readonly responses: number }
  /** Reads until this text has come, or the peer is quiet. */
  | { readonly text: string }
  | { readonly wait: number }
  | { readonly halfClose: true }
  | { readonly reset: true }
  /** Reads until the end, or until nothing has come for a while. */
  | { readonly rest: true };

/** How a backend answers. */
export interface Want {
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  /** Milliseconds before the head, and between head and body. */
  readonly delay?: number;
  readonly bodyDelay?: number;
  readonly chunks?: readonly string[];
  readonly trailers?: readonly (readonly [string, string])[];
  /** 1xx before the answer. */
  readonly informational?: readonly number[];
  /** The connection's end instead of (part of) an answer. */
  readonly end?: "before" | "reset-before" | "in-head" | "in-body" | "reset-in-body" | "after";
  /** The body is what came as a shadow with this value of x-key. */
  readonly recall?: string;
  /** These bytes instead of an answer. */
  readonly raw?: string;
  /** HTTP/2: resets the stream with this code instead of answering. */
  readonly rst?: number;
  /** Headers of the answer in Envoy's way; no body at all and the stream ended. */
  readonly headersOnly?: boolean;
}

const TYPE = "type.googleapis.com/";

export function typed(type: string, config: JsonObject = {}): JsonObject {
  return { "@type": TYPE + type, ...config };
}

/** A port of the rig's by name, as a number once the rig stands: see `resolve`. */
export const port = (name: string): string => `{port:${name}}`;
/** The path of one of the rig's files. */
export const file = (name: string): string => `{file:${name}}`;

export function address(name: string): JsonObject {
  return { socket_address: { address: "127.0.0.1", port_value: port(name) } };
}

export function endpoint(name: string, more: JsonObject = {}): JsonObject {
  return { endpoint: { address: address(name) }, ...more };
}

/** A STATIC cluster of backends by name. */
export function cluster(name: string, backends: readonly string[], more: JsonObject = {}): JsonObject {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: backends.map((each) => endpoint(each)) }] },
    ...more,
  };
}

/** HTTP/2 to the backends of a cluster. */
export const http2Upstream: JsonObject = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      explicit_http_config: { http2_protocol_options: {} },
    }),
  },
};

export const ROUTER: JsonObject = { name: "envoy.filters.http.router", typed_config: typed("envoy.extensions.filters.http.router.v3.Router") };

export function route(match: JsonObject, action: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return { match, route: { cluster: "echo", ...action }, ...more };
}

export function direct(match: JsonObject, body: string, more: JsonObject = {}, status = 200): JsonObject {
  return { match, direct_response: { status, body: { inline_string: body } }, ...more };
}

/** Everything that does not differ from run to run. */
export const LOG = [
  "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%",
  "%RESPONSE_CODE%",
  "%RESPONSE_FLAGS%",
  "%RESPONSE_CODE_DETAILS%",
  "%CONNECTION_TERMINATION_DETAILS%",
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%"',
  "rx=%BYTES_RECEIVED%",
  "tx=%BYTES_SENT%",
  '"%REQ(:AUTHORITY)%"',
  "up=%UPSTREAM_HOST%",
  "%UPSTREAM_CLUSTER%",
  "sni=%REQUESTED_SERVER_NAME%",
  "route=%ROUTE_NAME%",
  "tries=%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
].join(" ");

export function fileLog(format = LOG, kind = "log"): JsonObject {
  return {
    name: "envoy.access_loggers.file",
    typed_config: typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", {
      path: file("access.log"),
      log_format: { text_format_source: { inline_string: `{row}\t${kind}\t${format}\n` } },
    }),
  };
}

export interface HttpOptions {
  readonly routes?: readonly JsonObject[];
  readonly virtualHosts?: readonly JsonObject[];
  /** More of the RouteConfiguration. */
  readonly routeConfig?: JsonObject;
  readonly filters?: readonly JsonObject[];
  /** Fields of the HttpConnectionManager. */
  readonly hcm?: JsonObject;
  /** Fields of the filter chain, such as transport_socket. */
  readonly chain?: JsonObject;
  readonly listener?: JsonObject;
  /** Network filters before the connection manager. */
  readonly before?: readonly JsonObject[];
  readonly log?: string;
}

/** The network filter of an HTTP connection manager. */
export function hcm(options: HttpOptions): JsonObject {
  const { routes = [route({ prefix: "/" })], virtualHosts, routeConfig, filters = [], log } = options;
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", {
      stat_prefix: "http",
      access_log: [fileLog(log)],
      route_config: { name: "routes", virtual_hosts: [...(virtualHosts ?? [{ name: "all", domains: ["*"], routes: [...routes] }])], ...routeConfig },
      http_filters: [...filters, ROUTER],
      ...options.hcm,
    }),
  };
}

export function http(options: HttpOptions = {}): JsonObject {
  return { filter_chains: [{ filters: [...(options.before ?? []), hcm(options)], ...options.chain }], ...options.listener };
}

export function tcpProxy(clusterName: string, more: JsonObject = {}): JsonObject {
  return {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", {
      stat_prefix: "tcp",
      cluster: clusterName,
      access_log: [fileLog(LOG, "tcp")],
      ...more,
    }),
  };
}

export function tcp(clusterName: string, before: readonly JsonObject[] = [], more: JsonObject = {}, listener: JsonObject = {}): JsonObject {
  return { filter_chains: [{ filters: [...before, tcpProxy(clusterName, more)] }], ...listener };
}

/** A listener's own log counts bytes on the wire, which durations in headers change. */
export const listenerLog: JsonObject = { access_log: [fileLog(LOG.replace("rx=%BYTES_RECEIVED% tx=%BYTES_SENT% ", ""), "listener")] };

export function httpFilter(name: string, config: JsonObject): JsonObject {
  return { name, typed_config: config };
}

/** A row with one call. */
export function row(name: string, listener: JsonObject, call: Call | readonly Call[], more: Partial<Row> = {}): Row {
  return { name, listener, calls: Array.isArray(call) ? (call as readonly Call[]) : [call as Call], ...more };
}

/** The call that most rows make. */
export function get(path = "/", headers: readonly (readonly [string, string])[] = [], more: HttpRequest = {}): Call {
  return { http: { path, headers, ...more } };
}

/** Bytes as they are, and all that comes back. */
export function raw(...sends: string[]): Call {
  return { raw: [...sends.map((send) => ({ send })), { rest: true }] };
}

export type Json = JsonValue;
