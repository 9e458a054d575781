import type { JsonObject } from "@bufbuild/protobuf";
import { IDS } from "../certificates.ts";
import {
  cluster,
  direct,
  get,
  http,
  http2Upstream,
  httpFilter,
  raw,
  row,
  route,
  tcp,
  typed,
  type Call,
  type Group,
  type HttpRequest,
  type Row,
} from "../row.ts";
import { TOKENS } from "../tokens.ts";
import { ca, serverTls } from "./tls.ts";

/** HTTP and network filters: authorization, tokens, external authorization, rate limits, faults, CORS, health checks. */

const F = "envoy.extensions.filters.http.";
const LOGGED =
  "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% shadow=%DYNAMIC_METADATA(envoy.filters.http.rbac:shadow_effective_policy_id)%/%DYNAMIC_METADATA(envoy.filters.http.rbac:shadow_engine_result)%";

const filtered = (filter: JsonObject, more: Parameters<typeof http>[0] = {}): JsonObject => http({ filters: [filter], ...more });

// ---- RBAC

const rbacFilter = (config: JsonObject): JsonObject => httpFilter("envoy.filters.http.rbac", typed(`${F}rbac.v3.RBAC`, config));
const ANY = { any: true };
const policy = (permission: JsonObject, principal: JsonObject = ANY): JsonObject => ({ permissions: [permission], principals: [principal] });
const rules = (action: string, policies: JsonObject): JsonObject => ({ rules: { action, policies } });
const allow = (name: string, permission: JsonObject, call: Call, principal: JsonObject = ANY): Row =>
  row(`RBAC: ${name}`, filtered(rbacFilter(rules("ALLOW", { "ns[foo]-policy[bar]-rule[0]": policy(permission, principal) })), { log: LOGGED }), call);
const header = (name: string, match: JsonObject): JsonObject => ({ header: { name, string_match: match } });
const byTls = (name: string, principal: JsonObject, cert: "client" | "other-client" | undefined): Row =>
  row(
    `RBAC: ${name}`,
    filtered(rbacFilter(rules("ALLOW", { p: policy(ANY, principal) })), { log: LOGGED, chain: { transport_socket: serverTls({ validation_context: ca() }) } }),
    { tls: { sni: "server.test", ...(cert && { cert }) }, http: {} },
  );

