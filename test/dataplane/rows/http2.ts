import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, direct, get, http, http2Upstream, httpFilter, row, route, typed, type Group, type H2Request, type Row } from "../row.ts";

/** HTTP/2 on either side, bridges between the versions, gRPC. */

let clusters = 0;
function to(
  name: string,
  backend: string,
  call: H2Request | readonly H2Request[],
  more: Parameters<typeof http>[0] = {},
  clusterMore: JsonObject = http2Upstream,
): Row {
  const own = `h2-${clusters++}`;
  return row(name, http({ routes: [route({ prefix: "/" }, { cluster: own })], ...more }), { h2: call }, { clusters: [cluster(own, [backend], clusterMore)] });
}
const fromHttp1 = (name: string, call: Parameters<typeof get>, clusterMore: JsonObject = http2Upstream): Row => {
  const own = `h2-${clusters++}`;
  return row(name, http({ routes: [route({ prefix: "/" }, { cluster: own })] }), get(...call), { clusters: [cluster(own, ["h2"], clusterMore)] });
};
const GRPC: [string, string][] = [
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];
const grpc = (more: H2Request = {}): H2Request => ({ method: "POST", path: "/pkg.Service/Method", headers: GRPC, body: "\0\0\0\0\x02hi", ...more });
const stats = httpFilter("envoy.filters.http.grpc_stats", typed("envoy.extensions.filters.http.grpc_stats.v3.FilterConfig", { emit_filter_state: true }));
const H2_OPTIONS = (options: JsonObject): JsonObject => ({ hcm: { http2_protocol_options: options } });
const plain = http();

