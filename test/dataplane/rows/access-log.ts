import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, direct, file, get, http, row, route, typed, type Call, type Group, type HttpRequest, type Row } from "../row.ts";
import { ca, serverTls } from "./tls.ts";

/** What access logs write: each operator, text and JSON, and the filters that decide. */

const line = (
  name: string,
  format: string,
  call: Call = get("/p?q=1", [
    ["x-a", "abcdef"],
    ["user-agent", "ua"],
  ]),
  more: Parameters<typeof http>[0] = {},
): Row =>
  row(
    `log: ${name}`,
    http({
      routes: [route({ prefix: "/" }, {}, { name: "r1", metadata: { filter_metadata: { m: { k: "v", n: 5, o: { p: true } } } } })],
      log: format,
      ...more,
    }),
    call,
  );
const overTls = (name: string, format: string, cert?: "client" | "dns-client"): Row =>
  row(`log: ${name}`, http({ routes: [direct({ prefix: "/" }, "d")], log: format, chain: { transport_socket: serverTls({ validation_context: ca() }) } }), {
    tls: { sni: "server.test", ...(cert && { cert }), maxVersion: "TLSv1.3" },
    http: {},
  });

const logger = (config: JsonObject, filter?: JsonObject): JsonObject => ({
  name: "file",
  ...(filter && { filter }),
  typed_config: typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", { path: file("access.log"), ...config }),
});
const text = (format: string): JsonObject => ({ log_format: { text_format_source: { inline_string: `{row}\tlog\t${format}\n` } } });
const decided = (name: string, filter: JsonObject, call: Call = get(), routes = [route({ prefix: "/" })]): Row =>
  row(`log filter: ${name}`, http({ routes, hcm: { access_log: [logger(text("logged %RESPONSE_CODE%"), filter)] } }), call);
const want = (request: HttpRequest["want"], headers: readonly (readonly [string, string])[] = []): Call => get("/", headers, { want: request ?? {} });
const status = (op: string, value: number): JsonObject => ({
  status_code_filter: { comparison: { op, value: { default_value: value, runtime_key: "none" } } },
});

/** JSON lines have no room for the row's name in front: they are told by a field. */
const json = (name: string, format: JsonObject, more: JsonObject = {}): Row =>
  row(
    `log JSON: ${name}`,
    http({
      routes: [route({ prefix: "/" }, {}, { name: "r1" })],
      hcm: {
        access_log: [
          logger({ log_format: { text_format_source: { inline_string: "{row}\tjson\t" }, ...more } }),
          logger({ log_format: { json_format: format, ...more } }),
        ],
      },
    }),
    get("/p", [["x-a", "1"]]),
  );