const rbac: Row[] = [
  allow("allowed", ANY, get()),
  allow("no policy matches", header(":method", { exact: "POST" }), get()),
  row("RBAC: no policy at all", filtered(rbacFilter(rules("ALLOW", {})), { log: LOGGED }), get()),
  row("RBAC: denied", filtered(rbacFilter(rules("DENY", { "ns[foo]-policy[deny]-rule[0]": policy(ANY) })), { log: LOGGED }), get()),
  row("RBAC: deny, none matches", filtered(rbacFilter(rules("DENY", { d: policy(header("x-a", { exact: "1" })) })), { log: LOGGED }), get()),
  row("RBAC: log only", filtered(rbacFilter(rules("LOG", { l: policy(header("x-a", { exact: "1" })) })), { log: LOGGED }), get()),
  row("RBAC: empty configuration", filtered(rbacFilter({}), { log: LOGGED }), get()),
  row("RBAC: shadow rules would deny", filtered(rbacFilter({ shadow_rules: { action: "DENY", policies: { s: policy(ANY) } } }), { log: LOGGED }), get()),
  row("RBAC: shadow rules would allow", filtered(rbacFilter({ shadow_rules: { action: "ALLOW", policies: { s: policy(ANY) } } }), { log: LOGGED }), get()),
  row("RBAC: denied, POST with a body", filtered(rbacFilter(rules("DENY", { d: policy(ANY) }))), get("/", [], { method: "POST", body: "hello" })),
  row("RBAC: denied, HEAD", filtered(rbacFilter(rules("DENY", { d: policy(ANY) }))), get("/", [], { method: "HEAD" })),
  row("RBAC: denied, gRPC", filtered(rbacFilter(rules("DENY", { d: policy(ANY) }))), {
    h2: { method: "POST", headers: [["content-type", "application/grpc"]], body: "" },
  }),
  allow("path", { url_path: { path: { prefix: "/a" } } }, get("/abc?x=/b")),
  allow("path, without the query", { url_path: { path: { exact: "/a" } } }, get("/a?q")),
  allow("path suffix", { url_path: { path: { suffix: "/end" } } }, get("/x/end")),
  allow("path, another", { url_path: { path: { exact: "/a" } } }, get("/b")),
  allow(
    "path template",
    { uri_template: { name: "t", typed_config: typed("envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", { path_template: "/a/*/c" }) } },
    get("/a/b/c"),
  ),
  allow(
    "path template, too deep",
    { uri_template: { name: "t", typed_config: typed("envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", { path_template: "/a/*/c" }) } },
    get("/a/b/b/c"),
  ),
  allow("host", header(":authority", { suffix: ".test" }), get()),
  allow(
    "header of two values",
    header("x-a", { exact: "2" }),
    get("/", [
      ["x-a", "1"],
      ["x-a", "2"],
    ]),
  ),
  allow("not", { not_rule: header("x-a", { exact: "1" }) }, get("/", [["x-a", "1"]])),
  allow("not, missing header", { not_rule: header("x-a", { exact: "1" }) }, get()),
  allow("or", { or_rules: { rules: [header("x-a", { exact: "1" }), header("x-a", { exact: "2" })] } }, get("/", [["x-a", "2"]])),
  allow("and", { and_rules: { rules: [header("x-a", { exact: "1" }), header("x-b", { exact: "2" })] } }, get("/", [["x-a", "1"]])),
  allow("destination port", { destination_port: 1 }, get()),
  allow("destination port range", { destination_port_range: { start: 10_000, end: 20_000 } }, get()),
  allow("destination address", { destination_ip: { address_prefix: "127.0.0.0", prefix_len: 8 } }, get()),
  allow("requested server name", { requested_server_name: { exact: "x" } }, get()),
  allow("source address", ANY, get(), { direct_remote_ip: { address_prefix: "127.0.0.1", prefix_len: 32 } }),
  allow("source address, another", ANY, get(), { direct_remote_ip: { address_prefix: "10.0.0.0", prefix_len: 8 } }),
  allow("remote address by x-forwarded-for", ANY, get("/", [["x-forwarded-for", "10.9.9.9"]]), { remote_ip: { address_prefix: "10.0.0.0", prefix_len: 8 } }),
  allow("principal by a header", ANY, get("/", [["x-a", "1"]]), header("x-a", { exact: "1" })),
  allow("authenticated, from plaintext", ANY, get(), { authenticated: {} }),
  byTls("authenticated by name", { authenticated: { principal_name: { exact: IDS.client } } }, "client"),
  byTls("authenticated, another name", { authenticated: { principal_name: { exact: IDS.client } } }, "other-client"),
  byTls("authenticated, no certificate", { authenticated: { principal_name: { exact: IDS.client } } }, undefined),
  byTls("authenticated, anybody", { authenticated: {} }, "other-client"),
  byTls("authenticated, anybody, no certificate", { authenticated: {} }, undefined),
  byTls(
    "authenticated, by prefix and not",
    {
      and_ids: {
        ids: [
          { authenticated: { principal_name: { prefix: "spiffe://cluster.local/" } } },
          { not_id: { authenticated: { principal_name: { suffix: "/sa/other" } } } },
        ],
      },
    },
    "other-client",
  ),
  row(
    "RBAC: overridden by the route",
    filtered(rbacFilter(rules("DENY", { d: policy(ANY) })), {
      routes: [
        direct({ prefix: "/open" }, "open", { typed_per_filter_config: { "envoy.filters.http.rbac": typed(`${F}rbac.v3.RBACPerRoute`, {}) } }),
        direct({ prefix: "/" }, "closed"),
      ],
    }),
    [get("/open"), get("/other")],
  ),
];

const networkRbac = (name: string, config: JsonObject, call: Call = { raw: [{ send: "hello" }, { rest: true }] }): Row =>
  row(
    `network RBAC: ${name}`,
    tcp("tcp", [
      { name: "envoy.filters.network.rbac", typed_config: typed("envoy.extensions.filters.network.rbac.v3.RBAC", { stat_prefix: "tcp.", ...config }) },
    ]),
    call,
  );

// ---- tokens

const PROVIDER = { issuer: "issuer@test", local_jwks: { inline_string: TOKENS.jwks }, forward: true };
const jwtFilter = (requirement: JsonObject | undefined, provider: JsonObject = {}, more: JsonObject = {}): JsonObject =>
  httpFilter(
    "envoy.filters.http.jwt_authn",
    typed(`${F}jwt_authn.v3.JwtAuthentication`, {
      providers: { p: { ...PROVIDER, ...provider } },
      ...(requirement && { rules: [{ match: { prefix: "/" }, requires: requirement }] }),
      ...more,
    }),
  );
