import type { JsonObject } from "@bufbuild/protobuf";
import { direct, get, hcm, http, ROUTER, row, route, type Group, type HttpRequest, type Row } from "../row.ts";

/** What the connection manager makes of headers and paths before anybody routes by them. */

const manager = (name: string, hcm: JsonObject, path: string, headers: readonly (readonly [string, string])[] = [], more: HttpRequest = {}): Row =>
  row(`manager: ${name}`, http({ hcm }), get(path, headers, more));
const path = (name: string, hcm: JsonObject, target: string): Row => row(`path: ${name}`, http({ hcm }), get(target));
const XFF = "x-forwarded-for";
const edge = { use_remote_address: true };
const internal = {
  internal_address_config: {
    cidr_ranges: [
      { address_prefix: "127.0.0.0", prefix_len: 8 },
      { address_prefix: "10.0.0.0", prefix_len: 8 },
    ],
  },
};
/** The router leaves Envoy's own headers out. */
const quiet = hcm({
  routes: [route({ prefix: "/old" }, { prefix_rewrite: "/new", host_rewrite_literal: "other.test" })],
  hcm: { http_filters: [{ ...ROUTER, typed_config: { ...(ROUTER.typed_config as JsonObject), suppress_envoy_headers: true } }] },
});
const normal = { normalize_path: true };

