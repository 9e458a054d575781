import type { JsonObject } from "@bufbuild/protobuf";
import { direct, get, http, httpFilter, route, row, typed, type Call, type Group, type Row } from "../row.ts";

/** Connection managers: who the client is, what is done to headers first, and what the proxy's own answers look like. */

const LOG =
  "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %DOWNSTREAM_REMOTE_ADDRESS% %REQ(:SCHEME)% %REQ(:PATH)% %REQ(x-envoy-original-path)% %REQ(x-forwarded-proto)%";
const managed = (name: string, hcm: JsonObject, call: Call | readonly Call[] = get("/p"), more: Parameters<typeof http>[0] = {}): Row =>
  row(`manager: ${name}`, http({ hcm, log: LOG, ...more }), call);
type Headers = readonly (readonly [string, string])[];
const E = "envoy.extensions.http.";

// ---- ports, schemes, user agents

const PORT: Headers = [["x-forwarded-port", "99"]];
const PORTS: JsonObject = { append_x_forwarded_port: true };
const HTTPS: JsonObject = { scheme_header_transformation: { scheme_to_overwrite: "https" } };
const added: readonly Row[] = [
  managed("port", PORTS),
  managed("port, told before", PORTS, get("/", PORT)),
  managed("port, told before, at the edge", { ...PORTS, use_remote_address: true }, get("/", PORT)),
  managed("port, told by a proxy that is trusted", { ...PORTS, use_remote_address: true, xff_num_trusted_hops: 1 }, [get("/", PORT), get("/")]),
  managed("user agent", { add_user_agent: true }, [get(), get("/", [["user-agent", "mine"]]), get("/", [["user-agent", ""]])]),
  managed("user agent, at the edge", { add_user_agent: true, use_remote_address: true }, get("/", [["x-envoy-downstream-service-node", "mine"]])),
  managed("scheme", HTTPS),
  managed("scheme, another was told", { scheme_header_transformation: { scheme_to_overwrite: "http" } }, get("/", [["x-forwarded-proto", "https"]])),
  managed("scheme, of a redirect", HTTPS, get(), { routes: [{ match: { prefix: "/" }, redirect: { path_redirect: "/x" } }] }),
  managed("scheme, HTTP/2", HTTPS, { h2: { path: "/p" } }, { routes: [route({ prefix: "/" }, { cluster: "h2" })] }),
  managed("scheme of the upstream's transport", { scheme_header_transformation: { match_upstream: true } }, get("/", [["x-forwarded-proto", "https"]]), {
    routes: [route({ prefix: "/" }, { cluster: "h2" })],
  }),
];

// ---- who the client is

const detects = (kind: "xff" | "custom_header", config: JsonObject): JsonObject[] => [
  {
    name: `envoy.http.original_ip_detection.${kind}`,
    typed_config: typed(`${E}original_ip_detection.${kind}.v3.${kind === "xff" ? "XffConfig" : "CustomHeaderConfig"}`, config),
  },
];
const INSIDE: JsonObject = {
  internal_address_config: {
    cidr_ranges: [
      { address_prefix: "10.0.0.0", prefix_len: 8 },
      { address_prefix: "127.0.0.0", prefix_len: 8 },
    ],
  },
};
const xff = (value: string): Call => get("/", [["x-forwarded-for", value]]);
const cidr = (address: string, length: number): JsonObject => ({ address_prefix: address, prefix_len: length });
const byXff = (name: string, config: JsonObject): Row =>
  managed(`client by x-forwarded-for, ${name}`, { original_ip_detection_extensions: detects("xff", config), ...INSIDE }, [
    get(),
    xff("10.1.2.3"),
    xff("10.1.2.3, 192.168.1.1"),
    xff("10.1.2.3, nonsense"),
    xff("192.168.1.7, 192.168.1.1"),
  ]);