const REQUIRED = { provider_name: "p" };
const bearer = (token: string): [string, string] => ["authorization", `Bearer ${token}`];
const jwt = (
  name: string,
  requirement: JsonObject | undefined,
  headers: readonly (readonly [string, string])[],
  provider: JsonObject = {},
  more: HttpRequest = {},
): Row =>
  row(
    `JWT: ${name}`,
    filtered(jwtFilter(requirement, provider), { log: "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%" }),
    get("/p", headers, more),
  );

let issuers = 0;
/** Keys that are fetched; two requests, since the second may find them there. */
function remote(name: string, backend: string, token: [string, string] | undefined, more: JsonObject = {}): Row[] {
  const own = `jwks-${issuers++}`;
  const provider = {
    issuer: "issuer@test",
    forward: true,
    remote_jwks: { http_uri: { uri: "http://keys.test/jwks.json", cluster: own, timeout: "2s" }, cache_duration: "300s", ...more },
  };
  const filter = httpFilter(
    "envoy.filters.http.jwt_authn",
    typed(`${F}jwt_authn.v3.JwtAuthentication`, { providers: { p: provider }, rules: [{ match: { prefix: "/" }, requires: REQUIRED }] }),
  );
  return [
    row(
      `JWT, remote keys: ${name}`,
      filtered(filter, { log: "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%" }),
      { ...get("/p", token ? [token] : []), repeat: 2 },
      { clusters: [cluster(own, [backend])] },
    ),
  ];
}

// ---- the others

let authorizers = 0;
function extAuthz(name: string, config: JsonObject = {}, call: HttpRequest = {}, backend = "authz"): Row {
  const own = `authz-${authorizers++}`;
  const { headers = [], ...more } = call;
  const filter = httpFilter(
    "envoy.filters.http.ext_authz",
    typed(`${F}ext_authz.v3.ExtAuthz`, {
      http_service: {
        server_uri: { uri: "http://authz.test", cluster: own, timeout: "1s" },
        authorization_request: { allowed_headers: { patterns: [{ prefix: "x-" }] } },
        authorization_response: {
          allowed_upstream_headers: { patterns: [{ prefix: "x-authz" }] },
          allowed_client_headers: { patterns: [{ prefix: "x-deny" }] },
        },
      },
      ...config,
    }),
  );
  return row(
    `ext_authz: ${name}`,
    filtered(filter, { log: "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%" }),
    get("/p?q=1", [["x-a", "1"], ["cookie", "c=1"], ["authorization", "secret"], ...headers], more),
    { clusters: [cluster(own, [backend])] },
  );
}

const cors = (policyConfig: JsonObject, name: string, call: Call): Row =>
  row(
    `CORS: ${name}`,
    filtered(httpFilter("envoy.filters.http.cors", typed(`${F}cors.v3.Cors`)), {
      routes: [route({ prefix: "/" }, {}, { typed_per_filter_config: { "envoy.filters.http.cors": typed(`${F}cors.v3.CorsPolicy`, policyConfig) } })],
    }),
    call,
  );
const ORIGIN: JsonObject = { allow_origin_string_match: [{ exact: "http://good.test" }, { safe_regex: { regex: "http://.*\\.good\\.test" } }] };
const FULL: JsonObject = { ...ORIGIN, allow_methods: "GET, PUT", allow_headers: "x-a, x-b", expose_headers: "x-e", max_age: "600", allow_credentials: true };
const preflight = (origin: string): Call =>
  get(
    "/",
    [
      ["origin", origin],
      ["access-control-request-method", "PUT"],
    ],
    { method: "OPTIONS" },
  );

const fault = (name: string, config: JsonObject, call: Call = get()): Row =>
  row(`fault: ${name}`, filtered(httpFilter("envoy.filters.http.fault", typed(`${F}fault.v3.HTTPFault`, config))), call);
const always: JsonObject = { percentage: { numerator: 100 } };

const limited = (name: string, config: JsonObject, count: number, call: Call = { http: {} }): Row =>
  row(
    `rate limit: ${name}`,
    filtered(
      httpFilter(
        "envoy.filters.http.local_ratelimit",
        typed(`${F}local_ratelimit.v3.LocalRateLimit`, {
          stat_prefix: "l",
          filter_enabled: { default_value: { numerator: 100 } },
          filter_enforced: { default_value: { numerator: 100 } },
          ...config,
        }),
      ),
    ),
    { ...call, repeat: count },
  );