export const headers: Group = {
  name: "headers",
  rows: [
    path("not normalized", {}, "/a/./b/../c//d"),
    path("dot segments", normal, "/a/./b/../c"),
    path("dots at the end", normal, "/a/b/.."),
    path("dots above the root", normal, "/../../a"),
    path("encoded dots", normal, "/a/%2e%2e/b"),
    path("encoded dots, capitals", normal, "/a/%2E/b"),
    path("backslashes", normal, "/a\\b\\..\\c"),
    path("unreserved characters decoded", normal, "/%61%7E%5f"),
    path("reserved characters stay", normal, "/%3Fa%23b%2f"),
    path("small hex digits stay", normal, "/%c3%a4"),
    path("broken escape", normal, "/a%zzb%4"),
    path("NUL", normal, "/a%00b"),
    path("query is left alone", normal, "/a/../b?x=/../y//z"),
    path("double slashes stay", normal, "/a//b///c"),
    path("slashes merged", { ...normal, merge_slashes: true }, "/a//b///c?d//e"),
    path("slashes merged, not normalized", { merge_slashes: true }, "/a//./b"),
    path("characters that URLs escape", normal, "/a|b^c"),
    path("fragment", normal, "/a#b"),
    path("semicolon", normal, "/a;b=c/../d"),
    path("escaped slash kept", { path_with_escaped_slashes_action: "KEEP_UNCHANGED" }, "/a%2fb%5cc"),
    path("escaped slash refused", { path_with_escaped_slashes_action: "REJECT_REQUEST" }, "/a%2Fb"),
    path("escaped backslash refused", { path_with_escaped_slashes_action: "REJECT_REQUEST" }, "/a%5Cb"),
    path("escaped slash in the query only", { path_with_escaped_slashes_action: "REJECT_REQUEST" }, "/a?b%2Fc"),
    path("escaped slash redirected", { path_with_escaped_slashes_action: "UNESCAPE_AND_REDIRECT" }, "/a%2fb%5cc?d%2f"),
    path("escaped slash forwarded", { path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD" }, "/a%2fb%5cc?d%2f"),
    path("escaped slash forwarded and normalized", { ...normal, path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD" }, "/a%2f..%2fb"),
    path("escaped slash forwarded and merged", { ...normal, merge_slashes: true, path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD" }, "/a%2f%2fb"),
    row("path: routes see the normal form", http({ hcm: normal, routes: [direct({ prefix: "/b" }, "b"), direct({ prefix: "/" }, "other")] }), get("/a/../b")),
    row("path: HTTP/2", http({ hcm: normal }), { h2: { path: "/a/../b?c" } }),
    manager("defaults", {}, "/", [["user-agent", "ua"]]),
    manager("request id of the client", {}, "/", [["x-request-id", "mine"]]),
    manager("request id, two", {}, "/", [
      ["x-request-id", "mine"],
      ["x-request-id", "other"],
    ]),
    manager("request id off", { generate_request_id: false }, "/"),
    manager("request id at the edge", edge, "/", [["x-request-id", "mine"]]),
    manager("request id at the edge, preserved", { ...edge, preserve_external_request_id: true }, "/", [["x-request-id", "mine"]]),
    manager("request id in the response", { always_set_request_id_in_response: true }, "/", [["x-request-id", "mine"]]),
    manager("x-forwarded-for passes", {}, "/", [[XFF, "1.2.3.4"]]),
    manager("x-forwarded-for, two lines", {}, "/", [
      [XFF, "1.2.3.4"],
      [XFF, "5.6.7.8"],
    ]),
    manager("x-forwarded-for at the edge, no append", { ...edge, skip_xff_append: true }, "/", [[XFF, "1.2.3.4"]]),
    manager("x-forwarded-proto passes", {}, "/", [["x-forwarded-proto", "https"]]),
    manager("x-forwarded-proto that is none", {}, "/", [["x-forwarded-proto", "gopher"]]),
    manager("x-forwarded-proto at the edge", edge, "/", [["x-forwarded-proto", "https"]]),
    manager("x-forwarded-host and port pass", {}, "/", [
      ["x-forwarded-host", "h"],
      ["x-forwarded-port", "1"],
    ]),
    manager("trusted hops", { ...edge, xff_num_trusted_hops: 1, skip_xff_append: true }, "/", [
      [XFF, "1.2.3.4, 5.6.7.8"],
      ["x-forwarded-proto", "https"],
    ]),
    manager("trusted hops, inside", { xff_num_trusted_hops: 1 }, "/", [[XFF, "1.2.3.4, 5.6.7.8"]]),
    manager("internal", { ...internal, ...edge, skip_xff_append: true }, "/", [["x-envoy-retry-on", "5xx"]]),
    manager("internal by x-forwarded-for", internal, "/", [
      [XFF, "10.1.2.3"],
      ["x-envoy-max-retries", "1"],
    ]),
    manager("external by x-forwarded-for", internal, "/", [
      [XFF, "9.1.2.3"],
      ["x-envoy-max-retries", "1"],
    ]),
    manager("internal, but two hops", internal, "/", [[XFF, "10.1.2.3, 10.2.2.2"]]),
    manager("Envoy's headers from outside", {}, "/", [
      ["x-envoy-retry-on", "5xx"],
      ["x-envoy-max-retries", "2"],
      ["x-envoy-upstream-rq-timeout-ms", "1"],
      ["x-envoy-internal", "true"],
      ["x-envoy-expected-rq-timeout-ms", "1"],
      ["x-envoy-force-trace", "1"],
      ["x-envoy-original-url", "x"],
      ["x-envoy-ip-tags", "t"],
      ["x-envoy-decorator-operation", "op"],
      ["x-envoy-downstream-service-cluster", "c"],
      ["x-envoy-peer-metadata", "m"],
      ["x-envoy-hedge-on-per-try-timeout", "true"],
      ["x-envoy-original-path", "/p"],
      ["x-envoy-external-address", "9.9.9.9"],
      ["x-envoy-attempt-count", "5"],
    ]),
    manager("Envoy's headers at the edge", { ...edge, skip_xff_append: true }, "/", [
      ["x-envoy-retry-on", "5xx"],
      ["x-envoy-internal", "true"],
      ["x-envoy-decorator-operation", "op"],
      ["x-envoy-downstream-service-cluster", "c"],
      ["x-envoy-downstream-service-node", "n"],
      ["x-envoy-original-path", "/p"],
      ["x-envoy-external-address", "9.9.9.9"],
    ]),
    manager("client certificate header from plaintext", { forward_client_cert_details: "APPEND_FORWARD" }, "/", [["x-forwarded-client-cert", "By=forged"]]),
    manager("client certificate header by default", {}, "/", [["x-forwarded-client-cert", "By=forged"]]),
    manager("client certificate header always forwarded", { forward_client_cert_details: "ALWAYS_FORWARD_ONLY" }, "/", [
      ["x-forwarded-client-cert", "By=trusted"],
    ]),
    manager("via", { via: "proxy-1" }, "/", [["via", "1.0 first"]], { want: { headers: [["via", "1.1 back"]] } }),
    manager("via, none before", { via: "proxy-1" }, "/"),
    manager("server name", { server_name: "mine" }, "/", [], { want: { headers: [["server", "upstream"]] } }),
    manager("server, append if absent, absent", { server_header_transformation: "APPEND_IF_ABSENT" }, "/"),
    manager("server, append if absent, there", { server_header_transformation: "APPEND_IF_ABSENT" }, "/", [], { want: { headers: [["server", "upstream"]] } }),
    manager("server, pass through", { server_header_transformation: "PASS_THROUGH" }, "/", [], { want: { headers: [["server", "upstream"]] } }),
    manager("server, pass through, absent", { server_header_transformation: "PASS_THROUGH" }, "/"),
    manager("port stripped", { strip_any_host_port: true }, "/", [], { host: "row.test:9999" }),
    manager("another port is not stripped", { strip_matching_host_port: true }, "/", [], { host: "row.test:9999" }),
    manager("trailing dot stripped", { strip_trailing_host_dot: true }, "/", [], { host: "row.test.:80" }),
    manager("trailing dot", {}, "/", [], { host: "row.test." }),
    manager("hop-by-hop headers of a response", {}, "/", [], {
      want: {
        headers: [
          ["connection", "keep-alive, x-hop"],
          ["keep-alive", "timeout=3"],
          ["x-hop", "1"],
          ["proxy-connection", "keep-alive"],
          ["proxy-authenticate", "Basic"],
          ["x-envoy-upstream-service-time", "77"],
          ["trailer", "x-t"],
        ],
      },
    }),
    manager("proxy-authorization and others pass", {}, "/", [
      ["proxy-authorization", "Basic x"],
      ["trailer", "x"],
      ["authorization", "a"],
    ]),
    manager("repeated headers", {}, "/", [
      ["x-a", "1"],
      ["x-a", "2"],
      ["cookie", "a=1"],
      ["cookie", "b=2"],
      ["accept", "x"],
      ["accept", "y"],
    ]),
    manager("repeated headers of a response", {}, "/", [], {
      want: {
        headers: [
          ["x-a", "1"],
          ["x-a", "2"],
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
          ["vary", "x"],
          ["vary", "y"],
        ],
      },
    }),
    manager("date of the upstream", {}, "/", [], { want: { headers: [["date", "long ago"]] } }),
    manager("response to HEAD", {}, "/", [], { method: "HEAD" }),
    manager("204", {}, "/", [], { want: { status: 204 } }),
    manager("304 with a length", {}, "/", [], {
      want: {
        status: 304,
        headers: [
          ["content-length", "5"],
          ["etag", "e"],
        ],
      },
    }),
    manager("205", {}, "/", [], { want: { status: 205, body: "" } }),
    manager("599", {}, "/", [], { want: { status: 599, body: "x" } }),
    manager("103", {}, "/", [], { want: { informational: [103], body: "x" } }),
    manager("102 and 103", {}, "/", [], { want: { informational: [102, 103], body: "x" } }),
    manager("chunked response", {}, "/", [], { want: { chunks: ["a", "bc"] } }),
    manager("response until close", {}, "/", [], { want: { body: "until close", end: "after" } }),
    manager("decorator of a route, traced", { tracing: {} }, "/", [["x-envoy-decorator-operation", "mine"]]),
    row("manager: Envoy's own headers suppressed", { filter_chains: [{ filters: [quiet] }] }, get("/old", [])),
    row("manager: two requests at once over HTTP/2", http(), { h2: [{ path: "/1" }, { path: "/2", method: "POST", body: "b" }] }),
  ],
};
