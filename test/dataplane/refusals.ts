import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, direct, http, route, tcpProxy, typed } from "./row.ts";

/** Configurations that nobody can run as they are meant: both proxies must refuse them, and say why. */
export interface Refusal {
  readonly name: string;
  readonly kind: "listener" | "cluster";
  readonly resource: JsonObject;
  /** What the reason must name, whatever its words. */
  readonly about: RegExp;
}

const HTTP = "envoy.extensions.filters.http.";
const NET = "envoy.extensions.filters.network.";
const ADDRESS: JsonObject = { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } };

const listener = (name: string, resource: JsonObject, about: RegExp): Refusal => ({
  name,
  kind: "listener",
  resource: { name: "refused", ...ADDRESS, ...resource },
  about,
});
/** A control plane may send a cluster later. */
const LATER = { routeConfig: { validate_clusters: false } };
const filter = (name: string, type: string, config: JsonObject, about: RegExp): Refusal =>
  listener(
    name,
    http({ ...LATER, hcm: { access_log: [] }, filters: [{ name: `envoy.filters.http.${type.split(".")[0]}`, typed_config: typed(HTTP + type, config) }] }),
    about,
  );
const routed = (name: string, options: Parameters<typeof http>[0], about: RegExp): Refusal =>
  listener(name, http({ ...LATER, ...options, hcm: { access_log: [], ...options?.hcm } }), about);
const network = (name: string, type: string, config: JsonObject, about: RegExp): Refusal =>
  listener(name, { filter_chains: [{ filters: [{ name: "n", typed_config: typed(NET + type, config) }, tcpProxy("tcp", { access_log: [] })] }] }, about);
const clustered = (name: string, more: JsonObject, about: RegExp): Refusal => ({
  name,
  kind: "cluster",
  resource: { ...cluster("refused", []), load_assignment: { cluster_name: "refused" }, ...more },
  about,
});
const unknown = (type: string): JsonObject => typed("xds.type.v3.TypedStruct", { type_url: `type.googleapis.com/${type}`, value: {} });
const logged = (format: string): JsonObject => ({
  name: "f",
  typed_config: typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", {
    path: "/dev/null",
    log_format: { text_format_source: { inline_string: format } },
  }),
});
const any = { any: true };
const rbac = (permission: JsonObject, principal: JsonObject = any): JsonObject => ({
  rules: { policies: { p: { permissions: [permission], principals: [principal] } } },
});
const FILTER_CONFIG = "envoy.config.route.v3.FilterConfig";
const perRoute = (name: string, type: string, config: JsonObject, about: RegExp): Refusal =>
  routed(name, { routes: [direct({ prefix: "/" }, "d", { typed_per_filter_config: { f: typed(type, config) } })] }, about);
const ROUTE = route({ prefix: "/" });