export const accessLog: Group = {
  name: "access log",
  rows: [
    line("request", "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)% %PROTOCOL% %REQ(USER-AGENT)% %REQ(X-NONE)% %REQ(X-NONE?X-A):3%"),
    line("path", "%PATH(NQ:PATH)% %PATH(WQ:ORIG)% %PATH%"),
    line("query", "%QUERY_PARAM(q)% %QUERY_PARAM(none)%"),
    line("an empty query", "%QUERY_PARAMS%|%PATH%", get("/p?")),
    line("gRPC status, not asked as gRPC", "%GRPC_STATUS% %GRPC_STATUS_NUMBER%", get("/", [], { want: { headers: [["grpc-status", "14"]], body: "b" } })),
    line(
      "response",
      "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %RESP(server)% %RESP(X-NONE?CONTENT-LENGTH)% %RESP(x-none)%",
    ),
    line("trailers", "%TRAILER(x-t)%"),
    line("bytes", "%BYTES_RECEIVED% %BYTES_SENT%", get("/", [], { method: "POST", body: "hello" })),
    line(
      "upstream",
      "%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW% %UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %UPSTREAM_PROTOCOL% %UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    ),
    line("upstream failure", "%UPSTREAM_TRANSPORT_FAILURE_REASON% %UPSTREAM_HOST% %UPSTREAM_LOCAL_ADDRESS%", get(), {
      routes: [route({ prefix: "/" }, { cluster: "closed" })],
    }),
    line(
      "downstream",
      "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    ),
    line(
      "downstream behind another proxy",
      "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %REQ(X-FORWARDED-FOR)%",
      get("/", [["x-forwarded-for", "1.2.3.4"]]),
    ),
    line("names", "%ROUTE_NAME% %VIRTUAL_CLUSTER_NAME% %REQUESTED_SERVER_NAME% %FILTER_CHAIN_NAME% %HOSTNAME%", get(), { chain: { name: "chain-1" } }),
    line("start time, formats", "%START_TIME(%Y-%m)%"),
    line("start time, default", "%START_TIME%"),
    line("metadata of the route", "%METADATA(ROUTE:m:k)% %METADATA(ROUTE:m:n)% %METADATA(ROUTE:m:o)% %METADATA(ROUTE:m:none)%"),
    line("dynamic metadata that is not there", "%DYNAMIC_METADATA(a)% %DYNAMIC_METADATA(a:b)%"),
    line("metadata of the cluster", "%CLUSTER_METADATA(m:k)% %METADATA(CLUSTER:m:k)%"),
    line("environment", "%ENVIRONMENT(CHAINMAIL_NO_SUCH_VARIABLE)%"),
    line("percent and text", "100%% of %RESPONSE_CODE%"),
    line("cut", "%REQ(X-A):2% %RESP(server):3%"),
    line("size of the head", "%REQUEST_HEADERS_BYTES% %RESPONSE_HEADERS_BYTES%", get(), { routes: [direct({ prefix: "/" }, "d")] }),
    line("attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT% %RESPONSE_FLAGS%", get("/", [], { want: [{ status: 503, body: "" }, { body: "ok" }] }), {
      routes: [route({ prefix: "/" }, { retry_policy: { retry_on: "5xx", retry_back_off: { base_interval: "0.005s" } } })],
    }),
    line("flags in words", "%RESPONSE_FLAGS_LONG% %RESPONSE_FLAGS%", get(), { routes: [direct({ path: "/x" }, "x")] }),
    line("several flags in words", "%RESPONSE_FLAGS_LONG% %RESPONSE_FLAGS%", get(), {
      routes: [route({ prefix: "/" }, { cluster: "closed", retry_policy: { retry_on: "connect-failure", retry_back_off: { base_interval: "0.005s" } } })],
    }),
    line("stream", "%STREAM_ID%"),
    line(
      "what is never lost",
      "%BYTES_RETRANSMITTED% %PACKETS_RETRANSMITTED% <%CUSTOM_FLAGS%> %DOWNSTREAM_DETECTED_CLOSE_TYPE% %UPSTREAM_DETECTED_CLOSE_TYPE% <%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%>",
    ),
    line("what is never lost, without an upstream", "%DOWNSTREAM_DETECTED_CLOSE_TYPE% %UPSTREAM_DETECTED_CLOSE_TYPE%", get(), {
      routes: [direct({ prefix: "/" }, "d")],
    }),
    line("where the connection came in", "%DOWNSTREAM_DIRECT_LOCAL_ADDRESS% %DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT%"),
    line(
      "hosts that were tried",
      "%UPSTREAM_HOSTS_ATTEMPTED% %UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT% %UPSTREAM_HOST_NAMES_ATTEMPTED% %UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT%",
      get("/", [], { want: [{ status: 503, body: "" }, { body: "ok" }] }),
      { routes: [route({ prefix: "/" }, { retry_policy: { retry_on: "5xx", retry_back_off: { base_interval: "0.005s" } } })] },
    ),
    line("hosts that were tried, none", "%UPSTREAM_HOSTS_ATTEMPTED% %UPSTREAM_HOST_NAMES_ATTEMPTED%", get(), { routes: [direct({ prefix: "/" }, "d")] }),
    line("hosts that were tried, in vain", "%UPSTREAM_HOSTS_ATTEMPTED% %UPSTREAM_HOST%", get(), { routes: [route({ prefix: "/" }, { cluster: "closed" })] }),
    overTls(
      "TLS",
      "%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_DNS_SAN% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_ISSUER% %DOWNSTREAM_LOCAL_URI_SAN%",
      "client",
    ),
    overTls("TLS, fingerprints", "%DOWNSTREAM_PEER_FINGERPRINT_256%", "client"),
    overTls(
      "TLS without a certificate",
      "%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_PEER_SERIAL%",
    ),
    decided("status at least", status("GE", 500), want({ status: 503, body: "" })),
    decided("status at least, below", status("GE", 500)),
    decided("status equal", status("EQ", 200)),
    decided("status at most", status("LE", 200), want({ status: 404, body: "" })),
    decided("duration", { duration_filter: { comparison: { op: "GE", value: { default_value: 100, runtime_key: "none" } } } }, want({ delay: 150, body: "" })),
    decided("duration, shorter", { duration_filter: { comparison: { op: "GE", value: { default_value: 5000, runtime_key: "none" } } } }),
    decided("header", { header_filter: { header: { name: "x-log", string_match: { exact: "1" } } } }, get("/", [["x-log", "1"]])),
    decided("header, missing", { header_filter: { header: { name: "x-log", string_match: { exact: "1" } } } }),
    decided("flag", { response_flag_filter: { flags: ["UH", "UF"] } }, get(), [route({ prefix: "/" }, { cluster: "empty" })]),
    decided("flag, another", { response_flag_filter: { flags: ["UF"] } }, get(), [route({ prefix: "/" }, { cluster: "empty" })]),
    decided("any flag", { response_flag_filter: {} }, get(), [route({ prefix: "/" }, { cluster: "empty" })]),
    decided(
      "and",
      { and_filter: { filters: [status("GE", 500), { header_filter: { header: { name: "x-log", present_match: true } } }] } },
      want({ status: 503, body: "" }),
    ),
    decided(
      "or",
      { or_filter: { filters: [status("GE", 500), { header_filter: { header: { name: "x-log", present_match: true } } }] } },
      want({ status: 503, body: "" }),
    ),
    decided("no health checks", { not_health_check_filter: {} }),
    decided(
      "gRPC status",
      { grpc_status_filter: { statuses: ["OK"] } },
      get("/", [["content-type", "application/grpc"]], { method: "POST", body: "", want: { body: "", headers: [["grpc-status", "0"]] } }),
    ),
    decided("metadata", {
      metadata_filter: { matcher: { filter: "m", path: [{ key: "k" }], value: { string_match: { exact: "v" } } }, match_if_key_not_found: false },
    }),
    decided(
      "CEL",
      {
        extension_filter: {
          name: "cel",
          typed_config: typed("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", { expression: "response.code >= 400" }),
        },
      },
      want({ status: 404, body: "" }),
    ),
    decided("CEL, not", {
      extension_filter: {
        name: "cel",
        typed_config: typed("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", { expression: "response.code >= 400" }),
      },
    }),
    json("text, numbers, nothing", { code: "%RESPONSE_CODE%", path: "%REQ(:PATH)%", none: "%REQ(X-NONE)%", both: "%RESPONSE_CODE% %PROTOCOL%", fixed: "text" }),
    json("nested", { a: { b: "%ROUTE_NAME%", c: { d: "%REQ(X-A)%" } }, list: ["%RESPONSE_CODE%", "x"] }),
    json("nothing is left out", { none: "%REQ(X-NONE)%", code: "%RESPONSE_CODE%" }, { omit_empty_values: true }),
    row("log: two at once", http({ hcm: { access_log: [logger(text("first")), logger(text("second"))] } }), get()),
    row(
      "log: a cluster's other name",
      http({ routes: [route({ prefix: "/" }, { cluster: "real-name" })], log: "%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%" }),
      get(),
      { clusters: [cluster("real-name", ["echo"], { alt_stat_name: "other_name" })] },
    ),
  ],
};
