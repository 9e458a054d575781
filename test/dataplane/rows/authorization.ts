import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, http, http2Upstream, row, route, tcp, typed, type Call, type Group, type HttpRequest, type Row } from "../row.ts";
import { ca, serverTls } from "./tls.ts";

/** External authorization over gRPC, for requests and for connections. */

const CONFIG = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";
const LOG =
  "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.ext_authz:user)% %DYNAMIC_METADATA(envoy.filters.http.ext_authz:level)%";

interface Options {
  readonly config?: JsonObject;
  readonly call?: HttpRequest;
  readonly want?: string;
  readonly backend?: string;
  readonly http?: Parameters<typeof http>[0];
  readonly tls?: boolean;
}

let authorizers = 0;
function authorized(name: string, { config = {}, call = {}, want, backend = "authz-grpc", http: more = {}, tls }: Options = {}): Row {
  const own = `authz-grpc-${authorizers++}`;
  const filter = {
    name: "envoy.filters.http.ext_authz",
    typed_config: typed(CONFIG, { transport_api_version: "V3", grpc_service: { envoy_grpc: { cluster_name: own }, timeout: "2s" }, ...config }),
  };
  const { headers = [], ...rest } = call;
  const request: HttpRequest = {
    path: "/p?q=1",
    ...rest,
    headers: [["x-a", "1"], ["x-b", "b"], ["x-gone", "gone"], ...(want === undefined ? [] : [["x-authz-want", want] as const]), ...headers],
  };
  const asked: Call = tls ? { tls: { sni: "server.test", cert: "client" }, http: request } : { http: request };
  return row(
    `ext_authz, gRPC: ${name}`,
    http({ filters: [filter], log: LOG, ...(tls && { chain: { transport_socket: serverTls({ validation_context: ca() }) } }), ...more }),
    asked,
    { clusters: [cluster(own, [backend], http2Upstream)] },
  );
}
const perRoute = (config: JsonObject): Parameters<typeof http>[0] => ({
  routes: [
    route(
      { prefix: "/" },
      {},
      { typed_per_filter_config: { "envoy.filters.http.ext_authz": typed("envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", config) } },
    ),
  ],
});
const body = (config: JsonObject): JsonObject => ({ with_request_body: { max_request_bytes: 10, ...config } });
const post = (text: string): HttpRequest => ({ method: "POST", body: text });

function connection(name: string, backend: string, config: JsonObject = {}): Row {
  const own = `authz-tcp-${authorizers++}`;
  const filter = {
    name: "envoy.filters.network.ext_authz",
    typed_config: typed("envoy.extensions.filters.network.ext_authz.v3.ExtAuthz", {
      stat_prefix: "a",
      transport_api_version: "V3",
      grpc_service: { envoy_grpc: { cluster_name: own }, timeout: "1s" },
      ...config,
    }),
  };
  return row(
    `ext_authz, TCP: ${name}`,
    tcp("tcp", [filter]),
    { raw: [{ send: "hello" }, { halfClose: true }, { rest: true }] },
    { clusters: [cluster(own, [backend], http2Upstream)] },
  );
}

export const authorization: Group = {
  name: "authorization",
  rows: [
    authorized("allowed"),
    authorized("headers, metadata", { want: "add" }),
    authorized("headers of the response", {
      want: "add",
      call: {
        want: {
          headers: [
            ["x-r", "app"],
            ["x-s", "app"],
            ["x-from-authz", "app"],
          ],
          body: "b",
        },
      },
    }),
    authorized("denied", { want: "deny" }),
    authorized("denied without a word", { want: "deny without a word" }),
    authorized("denied with a body alone", { want: "deny with a body alone" }),
    authorized("denied, HTTP/2", { want: "deny", call: { method: "GET" } }),
    authorized("the service fails", { want: "fail" }),
    authorized("the service is no gRPC", { want: "no grpc" }),
    authorized("the service fails, but that is allowed", { want: "fail", config: { failure_mode_allow: true } }),
    authorized("the service fails, that is allowed and told", { want: "fail", config: { failure_mode_allow: true, failure_mode_allow_header_add: true } }),
    authorized("the service fails with a status of our own", { want: "fail", config: { status_on_error: { code: "ServiceUnavailable" } } }),
    authorized("the service is too slow", {
      want: "slow",
      config: { grpc_service: { envoy_grpc: { cluster_name: `authz-grpc-${authorizers}` }, timeout: "0.1s" } },
    }),
    authorized("the service is not there", { backend: "closed" }),
    authorized("the body is shown", { want: "deny", config: body({}), call: post("hello") }),
    authorized("the body is shown as bytes", { want: "deny", config: body({ pack_as_bytes: true }), call: post("hello") }),
    authorized("the body is too large", { want: "deny", config: body({}), call: post("hello, world") }),
    authorized("a part of the body is shown", { want: "deny", config: body({ allow_partial_message: true }), call: post("hello, world") }),
    authorized("the body goes on", { config: body({}), call: post("hello") }),
    authorized("only some headers are shown", { want: "deny", config: { allowed_headers: { patterns: [{ exact: "x-authz-want" }, { exact: "x-b" }] } } }),
    authorized("some headers are not shown", { want: "deny", config: { disallowed_headers: { patterns: [{ exact: "x-b" }] } } }),
    authorized("the route's words are shown", { want: "deny", http: perRoute({ check_settings: { context_extensions: { route: "r1" } } }) }),
    authorized("off for this route", { want: "deny", http: perRoute({ disabled: true }) }),
    authorized("the caller's certificate", { want: "deny", tls: true }),
    connection("allowed", "authz-grpc"),
    connection("the service is not there", "closed"),
    connection("the service is not there, but that is allowed", "closed", { failure_mode_allow: true }),
  ],
};