const real = (value: string, more: Headers = []): Call => get("/", [["x-real-ip", value], ...more]);
const byHeader = (name: string, config: JsonObject): Row =>
  managed(`client by a header, ${name}`, { original_ip_detection_extensions: detects("custom_header", { header_name: "X-Real-IP", ...config }), ...INSIDE }, [
    get(),
    real("10.1.2.3"),
    real("joe"),
    real("10.1.2.3", [["x-forwarded-for", "1.2.3.4"]]),
  ]);
const origins: readonly Row[] = [
  byXff("the last", {}),
  byXff("behind a hop", { xff_num_trusted_hops: 1 }),
  byXff("with an entry of our own", { skip_xff_append: false }),
  byXff("before proxies that are trusted", { xff_trusted_cidrs: { cidrs: [cidr("127.0.0.0", 8), cidr("192.168.0.0", 16)] } }),
  byXff("from nobody that is trusted", { xff_trusted_cidrs: { cidrs: [cidr("1.0.0.0", 8)] } }),
  byHeader("if there is one", {}),
  byHeader("which is trusted", { allow_extension_to_set_address_as_trusted: true }),
  byHeader("or refused", { reject_with_status: { code: "Unauthorized" } }),
  byHeader("or refused with a status that is none", { reject_with_status: { code: "OK" } }),
  managed(
    "client by a header, else by x-forwarded-for",
    { original_ip_detection_extensions: [...detects("custom_header", { header_name: "x-real-ip" }), ...detects("xff", {})] },
    [real("joe", [["x-forwarded-for", "1.2.3.4"]]), real("5.6.7.8", [["x-forwarded-for", "1.2.3.4"]])],
  ),
];

// ---- before all else

const early = (...mutations: JsonObject[]): JsonObject => ({
  early_header_mutation_extensions: [
    {
      name: "envoy.http.early_header_mutation.header_mutation",
      typed_config: typed(`${E}early_header_mutation.header_mutation.v3.HeaderMutation`, { mutations }),
    },
  ],
});
const append = (key: string, value: string, action = "APPEND_IF_EXISTS_OR_ADD"): JsonObject => ({ append: { header: { key, value }, append_action: action } });
const earlies: readonly Row[] = [
  managed(
    "early changes",
    early(append("x-a", "new"), append("x-b", "%REQ(:PATH)%"), { remove: "x-c" }),
    get("/p", [
      ["x-a", "old"],
      ["x-c", "1"],
    ]),
  ),
  managed("early changes choose the route", early(append("x-r", "1")), get("/p"), {
    routes: [route({ prefix: "/", headers: [{ name: "x-r", string_match: { exact: "1" } }] }, { prefix_rewrite: "/early" }), route({ prefix: "/" })],
  }),
  managed("early changes of x-forwarded-for", early(append("x-forwarded-for", "10.9.9.9", "OVERWRITE_IF_EXISTS_OR_ADD")), xff("1.1.1.1")),
  managed(
    "early changes come before what is added",
    { ...early({ remove: "x-envoy-internal" }, { remove: "x-forwarded-proto" }, { remove: "x-request-id" }), ...INSIDE },
    get("/p", [
      ["x-forwarded-for", "1.1.1.1"],
      ["x-request-id", "a"],
    ]),
  ),
  managed("early changes are not trusted", early(append("x-envoy-max-retries", "3"))),
];

// ---- the proxy's own answers

const FAULT = httpFilter(
  "envoy.filters.http.fault",
  typed("envoy.extensions.filters.http.fault.v3.HTTPFault", { abort: { http_status: 418, percentage: { numerator: 100 } } }),
);
const RESPONSE = httpFilter(
  "envoy.filters.http.header_mutation",
  typed("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", { mutations: { response_mutations: [append("x-mutated", "yes")] } }),
);
const ops = (...added: readonly (readonly [string, string])[]): JsonObject => ({
  response_headers_to_add: added.map(([key, value]) => ({ header: { key, value } })),
});
const own = (status: number, body: string): Row =>
  managed(`headers of an answer with ${status} and ${body === "" ? "no" : "a"} body`, {}, get("/"), {
    routes: [direct({ prefix: "/" }, body, ops(["content-type", "a/b"], ["date", "today"], ["content-length", "77"]), status)],
  });