export const REFUSALS: readonly Refusal[] = [
  // ---- HTTP filters
  listener(
    "an unknown HTTP filter",
    http({ ...LATER, hcm: { access_log: [] }, filters: [{ name: "who.knows", typed_config: unknown("who.knows.Filter") }] }),
    /who\.knows/,
  ),
  filter("RBAC by an unknown permission", "rbac.v3.RBAC", rbac({}), /rule|permission/i),
  filter("RBAC by a bad range", "rbac.v3.RBAC", rbac({ destination_ip: { address_prefix: "nowhere", prefix_len: 8 } }), /nowhere|ip/i),
  filter("RBAC by a bad expression", "rbac.v3.RBAC", rbac({ url_path: { path: { safe_regex: { regex: "(" } } } }), /regex|\(|parenthesis/i),
  filter(
    "a matcher tree by a query parameter",
    "rbac.v3.RBAC",
    {
      matcher: {
        matcher_tree: {
          input: { name: "i", typed_config: typed("envoy.extensions.matching.common_inputs.network.v3.SourceTypeInput") },
          exact_match_map: { map: { a: { action: { name: "a", typed_config: typed("envoy.config.rbac.v3.Action", { name: "a" }) } } } },
        },
      },
    },
    /cannot match on/,
  ),
  filter(
    "a token's provider that is not there",
    "jwt_authn.v3.JwtAuthentication",
    { rules: [{ match: { prefix: "/" }, requires: { provider_name: "nobody" } }] },
    /nobody/,
  ),
  filter(
    "a token's keys that are none",
    "jwt_authn.v3.JwtAuthentication",
    { providers: { p: { issuer: "i", local_jwks: { inline_string: "{" } } } },
    /jwks|key/i,
  ),
  filter(
    "a bucket that fills too fast",
    "local_ratelimit.v3.LocalRateLimit",
    { stat_prefix: "l", token_bucket: { max_tokens: 1, tokens_per_fill: 1, fill_interval: "0.01s" } },
    /50ms|fill/i,
  ),
  filter("a buffer without a size", "buffer.v3.Buffer", {}, /MaxRequestBytes/),
  filter("a health check without its mode", "health_check.v3.HealthCheck", {}, /PassThroughMode/),
  filter("a health check's cache without the application", "health_check.v3.HealthCheck", { pass_through_mode: false, cache_time: "1s" }, /cache_time/),
  filter("a header rule without a header", "header_to_metadata.v3.Config", { request_rules: [{ on_header_present: { key: "k" } }] }, /Header/i),
  filter("a header rule that does nothing", "header_to_metadata.v3.Config", { request_rules: [{ header: "x" }] }, /on_header|rule/i),
  filter(
    "a change of a pseudo header",
    "header_mutation.v3.HeaderMutation",
    { mutations: { request_mutations: [{ append: { header: { key: ":path", value: "/" } } }] } },
    /host headers may not be modified/,
  ),
  filter("a compressor without a library", "compressor.v3.Compressor", {}, /CompressorLibrary|implementation/i),
  filter("a password in another form", "basic_auth.v3.BasicAuth", { users: { inline_string: "joe:$apr1$xyz" } }, /htpasswd|SHA/),
  filter("no passwords", "basic_auth.v3.BasicAuth", { users: { inline_string: "" } }, /DataSource cannot be empty/),
  filter("CSRF without its share", "csrf.v3.CsrfPolicy", {}, /FilterEnabled/),
  // ---- routes
  routed(
    "one domain twice",
    {
      virtualHosts: [
        { name: "v", domains: ["a"], routes: [ROUTE] },
        { name: "w", domains: ["a"], routes: [ROUTE] },
      ],
    },
    /Duplicate entry of domain a/,
  ),
  routed(
    "one wildcard domain twice",
    {
      virtualHosts: [
        { name: "v", domains: ["*.a"], routes: [ROUTE] },
        { name: "w", domains: ["*.a"], routes: [ROUTE] },
      ],
    },
    /Duplicate entry of domain \*\.a/,
  ),
  routed(
    "two virtual hosts for all",
    {
      virtualHosts: [
        { name: "v", domains: ["*"], routes: [ROUTE] },
        { name: "w", domains: ["*"], routes: [ROUTE] },
      ],
    },
    /single wildcard domain/,
  ),
  routed("no domain", { virtualHosts: [{ name: "v", domains: [], routes: [ROUTE] }] }, /Domains/),
  routed("a route without an action", { routes: [{ match: { prefix: "/" } }] }, /action/i),
  routed("a route without a match", { routes: [{ route: { cluster: "echo" } }] }, /Match/),
  routed("a bad expression for paths", { routes: [route({ safe_regex: { regex: "[" } })] }, /\[|regex/i),
  routed(
    "a bad expression for headers",
    { routes: [route({ prefix: "/", headers: [{ name: "x", string_match: { safe_regex: { regex: "*" } } }] })] },
    /\*|regex/i,
  ),
  routed("an expression that looks ahead", { routes: [route({ safe_regex: { regex: "/a(?=b)" } })] }, /invalid perl operator: \(\?=/),
  routed("an expression that looks back", { routes: [route({ safe_regex: { regex: "/(?<!a)b" } })] }, /invalid perl operator: \(\?<!/),
  routed("an expression with a back reference", { routes: [route({ safe_regex: { regex: "/(a)\\1" } })] }, /invalid escape sequence: \\1/),
  routed("a possessive repetition", { routes: [route({ safe_regex: { regex: "/a++" } })] }, /bad repetition operator: \+\+/),
  routed("a repetition of a thousand and one", { routes: [route({ safe_regex: { regex: "/a{1001}" } })] }, /invalid repetition size: \{1001\}/),
  routed("a character beyond a byte", { routes: [route({ safe_regex: { regex: "/\\x{100}" } })] }, /invalid escape sequence: \\x\{100/),
  routed("an unknown class", { routes: [route({ safe_regex: { regex: "/[[:foo:]]" } })] }, /invalid character class range: \[:foo:\]/),
  routed("an empty expression", { routes: [route({ safe_regex: { regex: "" } })] }, /Regex/),
  routed(
    "a bad expression for a rewrite",
    { routes: [route({ prefix: "/" }, { regex_rewrite: { pattern: { regex: "(?!a)" }, substitution: "x" } })] },
    /invalid perl operator: \(\?!/,
  ),
  routed("weights of nothing", { routes: [{ match: { prefix: "/" }, route: { weighted_clusters: { clusters: [{ name: "echo", weight: 0 }] } } }] }, /weight/i),
  routed(
    "a header that may not be changed",
    { routes: [route({ prefix: "/" }, {}, { request_headers_to_add: [{ header: { key: ":method", value: "GET" } }] })] },
    /host headers may not be modified/,
  ),
  routed(
    "a header with an unknown command",
    { routes: [route({ prefix: "/" }, {}, { request_headers_to_add: [{ header: { key: "x", value: "%WHO_KNOWS%" } }] })] },
    /WHO_KNOWS/,
  ),
  routed(
    "an unknown filter of a route",
    { routes: [direct({ prefix: "/" }, "d", { typed_per_filter_config: { "who.knows": unknown("who.knows.PerRoute") } })] },
    /who\.knows/,
  ),
  routed(
    "an unknown predicate for retries",
    {
      routes: [
        route(
          { prefix: "/" },
          { retry_policy: { retry_on: "5xx", retry_host_predicate: [{ name: "who.knows", typed_config: unknown("who.knows.Predicate") }] } },
        ),
      ],
    },
    /who\.knows/,
  ),
  // ---- what routes say for filters
  perRoute("an empty configuration of a filter", FILTER_CONFIG, {}, /Empty route\/virtual host per filter configuration for f filter/),
  perRoute(
    "a bad expression in a route's RBAC",
    `${HTTP}rbac.v3.RBACPerRoute`,
    { rbac: rbac({ url_path: { path: { safe_regex: { regex: "(" } } } }) },
    /missing \): \(/,
  ),
  perRoute("a route's abort without a status", `${HTTP}fault.v3.HTTPFault`, { abort: { percentage: { numerator: 1 } } }, /error_type/),
  perRoute("a route's buffer that is neither on nor off", `${HTTP}buffer.v3.BufferPerRoute`, {}, /override/),
  perRoute(
    "a route's bucket that fills too fast",
    `${HTTP}local_ratelimit.v3.LocalRateLimit`,
    { stat_prefix: "s", token_bucket: { max_tokens: 1, fill_interval: "0.001s" } },
    /50ms/,
  ),
  perRoute("a route's header rule that does nothing", `${HTTP}header_to_metadata.v3.Config`, { request_rules: [{ header: "x" }] }, /on_header|rule/i),
  perRoute(
    "a bad expression for a route's origins",
    `${HTTP}cors.v3.CorsPolicy`,
    { allow_origin_string_match: [{ safe_regex: { regex: "(" } }] },
    /missing \): \(/,
  ),
  perRoute(
    "a route's change of a pseudo header",
    `${HTTP}header_mutation.v3.HeaderMutationPerRoute`,
    { mutations: { request_mutations: [{ append: { header: { key: ":path", value: "/" } } }] } },
    /host headers may not be modified/,
  ),
  perRoute("a route's passwords in another form", `${HTTP}basic_auth.v3.BasicAuthPerRoute`, { users: { inline_string: "joe:$apr1$xyz" } }, /htpasswd|SHA/),
  perRoute(
    "a route's bad value in a wrapper",
    FILTER_CONFIG,
    { config: typed(`${HTTP}buffer.v3.BufferPerRoute`, { buffer: { max_request_bytes: 0 } }) },
    /MaxRequestBytes/,
  ),
  // ---- clusters that are not there
  routed("an unknown cluster", { routeConfig: {}, routes: [route({ prefix: "/" }, { cluster: "nobody" })] }, /route: unknown cluster 'nobody'/),
  routed(
    "an unknown weighted cluster",
    { routeConfig: {}, routes: [{ match: { prefix: "/" }, route: { weighted_clusters: { clusters: [{ name: "nobody", weight: 1 }] } } }] },
    /route: unknown weighted cluster 'nobody'/,
  ),
  // ---- values
  routed("a virtual host without a name", { virtualHosts: [{ name: "", domains: ["*"], routes: [ROUTE] }] }, /VirtualHostValidationError\.Name/),
  routed(
    "an answer with status 99",
    { routes: [direct({ prefix: "/" }, "d", { direct_response: { status: 99 } })] },
    /DirectResponseActionValidationError\.Status/,
  ),
  routed(
    "a header without a name",
    { routes: [route({ prefix: "/" }, {}, { request_headers_to_add: [{ header: { key: "", value: "v" } }] })] },
    /HeaderValueValidationError\.Key/,
  ),
  routed("a header name of two lines", { routes: [route({ prefix: "/" }, {}, { request_headers_to_remove: ["a\nb"] })] }, /RequestHeadersToRemove/),
  routed(
    "a back-off without its beginning",
    { routes: [route({ prefix: "/" }, { retry_policy: { retry_on: "5xx", retry_back_off: {} } })] },
    /RetryBackOffValidationError\.BaseInterval/,
  ),
  routed("a hash of nothing", { routes: [route({ prefix: "/" }, { hash_policy: [{}] })] }, /policy_specifier/),
  routed(
    "a match of an empty prefix",
    { routes: [route({ prefix: "/", headers: [{ name: "x", string_match: { prefix: "" } }] })] },
    /StringMatcherValidationError\.Prefix/,
  ),
  routed(
    "a match of a header without a name",
    { routes: [route({ prefix: "/", headers: [{ name: "", present_match: true }] })] },
    /HeaderMatcherValidationError\.Name/,
  ),
  routed("a manager without statistics", { hcm: { stat_prefix: "" } }, /HttpConnectionManagerValidationError\.StatPrefix/),
  routed("a codec that is none", { hcm: { codec_type: 9 } }, /CodecType/),
  clustered("no name", { name: "" }, /name/i),
  clustered("no time to connect", { connect_timeout: "0s" }, /ConnectTimeout/),
  clustered("more ejected than there are", { outlier_detection: { max_ejection_percent: 101 } }, /MaxEjectionPercent/),
  clustered(
    "a health check without its time",
    { health_checks: [{ interval: "1s", unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {} }] },
    /HealthCheckValidationError\.Timeout/,
  ),
  clustered(
    "a health check of nothing",
    { health_checks: [{ timeout: "1s", interval: "1s", unhealthy_threshold: 1, healthy_threshold: 1 }] },
    /health_checker/,
  ),
  clustered(
    "a share of requests beyond all",
    { circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 101 } } }] } },
    /PercentValidationError\.Value/,
  ),
  clustered(
    "an endpoint of no weight",
    {
      load_assignment: {
        cluster_name: "refused",
        endpoints: [{ lb_endpoints: [{ load_balancing_weight: 0, endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: 1 } } } }] }],
      },
    },
    /LoadBalancingWeight/,
  ),
  clustered("a priority beyond all", { load_assignment: { cluster_name: "refused", endpoints: [{ priority: 129, lb_endpoints: [] }] } }, /Priority/),
  // ---- access logs
  routed("an unknown command of a log", { hcm: { access_log: [logged("%WHO_KNOWS%\n")] } }, /WHO_KNOWS/),
  routed("a command without its end", { hcm: { access_log: [logged("%REQ(X\n")] } }, /command/i),
  routed("an unknown kind of log", { hcm: { access_log: [{ name: "who.knows", typed_config: unknown("who.knows.Log") }] } }, /who\.knows/),
  routed("a gRPC status in another form", { hcm: { access_log: [logged("%GRPC_STATUS(LOUD)%\n")] } }, /GrpcStatus/i),
  // ---- listeners
  listener("no chain", {}, /no filter chains/),
  listener(
    "two chains for the same connections",
    { filter_chains: [{ filters: [tcpProxy("tcp", { access_log: [] })] }, { filters: [tcpProxy("tcp", { access_log: [] })] }] },
    /same matching rules|multiple filter chains/i,
  ),
  listener(
    "a partial wildcard",
    { filter_chains: [{ filter_chain_match: { server_names: ["a*.test"] }, filters: [tcpProxy("tcp", { access_log: [] })] }] },
    /wildcard/,
  ),
  listener("an unknown network filter", { filter_chains: [{ filters: [{ name: "who.knows", typed_config: unknown("who.knows.Filter") }] }] }, /who\.knows/),
  listener(
    "an unknown listener filter",
    {
      listener_filters: [{ name: "who.knows", typed_config: unknown("who.knows.Filter") }],
      filter_chains: [{ filters: [tcpProxy("tcp", { access_log: [] })] }],
    },
    /who\.knows/,
  ),
  listener(
    "a matcher without names of chains",
    {
      filter_chain_matcher: {
        on_no_match: { action: { name: "a", typed_config: typed("google.protobuf.StringValue", { value: "a" }) } },
        matcher_tree: {
          input: { name: "i", typed_config: typed("envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput") },
          exact_match_map: { map: { 1: { action: { name: "a", typed_config: typed("google.protobuf.StringValue", { value: "a" }) } } } },
        },
      },
      filter_chains: [{ filters: [tcpProxy("tcp", { access_log: [] })] }],
    },
    /"name" field is required/,
  ),
  listener(
    "an unknown transport socket",
    { filter_chains: [{ filters: [tcpProxy("tcp", { access_log: [] })], transport_socket: { name: "who.knows", typed_config: unknown("who.knows.Socket") } }] },
    /who\.knows/,
  ),
  listener(
    "a TCP proxy to nowhere",
    { filter_chains: [{ filters: [{ name: "n", typed_config: typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", { stat_prefix: "t" }) }] }] },
    /cluster_?specifier/i,
  ),
  network(
    "a rate of connections that fills too fast",
    "local_ratelimit.v3.LocalRateLimit",
    { stat_prefix: "r", token_bucket: { max_tokens: 1, tokens_per_fill: 1, fill_interval: "0.01s" } },
    /50ms|fill/i,
  ),
  network(
    "network RBAC by headers",
    "rbac.v3.RBAC",
    {
      stat_prefix: "r",
      matcher: {
        matcher_tree: {
          input: { name: "i", typed_config: typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", { header_name: "x" }) },
          exact_match_map: { map: { a: { action: { name: "a", typed_config: typed("envoy.config.rbac.v3.Action", { name: "a" }) } } } },
        },
      },
    },
    /cannot match on|HttpRequestHeaderMatchInput/,
  ),
  // ---- clusters
  clustered("EDS without a source", { type: "EDS" }, /EDS config/i),
  clustered(
    "an unknown policy",
    { load_balancing_policy: { policies: [{ typed_extension_config: { name: "who.knows", typed_config: unknown("who.knows.Policy") } }] } },
    /who\.knows/,
  ),
  clustered("an unknown transport socket upstream", { transport_socket: { name: "who.knows", typed_config: unknown("who.knows.Socket") } }, /who\.knows/),
  clustered("a policy of original destinations", { lb_policy: "CLUSTER_PROVIDED" }, /cluster[ _]provided/i),
  clustered(
    "the protocol by ALPN, without TLS",
    {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", { auto_config: {} }),
      },
    },
    /non-ALPN transport socket/,
  ),
  clustered(
    "subsets that fall back to themselves",
    { lb_subset_config: { subset_selectors: [{ keys: ["a"], fallback_policy: "KEYS_SUBSET", fallback_keys_subset: ["a"] }] } },
    /fallback_keys_subset/,
  ),
  clustered(
    "subsets that fall back to other keys",
    { lb_subset_config: { subset_selectors: [{ keys: ["a"], fallback_policy: "KEYS_SUBSET", fallback_keys_subset: ["b"] }] } },
    /fallback_keys_subset/,
  ),
  clustered("an endpoint that is none", { load_assignment: { cluster_name: "refused", endpoints: [{ lb_endpoints: [{}] }] } }, /Address must be set/i),
  clustered(
    "names of servers without a root",
    {
      transport_socket: {
        name: "tls",
        typed_config: typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
          common_tls_context: { validation_context: { match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "a" } }] } },
        }),
      },
    },
    /SAN-based verification of peer certificates without trusted CA/,
  ),
  clustered("an endpoint without an address", { load_assignment: { cluster_name: "refused", endpoints: [{ lb_endpoints: [{ endpoint: {} }] }] } }, /address/i),
  clustered(
    "an endpoint by name in a STATIC cluster",
    {
      load_assignment: {
        cluster_name: "refused",
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: "localhost", port_value: 1 } } } }] }],
      },
    },
    /localhost|malformed IP/i,
  ),
];