const bucket = (max: number): JsonObject => ({ token_bucket: { max_tokens: max, tokens_per_fill: max, fill_interval: "60s" } });

export const filters: Group = {
  name: "filters",
  rows: [
    ...rbac,
    networkRbac("allowed", rules("ALLOW", { a: policy(ANY) })),
    networkRbac("nobody is allowed", rules("ALLOW", {})),
    networkRbac("denied", rules("DENY", { "ns[foo]-policy[deny]-rule[0]": policy(ANY) })),
    networkRbac("denied by source", rules("DENY", { d: policy(ANY, { direct_remote_ip: { address_prefix: "127.0.0.7", prefix_len: 32 } }) }), {
      from: "127.0.0.7",
      raw: [{ send: "hello" }, { rest: true }],
    }),
    networkRbac("another source", rules("DENY", { d: policy(ANY, { direct_remote_ip: { address_prefix: "127.0.0.7", prefix_len: 32 } }) })),
    networkRbac("shadow rules would deny", { shadow_rules: { action: "DENY", policies: { d: policy(ANY) } } }),
    row(
      "network RBAC: before HTTP",
      http({
        before: [
          {
            name: "envoy.filters.network.rbac",
            typed_config: typed("envoy.extensions.filters.network.rbac.v3.RBAC", { stat_prefix: "x.", ...rules("DENY", { d: policy(ANY) }) }),
          },
        ],
      }),
      raw("GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
    ),
    jwt("good token", REQUIRED, [bearer(TOKENS.good)]),
    jwt("missing", REQUIRED, []),
    jwt("no token at all", REQUIRED, [bearer("nonsense")]),
    jwt("not three parts", REQUIRED, [bearer("a.b")]),
    jwt("bad base64", REQUIRED, [bearer("a.b.c")]),
    jwt("expired", REQUIRED, [bearer(TOKENS.expired)]),
    jwt("not yet valid", REQUIRED, [bearer(TOKENS.early)]),
    jwt("bad signature", REQUIRED, [bearer(`${TOKENS.good.slice(0, -6)}AAAAAA`)]),
    jwt("another issuer", REQUIRED, [bearer(TOKENS.otherIssuer)]),
    jwt("unknown key", REQUIRED, [bearer(TOKENS.otherKey)]),
    jwt("algorithm none", REQUIRED, [bearer(TOKENS.none)]),
    jwt("audience", REQUIRED, [bearer(TOKENS.good)], { audiences: ["app"] }),
    jwt("another audience", REQUIRED, [bearer(TOKENS.good)], { audiences: ["other"] }),
    jwt("not required", { allow_missing: {} }, []),
    jwt("not required, but bad", { allow_missing: {} }, [bearer("nonsense")]),
    jwt("failing is allowed", { allow_missing_or_failed: {} }, [bearer("nonsense")]),
    jwt("one of several", { requires_any: { requirements: [REQUIRED, { allow_missing: {} }] } }, []),
    jwt("removed before the upstream", REQUIRED, [bearer(TOKENS.good)], { forward: false }),
    jwt("payload in a header", REQUIRED, [bearer(TOKENS.good)], { forward_payload_header: "x-payload" }),
    jwt("claim in a header", REQUIRED, [bearer(TOKENS.good)], { claim_to_headers: [{ header_name: "x-sub", claim_name: "sub" }] }),
    jwt("from another header", REQUIRED, [["x-token", `Pre ${TOKENS.good}`]], { from_headers: [{ name: "x-token", value_prefix: "Pre " }] }),
    row("JWT: from a parameter", filtered(jwtFilter(REQUIRED, { from_params: ["token"] })), get(`/p?token=${TOKENS.good}`)),
    row("JWT: no rule for the path", filtered(jwtFilter(undefined, {}, { rules: [{ match: { prefix: "/other" }, requires: REQUIRED }] })), get("/p")),
    ...remote("good token", "jwks", bearer(TOKENS.good)),
    ...remote("no token, no fetch", "closed", undefined),
    ...remote("bad signature", "jwks", bearer(`${TOKENS.good.slice(0, -6)}AAAAAA`)),
    ...remote("unknown key", "jwks", bearer(TOKENS.otherKey)),
    ...remote("another issuer, no fetch", "closed", bearer(TOKENS.otherIssuer)),
    ...remote("the keys are not there", "closed", bearer(TOKENS.good)),
    ...remote("the keys are none", "echo", bearer(TOKENS.good)),
    ...remote("fetched beforehand", "jwks", bearer(TOKENS.good), { async_fetch: {} }),
    extAuthz("allowed"),
    extAuthz("headers for the upstream", {}, { headers: [["x-authz-want", "add"]] }),
    extAuthz("denied", {}, { headers: [["x-authz-want", "deny"]] }),
    extAuthz("denied with 401 and headers", {}, { headers: [["x-authz-want", "unauthorized"]] }),
    extAuthz("an error of the service", {}, { headers: [["x-authz-want", "error"]] }),
    extAuthz("an error of the service, but that is allowed", { failure_mode_allow: true }, { headers: [["x-authz-want", "error"]] }),
    extAuthz("an error with a status of our own", { status_on_error: { code: "ServiceUnavailable" } }, { headers: [["x-authz-want", "error"]] }),
    extAuthz("the service is not there", {}, {}, "closed"),
    extAuthz("with the body", { with_request_body: { max_request_bytes: 100, allow_partial_message: true } }, { method: "POST", body: "hello" }),
    extAuthz("a body that is too large", { with_request_body: { max_request_bytes: 3 } }, { method: "POST", body: "hello" }),
    cors(FULL, "preflight", preflight("http://good.test")),
    cors(FULL, "preflight by regex", preflight("http://a.good.test")),
    cors(FULL, "preflight of another origin", preflight("http://bad.test")),
    cors(ORIGIN, "preflight, little allowed", preflight("http://good.test")),
    cors(FULL, "request", get("/", [["origin", "http://good.test"]])),
    cors(FULL, "request of another origin", get("/", [["origin", "http://bad.test"]])),
    cors(FULL, "request without origin", get()),
    cors(FULL, "OPTIONS that is no preflight", get("/", [["origin", "http://good.test"]], { method: "OPTIONS" })),
    cors({ ...ORIGIN, filter_enabled: { default_value: { numerator: 0 } } }, "switched off", preflight("http://good.test")),
    fault("abort", { abort: { http_status: 418, ...always } }),
    fault("abort, gRPC status for others", { abort: { grpc_status: 14, ...always } }),
    fault("abort, for gRPC", { abort: { grpc_status: 14, ...always } }, { h2: { method: "POST", headers: [["content-type", "application/grpc"]], body: "" } }),
    fault("abort of nothing", { abort: { http_status: 418, percentage: { numerator: 0 } } }),
    fault("delay", { delay: { fixed_delay: "0.1s", ...always } }),
    fault("delay and abort", { delay: { fixed_delay: "0.05s", ...always }, abort: { http_status: 503, ...always } }),
    fault("only for a header", { abort: { http_status: 418, ...always }, headers: [{ name: "x-f", string_match: { exact: "1" } }] }),
    fault("for that header", { abort: { http_status: 418, ...always }, headers: [{ name: "x-f", string_match: { exact: "1" } }] }, get("/", [["x-f", "1"]])),
    fault("abort asked for by a header", { abort: { header_abort: {}, ...always } }, get("/", [["x-envoy-fault-abort-request", "503"]])),
    fault("delay asked for by a header", { delay: { header_delay: {}, ...always } }, get("/", [["x-envoy-fault-delay-request", "50"]])),
    limited("under it", bucket(3), 3),
    limited("over it", bucket(2), 3),
    limited("over it, another status", { ...bucket(1), status: { code: "ServiceUnavailable" } }, 2),
    limited("over it, not enforced", { ...bucket(1), filter_enforced: { default_value: { numerator: 0 } } }, 2),
    limited("over it, headers", { ...bucket(1), response_headers_to_add: [{ header: { key: "x-limited", value: "yes" } }] }, 2),
    limited("over it, gRPC", bucket(1), 2, { h2: { method: "POST", headers: [["content-type", "application/grpc"]], body: "" } }),
    row(
      "gRPC-Web: a request",
      filtered(httpFilter("envoy.filters.http.grpc_web", typed(`${F}grpc_web.v3.GrpcWeb`)), { routes: [route({ prefix: "/" }, { cluster: "grpc-web" })] }),
      get("/s/m", [["content-type", "application/grpc-web"]], { method: "POST", body: "\0\0\0\0\0" }),
      { clusters: [cluster("grpc-web", ["h2"], http2Upstream)] },
    ),
  ],
};