const asked = (status: number): Row =>
  managed(`direct response with ${status}`, {}, get("/p?q"), { routes: [direct({ prefix: "/" }, status === 304 ? "" : "said", {}, status)] });
const redirected = (name: string, redirect: JsonObject): Row =>
  managed(`redirect, ${name}`, {}, get("/p/q?x"), { routes: [{ match: { prefix: "/p" }, redirect }] });
const given = (name: string, headers: Headers): Row => managed(name, {}, get("/", [], { want: { status: 304, headers } }));
const star = (...headers: Headers): Call => ({ http: { method: "OPTIONS", path: "*", headers } });
const CONNECT: Call = { raw: [{ send: "CONNECT row.test:80 HTTP/1.1\r\nHost: row.test:80\r\n\r\n" }, { rest: true }] };
const answers: readonly Row[] = [
  asked(201),
  asked(302),
  asked(304),
  redirected("the prefix is replaced", { prefix_rewrite: "/new" }),
  redirected("by an expression", { regex_rewrite: { pattern: { regex: "/p" }, substitution: "/n" } }),
  redirected("its own query stays", { path_redirect: "/n?y", strip_query: true }),
  managed("no absolute path", {}, [star(), star(["content-type", "application/grpc"]), star(["expect", "100-continue"])], { filters: [RESPONSE] }),
  given("the application says 304", []),
  given("the application says 304 and a length", [["content-length", "5"]]),
  own(200, ""),
  own(200, "x"),
  own(401, ""),
  own(401, "x"),
  own(204, ""),
  own(304, ""),
  managed("the route's headers of a filter's answer", {}, get(), {
    filters: [FAULT],
    routes: [route({ prefix: "/" }, {}, ops(["x-o", "%RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS%"], ["date", "today"], ["content-type", "a/b"]))],
  }),
  managed("a filter's answer to HEAD, gRPC", {}, get("/p", [["content-type", "application/grpc"]], { method: "HEAD" }), { filters: [FAULT] }),
  managed("attempts are counted by the router only", {}, get(), {
    filters: [FAULT],
    virtualHosts: [{ name: "v", domains: ["*"], include_attempt_count_in_response: true, routes: [route({ prefix: "/" })] }],
  }),
  managed("the route's headers without a cluster", {}, get(), {
    routeConfig: { validate_clusters: false },
    routes: [route({ prefix: "/" }, { cluster: "nowhere" }, ops(["x-o", "1"]))],
  }),
  managed("the route's headers without a server", {}, get(), { routes: [route({ prefix: "/" }, { cluster: "closed" }, ops(["x-o", "1"]))] }),
  managed("CONNECT that is not allowed", {}, CONNECT, { routes: [route({ connect_matcher: {} })] }),
  managed("CONNECT, another upgrade is allowed", { upgrade_configs: [{ upgrade_type: "websocket" }] }, CONNECT, { routes: [route({ connect_matcher: {} })] }),
  managed("CONNECT without a route", { upgrade_configs: [{ upgrade_type: "CONNECT" }] }, CONNECT),
  managed("a filter that is off for the route", {}, get(), {
    filters: [httpFilter("envoy.filters.http.health_check", typed("envoy.extensions.filters.http.health_check.v3.HealthCheck", { pass_through_mode: false }))],
    routes: [
      route(
        { prefix: "/" },
        {},
        { typed_per_filter_config: { "envoy.filters.http.health_check": typed("envoy.config.route.v3.FilterConfig", { disabled: true }) } },
      ),
    ],
  }),
];

export const managers: Group = { name: "managers", rows: [...added, ...origins, ...earlies, ...answers] };