export const http2: Group = {
  name: "http2",
  rows: [
    row("HTTP/2 to HTTP/1", plain, { h2: { path: "/a?b", headers: [["x-a", "1"]] } }),
    row("HTTP/2 to HTTP/1: a body", plain, { h2: { method: "POST", body: "hello" } }),
    row("HTTP/2 to HTTP/1: a body with its length", plain, { h2: { method: "POST", body: "hello", headers: [["content-length", "5"]] } }),
    row("HTTP/2 to HTTP/1: a length that is wrong", plain, { h2: { method: "POST", body: "hello", headers: [["content-length", "7"]] } }),
    row("HTTP/2 to HTTP/1: HEAD", plain, { h2: { method: "HEAD" } }),
    row("HTTP/2 to HTTP/1: an error", plain, { h2: { want: { status: 503, body: "no" } } }),
    row("HTTP/2 to HTTP/1: a chunked answer", plain, { h2: { want: { chunks: ["a", "bc"] } } }),
    row("HTTP/2 to HTTP/1: cut off", plain, { h2: { want: { body: "0123456789", end: "in-body" } } }),
    row("HTTP/2 to HTTP/1: closes before the answer", plain, { h2: { want: { end: "before" } } }),
    row("HTTP/2 to HTTP/1: an answer without length that is reset", plain, { h2: { want: { raw: "HTTP/1.1 200 OK\r\n\r\nabc", end: "after" } } }),
    row("HTTP/2 to HTTP/1: cookies", plain, { h2: { headers: [["cookie", "a=1; b=2"]] } }),
    row("HTTP/2 to HTTP/1: cancelled by the client", plain, { h2: { want: { delay: 300, body: "late" }, cancelAfter: 80 } }),
    row("HTTP/2 to HTTP/1: three at once", plain, { h2: [{ path: "/1" }, { path: "/2", want: { delay: 50 } }, { path: "/3", method: "POST", body: "x" }] }),
    row("HTTP/2: no route", http({ routes: [direct({ path: "/x" }, "x")] }), { h2: { path: "/" } }),
    row("HTTP/2: direct response", http({ routes: [direct({ prefix: "/" }, "hello")] }), { h2: { path: "/" } }),
    row("HTTP/2: redirect", http({ routes: [{ match: { prefix: "/" }, redirect: { https_redirect: true } }] }), { h2: { path: "/a" } }),
    row("HTTP/2: time-out", http({ routes: [route({ prefix: "/" }, { timeout: "0.1s" })] }), { h2: { want: { delay: 400 } } }),
    row("HTTP/2: early answer to a body", http({ routes: [direct({ prefix: "/" }, "early")] }), { h2: { method: "POST", body: "hello", bodyAfter: 50 } }),
    row("HTTP/2: trailers of the request", plain, { h2: { method: "POST", body: "hello", trailers: [["x-t", "1"]] } }),
    row("HTTP/2: a path that is not absolute", plain, { h2: { path: "a" } }),
    row("HTTP/2: a connection header", plain, { h2: { headers: [["connection", "close"]] } }),
    row("HTTP/2: upper case in a name", plain, { h2: { headers: [["X-Upper", "1"]] } }),
    row("HTTP/2: host instead of :authority", plain, { h2: { host: "", headers: [["host", "other.test"]] } }),
    row("HTTP/2: underscores refused", http({ hcm: { common_http_protocol_options: { headers_with_underscores_action: "REJECT_REQUEST" } } }), {
      h2: { headers: [["x_a", "1"]] },
    }),
    row("HTTP/2: underscores dropped", http({ hcm: { common_http_protocol_options: { headers_with_underscores_action: "DROP_HEADER" } } }), {
      h2: { headers: [["x_a", "1"]] },
    }),
    row("HTTP/2: too many headers", http({ hcm: { common_http_protocol_options: { max_headers_count: 10 } } }), {
      h2: { headers: Array.from({ length: 12 }, (_, i): [string, string] => [`x-${i}`, "1"]) },
    }),
    row("HTTP/2: headers too large", http({ hcm: { max_request_headers_kb: 1 } }), { h2: { headers: [["x-a", "a".repeat(1500)]] } }),
    row("HTTP/2: one request a connection", http({ hcm: { common_http_protocol_options: { max_requests_per_connection: 1 } } }), { h2: { path: "/" } }),
    row("HTTP/2: only one stream at once", http(H2_OPTIONS({ max_concurrent_streams: 1 })), { h2: [{ path: "/1" }, { path: "/2" }] }),
    row("HTTP/2: CONNECT is not allowed", plain, { h2: { method: "CONNECT", host: "other.test:443" } }),
    row("HTTP/2: request id, forwarded-for", http({ hcm: { use_remote_address: true, skip_xff_append: true } }), {
      h2: {
        headers: [
          ["x-forwarded-for", "1.2.3.4"],
          ["x-request-id", "mine"],
        ],
      },
    }),
    to("HTTP/2 both ways", "h2", { path: "/a?b" }),
    to("HTTP/2 both ways: a body and trailers", "h2", {
      method: "POST",
      body: "hello",
      trailers: [["x-t", "1"]],
      want: { body: "b", trailers: [["x-u", "2"]] },
    }),
    to("HTTP/2 both ways: trailers only", "h2", { want: { headersOnly: true, headers: [["x-only", "1"]] } }),
    to("HTTP/2 both ways: reset, refused", "h2", { want: { rst: 7 } }),
    to("HTTP/2 both ways: reset, internal error", "h2", { want: { rst: 2 } }),
    to("HTTP/2 both ways: reset, protocol error", "h2", { want: { rst: 1 } }),
    to("HTTP/2 both ways: reset, cancelled", "h2", { want: { rst: 8 } }),
    to("HTTP/2 both ways: reset without error", "h2", { want: { rst: 0 } }),
    to("HTTP/2 both ways: reset in the body", "h2", { want: { body: "0123456789", end: "in-body" } }),
    to("HTTP/2 both ways: the session ends", "h2", { want: { end: "before" } }),
    to(
      "HTTP/2 both ways: refused streams are tried again",
      "h2",
      { want: [{ rst: 7 }, { body: "ok" }] },
      { routes: [route({ prefix: "/" }, { cluster: "h2", retry_policy: { retry_on: "refused-stream", retry_back_off: { base_interval: "0.005s" } } })] },
    ),
    to("HTTP/2 both ways: not connected", "closed", { path: "/" }),
    to("HTTP/2 both ways: cancelled by the client", "h2", { want: { delay: 300, body: "late" }, cancelAfter: 80 }),
    to("HTTP/2 both ways: five at once", "h2", [{ path: "/1" }, { path: "/2" }, { path: "/3" }, { path: "/4" }, { path: "/5" }]),
    fromHttp1("HTTP/1 to HTTP/2", [
      "/a?b",
      [
        ["x-a", "1"],
        ["connection", "keep-alive"],
      ],
    ]),
    fromHttp1("HTTP/1 to HTTP/2: a body", ["/", [], { method: "POST", body: "hello" }]),
    fromHttp1("HTTP/1 to HTTP/2: chunks", ["/", [], { method: "POST", chunks: ["hel", "lo"] }]),
    fromHttp1("HTTP/1 to HTTP/2: trailers of the answer", ["/", [], { want: { body: "b", trailers: [["x-u", "2"]] } }]),
    fromHttp1("HTTP/1 to HTTP/2: two cookies", [
      "/",
      [
        ["cookie", "a=1"],
        ["cookie", "b=2"],
      ],
    ]),
    fromHttp1("HTTP/1 to HTTP/2: te", [
      "/",
      [
        ["te", "trailers"],
        ["connection", "te"],
      ],
    ]),
    fromHttp1("HTTP/1 to HTTP/2: reset", ["/", [], { want: { rst: 2 } }]),
    fromHttp1("HTTP/1 to HTTP/2: HEAD", ["/", [], { method: "HEAD" }]),
    row("the upstream's version is the client's: HTTP/1", http({ routes: [route({ prefix: "/" }, { cluster: "like-client-1" })] }), get(), {
      clusters: [
        cluster("like-client-1", ["echo"], {
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
              use_downstream_protocol_config: { http2_protocol_options: {}, http_protocol_options: {} },
            }),
          },
        }),
      ],
    }),
    row(
      "the upstream's version is the client's: HTTP/2",
      http({ routes: [route({ prefix: "/" }, { cluster: "like-client-2" })] }),
      { h2: { path: "/" } },
      {
        clusters: [
          cluster("like-client-2", ["h2"], {
            typed_extension_protocol_options: {
              "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
                use_downstream_protocol_config: { http2_protocol_options: {}, http_protocol_options: {} },
              }),
            },
          }),
        ],
      },
    ),
    to("gRPC: a call", "h2", grpc({ want: { body: "\0\0\0\0\x02ok" } })),
    to(
      "gRPC: an error in trailers",
      "h2",
      grpc({
        want: {
          body: "",
          trailers: [
            ["grpc-status", "5"],
            ["grpc-message", "not%20found"],
          ],
        },
      }),
    ),
    to(
      "gRPC: an error in headers only",
      "h2",
      grpc({
        want: {
          headersOnly: true,
          headers: [
            ["grpc-status", "7"],
            ["grpc-message", "denied"],
          ],
        },
      }),
    ),
    to("gRPC: an HTTP error", "h2", grpc({ want: { status: 503, headers: [["content-type", "text/plain"]], body: "x", trailers: [] } })),
    to("gRPC: not connected", "closed", grpc({ body: "" })),
    to("gRPC: no endpoint", "h2", grpc(), { routes: [route({ prefix: "/" }, { cluster: "empty" })] }),
    to("gRPC: no route", "h2", grpc(), { routes: [direct({ path: "/x" }, "x")] }),
    to("gRPC: time-out", "h2", grpc({ want: { delay: 400 } }), { routes: [route({ prefix: "/" }, { cluster: "h2", timeout: "0.1s" })] }),
    to("gRPC: the caller's deadline", "h2", grpc({ headers: [...GRPC, ["grpc-timeout", "100m"]], want: { delay: 400 } }), {
      routes: [route({ prefix: "/" }, { cluster: "h2", max_stream_duration: { grpc_timeout_header_max: "5s" } })],
    }),
    to("gRPC: the caller's deadline is cut", "h2", grpc({ headers: [...GRPC, ["grpc-timeout", "9S"]], want: { delay: 400 } }), {
      routes: [route({ prefix: "/" }, { cluster: "h2", max_stream_duration: { grpc_timeout_header_max: "0.1s" } })],
    }),
    to("gRPC: the caller's deadline, old field", "h2", grpc({ headers: [...GRPC, ["grpc-timeout", "2S"]] }), {
      routes: [route({ prefix: "/" }, { cluster: "h2", max_grpc_timeout: "1s" })],
    }),
    to("gRPC: unavailable is tried again", "h2", grpc({ want: [{ headersOnly: true, headers: [["grpc-status", "14"]] }, { body: "ok" }] }), {
      routes: [route({ prefix: "/" }, { cluster: "h2", retry_policy: { retry_on: "unavailable", retry_back_off: { base_interval: "0.005s" } } })],
    }),
    to("gRPC: cancelled is not for unavailable", "h2", grpc({ want: [{ headersOnly: true, headers: [["grpc-status", "1"]] }, { body: "ok" }] }), {
      routes: [route({ prefix: "/" }, { cluster: "h2", retry_policy: { retry_on: "unavailable", retry_back_off: { base_interval: "0.005s" } } })],
    }),
    to("gRPC: statistics filter", "h2", grpc({ want: { body: "ok" } }), { filters: [stats] }),
    to("gRPC: status in the log", "h2", grpc({ want: { body: "", trailers: [["grpc-status", "5"]] } }), {
      log: "%GRPC_STATUS% %GRPC_STATUS_NUMBER% %TRAILER(grpc-status)% %RESPONSE_CODE%",
    }),
    to("gRPC: status names", "h2", grpc({ want: { headersOnly: true, headers: [["grpc-status", "14"]] } }), {
      log: "%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(CAMEL_STRING)% %GRPC_STATUS(NUMBER)%",
    }),
    to("gRPC: refused by RBAC", "h2", grpc(), {
      filters: [httpFilter("envoy.filters.http.rbac", typed("envoy.extensions.filters.http.rbac.v3.RBAC", { rules: { action: "ALLOW", policies: {} } }))],
    }),
    row(
      "gRPC over HTTP/1 to a local answer",
      http({ routes: [direct({ prefix: "/" }, "no", {}, 503)] }),
      get("/", [["content-type", "application/grpc"]], { method: "POST", body: "" }),
    ),
  ],
};
