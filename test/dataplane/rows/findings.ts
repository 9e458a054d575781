import type { JsonObject } from "@bufbuild/protobuf";
import { direct, get, http, httpFilter, raw, route, row, typed, type Call, type Group, type Row } from "../row.ts";

/** What random rows have shown to differ, each by itself: see `random`. */

type Pair = readonly [string, string];
type Action = "APPEND_IF_EXISTS_OR_ADD" | "ADD_IF_ABSENT" | "OVERWRITE_IF_EXISTS" | "OVERWRITE_IF_EXISTS_OR_ADD";
const LOG = "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %REQ(:SCHEME)% %REQ(:AUTHORITY)% %REQ(:PATH)% %REQ(x-envoy-original-path)% %GRPC_STATUS%";
const found = (name: string, call: Call | readonly Call[], more: Parameters<typeof http>[0] = {}, rest: Partial<Row> = {}): Row =>
  row(`found: ${name}`, http({ log: LOG, ...more }), call, rest);
const add = (key: string, value: string, action: Action = "APPEND_IF_EXISTS_OR_ADD", keep = false): JsonObject => ({
  header: { key, value },
  append_action: action,
  ...(keep && { keep_empty_value: true }),
});
const requestOps = (...ops: JsonObject[]): JsonObject => ({ request_headers_to_add: ops });
const responseOps = (...ops: JsonObject[]): JsonObject => ({ response_headers_to_add: ops });
const answered = (...headers: Pair[]): Call => get("/p", [], { want: { headers, body: "b" } });
const weighted = (more: JsonObject, action: JsonObject = {}): JsonObject => ({
  match: { prefix: "/" },
  route: { weighted_clusters: { clusters: [{ name: "echo", weight: 1, host_rewrite_literal: "weighted.test", ...more }] }, ...action },
});

const operations: readonly Row[] = [
  found("additions are judged by what was there before them", get("/p"), {
    routes: [
      route({ prefix: "/" }, {}, requestOps(add("x-n", "1", "ADD_IF_ABSENT"), add("x-n", "2", "ADD_IF_ABSENT"), add("x-n", "3", "OVERWRITE_IF_EXISTS"))),
    ],
  }),
  found("replacements come before additions", get("/p", [["x-n", "0"]]), {
    routes: [route({ prefix: "/" }, {}, requestOps(add("x-n", "1"), add("x-n", "2", "OVERWRITE_IF_EXISTS_OR_ADD"), add("x-n", "3")))],
  }),
  found("values are those before the level", get("/p", [["x-n", "0"]]), {
    routes: [route({ prefix: "/" }, {}, requestOps(add("x-n", "1", "OVERWRITE_IF_EXISTS"), add("x-m", "%REQ(x-n)%")))],
  }),
  found("a level sees what the one before it did", get("/p"), {
    virtualHosts: [
      {
        name: "v",
        domains: ["*"],
        ...requestOps(add("x-m", "%REQ(x-n)%"), add("x-n", "2", "ADD_IF_ABSENT")),
        routes: [route({ prefix: "/" }, {}, requestOps(add("x-n", "1")))],
      },
    ],
  }),
  found("of responses too", answered(["x-n", "0"]), {
    routes: [route({ prefix: "/" }, {}, responseOps(add("x-n", "1", "ADD_IF_ABSENT"), add("x-n", "2", "OVERWRITE_IF_EXISTS"), add("x-n", "3")))],
  }),
  found("headers of one line", answered(["date", "Tue, 01 Jan 2030 00:00:00 GMT"], ["content-type", "a/b"], ["x-r", "0"]), {
    routes: [route({ prefix: "/" }, {}, responseOps(add("date", "1"), add("content-type", "c/d"), add("x-r", "1"), add("server", "mine")))],
  }),
  found("nothing is added to headers of one line", answered(["content-type", "a/b"]), {
    routes: [
      route({ prefix: "/" }, {}, responseOps(add("content-type", "", "APPEND_IF_EXISTS_OR_ADD", true), add("x-r", "", "APPEND_IF_EXISTS_OR_ADD", true))),
    ],
  }),
  found("a user agent of two", get("/p", [["user-agent", "a"]]), { routes: [route({ prefix: "/" }, {}, requestOps(add("user-agent", "b")))] }),
];

const places: readonly Row[] = [
  found("host of a weighted cluster", get("/p"), { routes: [weighted({})] }),
  found("host of a weighted cluster and of its route", get("/p"), { routes: [weighted({}, { host_rewrite_literal: "literal.test" })] }),
  found("host of a weighted cluster and by the path", get("/p/q"), {
    routes: [weighted({}, { host_rewrite_path_regex: { pattern: { regex: "^/([a-z]+).*" }, substitution: "\\1.test" }, append_x_forwarded_host: true })],
  }),
  found(
    "host by a header of two lines",
    get("/p", [
      ["x-h", "one"],
      ["x-h", "two"],
    ]),
    { routes: [route({ prefix: "/" }, { host_rewrite_header: "x-h" })] },
  ),
  found("a path of which nothing would be left", [get("/p"), get("/p?q"), get("/p/q?r")], {
    routes: [route({ prefix: "/" }, { regex_rewrite: { pattern: { regex: "^/[^/]+" }, substitution: "" } })],
  }),
  found("a redirect of whose path nothing would be left", [get("/p"), get("/p?q")], {
    routes: [{ match: { prefix: "/" }, redirect: { regex_rewrite: { pattern: { regex: "^/[^/]+" }, substitution: "" } } }],
  }),
  found("a scheme told by the proxy before", get("/p", [["x-forwarded-proto", "https"]]), { routes: [route({ prefix: "/" }, { cluster: "h2" })] }),
  found("a scheme that is none", get("/p", [["x-forwarded-proto", "gopher"]]), { routes: [route({ prefix: "/" }, { cluster: "h2" })] }),
  found(
    "a redirect of HTTP/2 has the request's own scheme",
    { h2: { path: "/p", headers: [["x-forwarded-proto", "https"]] } },
    { routes: [{ match: { prefix: "/" }, redirect: { path_redirect: "/n" } }] },
  ),
  found("gRPC is not redirected to a plain path", [get("/a%2Fb", [["content-type", "application/grpc"]]), get("/a%2Fb")], {
    hcm: { path_with_escaped_slashes_action: "UNESCAPE_AND_REDIRECT" },
  }),
  found("a URL where only paths are allowed", raw("GET http://abs.test/p HTTP/1.1\r\nHost: row.test\r\n\r\n"), {
    hcm: { http_protocol_options: { allow_absolute_url: false } },
  }),
];

const limits = (config: JsonObject): JsonObject =>
  httpFilter(
    "envoy.filters.http.local_ratelimit",
    typed("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", {
      stat_prefix: "l",
      filter_enabled: { default_value: { numerator: 100 } },
      filter_enforced: { default_value: { numerator: 100 } },
      enable_x_ratelimit_headers: "DRAFT_VERSION_03",
      ...config,
    }),
  );
const bucket = (tokens: number, perFill: number, interval: string): JsonObject => ({
  token_bucket: { max_tokens: tokens, tokens_per_fill: perFill, fill_interval: interval },
});
const own = { routes: [direct({ prefix: "/" }, "d")] };
const answers: readonly Row[] = [
  found("what is left of a limit", [get(), get(), get()], { ...own, filters: [limits(bucket(2, 1, "600s"))] }),
  found("what is left of a large limit", [get(), get()], { ...own, filters: [limits(bucket(100, 1, "600s"))] }),
  found(
    "tokens come back one by one",
    [{ ...get(), repeat: 4 }, { ...get(), after: 700 }, get(), get()],
    { ...own, filters: [limits({ ...bucket(4, 4, "2s"), enable_x_ratelimit_headers: "OFF" })] },
    { alone: true },
  ),
  found("no attempts without a cluster", get(), {
    virtualHosts: [{ name: "v", domains: ["*"], include_attempt_count_in_response: true, routes: [route({ prefix: "/" }, { cluster: "nowhere" })] }],
    routeConfig: { validate_clusters: false },
  }),
  found("a body that came with its head, and nobody to send it to", get("/", [], { method: "POST", body: "hello" }), {
    routes: [route({ prefix: "/" }, { cluster: "closed" })],
    log: "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED%",
  }),
  found(
    "the status of gRPC that HTTP's means",
    [404, 200, 503].map((status): Call => get("/", [["content-type", "application/grpc"]], { want: { status, body: "" } })),
  ),
  found("a health check with a body", [get("/", [], { method: "POST", body: "hello" }), get()], {
    filters: [httpFilter("envoy.filters.http.health_check", typed("envoy.extensions.filters.http.health_check.v3.HealthCheck", { pass_through_mode: false }))],
    log: "%RESPONSE_CODE% %BYTES_RECEIVED%",
  }),
  found("a page's inside is not for the log", get("/none"), {
    routes: [direct({ path: "/" }, "d")],
    hcm: { local_reply_config: { body_format: { text_format_source: { inline_string: "[%LOCAL_REPLY_BODY%]" } } } },
    log: "%RESPONSE_CODE% <%LOCAL_REPLY_BODY%>",
  }),
];

export const findings: Group = { name: "findings", rows: [...operations, ...places, ...answers] };
