import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, direct, endpoint, fileLog, get, http, route, row, tcp, typed, type Call, type Group, type HttpRequest, type Row, type Want } from "../row.ts";

/** HTTP filters that people add to what Istio configures. */

const F = "envoy.extensions.filters.http.";

function filtered(name: string, filters: readonly JsonObject[], call: Call | readonly Call[], more: Parameters<typeof http>[0] = {}): Row {
  return row(name, http({ filters, ...more }), call);
}
const named = (name: string, type: string, config: JsonObject): JsonObject => ({
  name: `envoy.filters.http.${name}`,
  typed_config: typed(`${F}${type}`, config),
});

// ---- metadata

const setMetadata = (config: JsonObject): JsonObject => named("set_metadata", "set_metadata.v3.Config", config);
const LOG_METADATA = "%DYNAMIC_METADATA(ns)% %DYNAMIC_METADATA(ns:a)% %DYNAMIC_METADATA(other)%";
const metadata = (name: string, ...configs: readonly JsonObject[]): Row =>
  filtered(`set metadata: ${name}`, configs.map(setMetadata), get(), { log: LOG_METADATA });
const set = (values: JsonObject, more: JsonObject = {}): JsonObject => ({ metadata: [{ metadata_namespace: "ns", value: values, ...more }] });

const setMetadataRows: readonly Row[] = [
  metadata("a value", set({ a: "1" })),
  metadata("two namespaces", {
    metadata: [
      { metadata_namespace: "ns", value: { a: 1 } },
      { metadata_namespace: "other", value: { b: true } },
    ],
  }),
  metadata("the second is denied", set({ a: "1" }), set({ a: "2", b: "3" })),
  metadata("the second overwrites", set({ a: "1", c: "c" }), set({ a: "2", b: "3" }, { allow_overwrite: true })),
  metadata("lists are joined", set({ a: ["1"], s: { x: 1 } }), set({ a: ["2"], s: { y: 2 } }, { allow_overwrite: true })),
  metadata("the older way", { metadata_namespace: "ns", value: { a: "1" } }, { metadata_namespace: "ns", value: { a: "2", b: [1] } }),
];

const fromHeaders = (
  name: string,
  config: JsonObject,
  call: Call,
  log = "%DYNAMIC_METADATA(ns)% %DYNAMIC_METADATA(envoy.filters.http.header_to_metadata)%",
): Row => filtered(`header to metadata: ${name}`, [named("header_to_metadata", "header_to_metadata.v3.Config", config)], call, { log });
const rule = (present: JsonObject | undefined, more: JsonObject = {}): JsonObject => ({
  request_rules: [{ header: "x-a", ...(present && { on_header_present: { metadata_namespace: "ns", key: "k", ...present } }), ...more }],
});
const withA = get("/", [["x-a", "one"]]);

const headerToMetadata: readonly Row[] = [
  fromHeaders("its value", rule({}), withA),
  fromHeaders("a value of ours", rule({ value: "other" }), withA),
  fromHeaders("missing", rule({}), get()),
  fromHeaders("missing, and said so", rule({}, { on_header_missing: { metadata_namespace: "ns", key: "k", value: "none" } }), get()),
  fromHeaders("removed", rule({}, { remove: true }), withA),
  fromHeaders("a number", rule({ type: "NUMBER" }), get("/", [["x-a", "12.5"]])),
  fromHeaders("a number that is none", rule({ type: "NUMBER" }), withA),
  fromHeaders("base64", rule({ encode: "BASE64" }), get("/", [["x-a", "aGVsbG8="]])),
  fromHeaders(
    "by a pattern",
    rule({ regex_value_rewrite: { pattern: { google_re2: {}, regex: "^/?([a-z]+)-.*$" }, substitution: "\\1" } }),
    get("/", [["x-a", "abc-def"]]),
  ),
  fromHeaders(
    "a cookie",
    { request_rules: [{ cookie: "c", on_header_present: { metadata_namespace: "ns", key: "k" } }] },
    get("/", [["cookie", "b=1; c=two; d=3"]]),
  ),
  fromHeaders("its own namespace", { request_rules: [{ header: "x-a", on_header_present: { key: "k" } }] }, withA),
  fromHeaders(
    "of the response",
    { response_rules: [{ header: "x-r", on_header_present: { metadata_namespace: "ns", key: "k" }, remove: true }] },
    get("/", [], { want: { headers: [["x-r", "r"]], body: "b" } }),
  ),
];

// ---- health checks of the proxy

const health = (config: JsonObject): JsonObject => named("health_check", "health_check.v3.HealthCheck", config);
const onPath: JsonObject = { headers: [{ name: ":path", string_match: { exact: "/healthz" } }] };
const checked = (name: string, config: JsonObject, call: Call | readonly Call[], more: Partial<Row> = {}): Row =>
  row(`health: ${name}`, http({ filters: [health({ ...onPath, ...config })] }), call, more);

const healthChecks: readonly Row[] = [
  checked("answered here", { pass_through_mode: false }, [get("/healthz"), get("/other")]),
  checked("HEAD", { pass_through_mode: false }, get("/healthz", [], { method: "HEAD" })),
  checked("answered by the application", { pass_through_mode: true }, get("/healthz")),
  checked("the application's word is kept", { pass_through_mode: true, cache_time: "60s" }, [
    get("/healthz", [], { want: { status: 500, body: "sick" } }),
    get("/healthz"),
  ]),
  checked("enough hosts are healthy", { pass_through_mode: false, cluster_min_healthy_percentages: { echo: { value: 50 } } }, get("/healthz")),
  checked("too few hosts are healthy", { pass_through_mode: false, cluster_min_healthy_percentages: { "half-sick": { value: 51 } } }, get("/healthz"), {
    clusters: [
      {
        ...cluster("half-sick", []),
        load_assignment: { cluster_name: "half-sick", endpoints: [{ lb_endpoints: [endpoint("echo"), endpoint("echo2", { health_status: "UNHEALTHY" })] }] },
      },
    ],
  }),
  checked("just enough hosts are healthy", { pass_through_mode: false, cluster_min_healthy_percentages: { "half-sick-2": { value: 50 } } }, get("/healthz"), {
    clusters: [
      {
        ...cluster("half-sick-2", []),
        load_assignment: { cluster_name: "half-sick-2", endpoints: [{ lb_endpoints: [endpoint("echo"), endpoint("echo2", { health_status: "UNHEALTHY" })] }] },
      },
    ],
  }),
  checked("a cluster without hosts", { pass_through_mode: false, cluster_min_healthy_percentages: { empty: { value: 1 } } }, get("/healthz")),
  checked("a cluster that there is none of", { pass_through_mode: false, cluster_min_healthy_percentages: { nowhere: { value: 1 } } }, get("/healthz")),
  row(
    "health: not logged",
    http({ filters: [health({ ...onPath, pass_through_mode: false })], hcm: { access_log: [{ ...fileLog(), filter: { not_health_check_filter: {} } }] } }),
    [get("/healthz"), get("/other")],
  ),
];

// ---- headers

const mutation = (request: readonly JsonObject[], response: readonly JsonObject[] = []): JsonObject => ({
  mutations: { request_mutations: [...request], response_mutations: [...response] },
});
const append = (key: string, value: string, action = "APPEND_IF_EXISTS_OR_ADD"): JsonObject => ({ append: { header: { key, value }, append_action: action } });
const mutated = (
  name: string,
  config: JsonObject,
  call: Call = get("/p", [["x-a", "old"]]),
  routes = [route({ prefix: "/" })],
  more: Parameters<typeof http>[0] = {},
): Row => filtered(`header mutation: ${name}`, [named("header_mutation", "header_mutation.v3.HeaderMutation", config)], call, { routes, ...more });
const perRoute = (request: readonly JsonObject[], response: readonly JsonObject[] = []): JsonObject => ({
  typed_per_filter_config: { "envoy.filters.http.header_mutation": typed(`${F}header_mutation.v3.HeaderMutationPerRoute`, mutation(request, response)) },
});
const levels = (filter: JsonObject): Row[] => [
  mutated(
    `of all levels${filter.most_specific_header_mutations_wins ? ", the most specific wins" : ""}`,
    { ...mutation([append("x-m", "filter", "OVERWRITE_IF_EXISTS_OR_ADD")], [append("x-r", "filter")]), ...filter },
    get("/p", [], { want: { headers: [["x-r", "app"]], body: "b" } }),
    [],
    {
      virtualHosts: [
        {
          name: "v",
          domains: ["*"],
          routes: [route({ prefix: "/" }, {}, perRoute([append("x-m", "route", "OVERWRITE_IF_EXISTS_OR_ADD")], [append("x-r", "route")]))],
          ...perRoute([append("x-m", "host", "OVERWRITE_IF_EXISTS_OR_ADD")], [append("x-r", "host")]),
        },
      ],
      routeConfig: perRoute([append("x-m", "table", "OVERWRITE_IF_EXISTS_OR_ADD")], [append("x-r", "table")]),
    },
  ),
];

const mutations: readonly Row[] = [
  mutated("append", mutation([append("x-a", "new")])),
  mutated("overwrite", mutation([append("x-a", "new", "OVERWRITE_IF_EXISTS_OR_ADD")])),
  mutated("overwrite what is there", mutation([append("x-a", "new", "OVERWRITE_IF_EXISTS"), append("x-b", "new", "OVERWRITE_IF_EXISTS")])),
  mutated("add what is absent", mutation([append("x-a", "new", "ADD_IF_ABSENT"), append("x-b", "new", "ADD_IF_ABSENT")])),
  mutated("remove", mutation([{ remove: "X-A" }])),
  mutated("with what the log knows", mutation([append("x-p", "%REQ(:METHOD)% %PROTOCOL% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")])),
  mutated(
    "response",
    mutation([], [append("x-r", "new"), { remove: "x-gone" }, append("x-status", "%RESPONSE_CODE%")]),
    get("/", [], { want: { headers: [["x-gone", "1"]], body: "b" } }),
  ),
  mutated("of a direct response", mutation([], [append("x-r", "new")]), get(), [direct({ prefix: "/" }, "d")]),
  mutated("of the route too", mutation([append("x-a", "filter")]), get(), [route({ prefix: "/" }, {}, perRoute([append("x-a", "route")]))]),
  ...levels({}),
  ...levels({ most_specific_header_mutations_wins: true }),
];

// ---- whole bodies

const buffered = (name: string, call: Call | readonly Call[], config: JsonObject = { max_request_bytes: 10 }, more: Parameters<typeof http>[0] = {}): Row =>
  filtered(`buffer: ${name}`, [named("buffer", "buffer.v3.Buffer", config)], call, more);
const post = (more: HttpRequest): Call => get("/", [], { method: "POST", ...more });
const bufferPerRoute = (config: JsonObject): JsonObject => ({
  typed_per_filter_config: { "envoy.filters.http.buffer": typed(`${F}buffer.v3.BufferPerRoute`, config) },
});

const buffers: readonly Row[] = [
  buffered("no body", get()),
  buffered("with a length", post({ body: "hello" })),
  buffered("in chunks", post({ chunks: ["he", "llo"] })),
  buffered("just as large as allowed", post({ chunks: ["0123456789"] })),
  buffered("too large", post({ body: "0123456789a" })),
  buffered("too large, in chunks", post({ chunks: ["01234", "567890"] })),
  buffered("HTTP/2", { h2: { method: "POST", body: "hello", bodyAfter: 30 } }),
  buffered("with trailers", post({ chunks: ["hello"], trailers: [["x-t", "1"]] })),
  buffered("not for this route", post({ chunks: ["0123456789abc"] }), undefined, { routes: [route({ prefix: "/" }, {}, bufferPerRoute({ disabled: true }))] }),
  buffered("more for this route", post({ chunks: ["0123456789abc"] }), undefined, {
    routes: [route({ prefix: "/" }, {}, bufferPerRoute({ buffer: { max_request_bytes: 20 } }))],
  }),
];

// ---- compression

const library = (kind: "gzip" | "brotli" | "zstd"): JsonObject => ({
  compressor_library: {
    name: "text_optimized",
    typed_config: typed(`envoy.extensions.compression.${kind}.compressor.v3.${kind[0]?.toUpperCase()}${kind.slice(1)}`),
  },
});
const LONG = "compress me ".repeat(20);
const compressed = (
  name: string,
  headers: readonly (readonly [string, string])[] = [["accept-encoding", "gzip"]],
  want: Want = {},
  config: JsonObject = {},
  more: { readonly method?: string; readonly kind?: "gzip" | "brotli" | "zstd"; readonly route?: JsonObject } = {},
): Row =>
  filtered(
    `compressor: ${name}`,
    [named("compressor", "compressor.v3.Compressor", { ...library(more.kind ?? "gzip"), ...config })],
    get("/", headers, { ...(more.method && { method: more.method }), want: { body: LONG, ...want } }),
    { log: "%RESPONSE_CODE%", ...(more.route && { routes: [route({ prefix: "/" }, {}, more.route)] }) },
  );
const type = (value: string): Want => ({ headers: [["content-type", value]] });
const common = (config: JsonObject, more: JsonObject = {}): JsonObject => ({ response_direction_config: { common_config: config, ...more } });
const compressorRoute = (config: JsonObject): JsonObject => ({
  typed_per_filter_config: { "envoy.filters.http.compressor": typed(`${F}compressor.v3.CompressorPerRoute`, config) },
});

const compressors: readonly Row[] = [
  compressed("gzip"),
  compressed("brotli", [["accept-encoding", "gzip, br"]], {}, {}, { kind: "brotli" }),
  compressed("zstd", [["accept-encoding", "zstd"]], {}, {}, { kind: "zstd" }),
  compressed("nobody asks for it", []),
  compressed("another is asked for", [["accept-encoding", "br"]]),
  compressed("anything is asked for", [["accept-encoding", "*"]]),
  compressed("refused by weight", [["accept-encoding", "gzip;q=0, *"]]),
  compressed("plain is preferred", [["accept-encoding", "gzip;q=0.5, identity;q=1"]]),
  compressed("weights", [["accept-encoding", "br;q=0.9, gzip;q=0.5"]]),
  compressed("too short", undefined, { body: "short" }),
  compressed("shorter than the least", undefined, {}, common({ min_content_length: 1000 })),
  compressed("in chunks", undefined, { chunks: ["compress ", "me ".repeat(30)] }),
  compressed("JSON", undefined, type("application/json; charset=utf-8")),
  compressed("images are left", undefined, type("image/png")),
  compressed("types of our own", undefined, type("image/png"), common({ content_type: ["image/png"] })),
  compressed("compressed already", undefined, { headers: [["content-encoding", "br"]] }),
  compressed("not to be transformed", undefined, { headers: [["cache-control", "max-age=1, no-transform"]] }),
  compressed("a strong tag", undefined, { headers: [["etag", '"1"']] }),
  compressed("a weak tag", undefined, { headers: [["etag", 'W/"1"']] }),
  compressed("not with a tag", undefined, { headers: [["etag", '"1"']] }, common({}, { disable_on_etag_header: true })),
  compressed("varies already", undefined, { headers: [["vary", "Cookie"]] }),
  compressed("varies by that already", undefined, { headers: [["vary", "Accept-Encoding"]] }),
  compressed("HEAD", undefined, {}, {}, { method: "HEAD" }),
  compressed("the application does not see what is asked for", undefined, {}, common({}, { remove_accept_encoding_header: true })),
  filtered(
    "compressor: from HTTP/2, without a length",
    [named("compressor", "compressor.v3.Compressor", library("gzip"))],
    get("/", [["accept-encoding", "gzip"]], { want: { body: LONG } }),
    { log: "%RESPONSE_CODE%", routes: [route({ prefix: "/" }, { cluster: "h2" })] },
  ),
  filtered("compressor: a direct response", [named("compressor", "compressor.v3.Compressor", library("gzip"))], get("/", [["accept-encoding", "gzip"]]), {
    log: "%RESPONSE_CODE%",
    routes: [direct({ prefix: "/" }, LONG)],
  }),
  compressed("off", undefined, {}, common({ enabled: { default_value: false, runtime_key: "none" } })),
  compressed("off for this route", undefined, {}, {}, { route: compressorRoute({ disabled: true }) }),
  filtered(
    "compressor: requests",
    [
      named("compressor", "compressor.v3.Compressor", {
        ...library("gzip"),
        request_direction_config: { common_config: { enabled: { default_value: true, runtime_key: "none" } } },
      }),
    ],
    post({ headers: [["content-type", "text/plain"]], body: LONG, want: { body: "taken" } }),
    { log: "%RESPONSE_CODE%" },
  ),
];

// ---- names and passwords, origins

const users: JsonObject = { users: { inline_string: "joe:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\njane:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=" } };
const basic = (text: string): [string, string] => ["authorization", `Basic ${Buffer.from(text).toString("base64")}`];
const authenticated = (name: string, headers: readonly (readonly [string, string])[], more: JsonObject = {}, routes = [route({ prefix: "/" })]): Row =>
  filtered(`basic auth: ${name}`, [named("basic_auth", "basic_auth.v3.BasicAuth", { ...users, ...more })], get("/p?q", headers), { routes });

const basicAuth: readonly Row[] = [
  authenticated("known", [basic("joe:123456")]),
  authenticated("without a word", []),
  authenticated("another password", [basic("joe:1234567")]),
  authenticated("nobody", [basic("jim:123456")]),
  authenticated("another scheme", [["authorization", "Bearer abc"]]),
  authenticated("no colon", [basic("joe")]),
  authenticated("the name goes on", [basic("jane:password")], { forward_username_header: "X-User" }),
  authenticated("a name of other letters goes on", [basic("jörg:password")], {
    users: { inline_string: "jörg:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=" },
    forward_username_header: "X-User",
  }),
  authenticated("off for this route", [], {}, [
    route(
      { prefix: "/" },
      {},
      { typed_per_filter_config: { "envoy.filters.http.basic_auth": typed("envoy.config.route.v3.FilterConfig", { disabled: true }) } },
    ),
  ]),
  authenticated("others for this route", [basic("joe:123456")], {}, [
    route(
      { prefix: "/" },
      {},
      {
        typed_per_filter_config: {
          "envoy.filters.http.basic_auth": typed(`${F}basic_auth.v3.BasicAuthPerRoute`, { users: { inline_string: "jane:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=" } }),
        },
      },
    ),
  ]),
];

const csrf = (name: string, headers: readonly (readonly [string, string])[], config: JsonObject = {}, more: HttpRequest = {}): Row =>
  filtered(
    `CSRF: ${name}`,
    [named("csrf", "csrf.v3.CsrfPolicy", { filter_enabled: { default_value: { numerator: 100 } }, ...config })],
    get("/", headers, { method: "POST", body: "b", ...more }),
  );

const forgeries: readonly Row[] = [
  csrf("the same host", [["origin", "http://row.test"]]),
  csrf("another host", [["origin", "http://evil.test"]]),
  csrf("no origin", []),
  csrf("by the referer", [["referer", "http://row.test/page"]]),
  csrf("by another referer", [["referer", "http://evil.test/page"]]),
  csrf("another port", [["origin", "http://row.test:8080"]]),
  csrf("one of ours", [["origin", "http://friend.test"]], { additional_origins: [{ suffix: "friend.test" }] }),
  csrf("GET changes nothing", [["origin", "http://evil.test"]], {}, { method: "GET", body: undefined as never }),
  csrf("only counted", [["origin", "http://evil.test"]], {
    filter_enabled: { default_value: { numerator: 0 } },
    shadow_enabled: { default_value: { numerator: 100 } },
  }),
];

// ---- answers of the proxy's own

const statusIs = (code: number): JsonObject => ({ status_code_filter: { comparison: { op: "EQ", value: { default_value: code, runtime_key: "none" } } } });
const own = (name: string, config: JsonObject, call: Call | readonly Call[] = [get("/missing"), get("/down")]): Row =>
  row(
    `local reply: ${name}`,
    http({
      hcm: { local_reply_config: config },
      routes: [route({ path: "/down" }, { cluster: "closed" }), route({ path: "/up" }), direct({ path: "/direct" }, "said directly")],
    }),
    call,
  );
const mapper = (more: JsonObject, filter = statusIs(404)): JsonObject => ({ mappers: [{ filter, ...more }] });
const textFormat = (text: string, more: JsonObject = {}): JsonObject => ({ text_format_source: { inline_string: text }, ...more });

const localReplies: readonly Row[] = [
  own("another status", mapper({ status_code: 410 })),
  own("another body", mapper({ body: { inline_string: "not here" } })),
  own("a body where there was none, in UTF-8", mapper({ body: { inline_string: "nicht gefunden ü" } }), get("/missing")),
  own("more headers", mapper({ headers_to_add: [{ header: { key: "x-why", value: "%RESPONSE_CODE%" } }] })),
  own("a page for all", { body_format: textFormat("<h1>%LOCAL_REPLY_BODY% %RESPONSE_CODE% %REQ(:PATH)%</h1>", { content_type: "text/html; charset=UTF-8" }) }, [
    get("/missing"),
    get("/down"),
    get("/direct"),
    get("/up", [], { want: { status: 500, body: "app" } }),
  ]),
  own("a page in UTF-8", { body_format: textFormat("\u00bb%LOCAL_REPLY_BODY%\u00ab \u2014 %REQ(x-a)%") }, get("/down", [["x-a", "\xc3\xbc"]])),
  own("JSON for all", { body_format: { json_format: { status: "%RESPONSE_CODE%", message: "%LOCAL_REPLY_BODY%", path: "%REQ(:PATH)%" } } }, [
    get("/missing"),
    get("/down"),
  ]),
  own("a page for one", {
    ...mapper({ status_code: 503, body: { inline_string: "gone" }, body_format_override: textFormat("[%LOCAL_REPLY_BODY%] %RESPONSE_CODE%") }),
    body_format: textFormat("{%LOCAL_REPLY_BODY%}"),
  }),
  own("by flag", mapper({ body: { inline_string: "down" } }, { response_flag_filter: { flags: ["UF"] } })),
  own("the first that fits", {
    mappers: [
      { filter: statusIs(404), body: { inline_string: "first" } },
      { filter: statusIs(404), body: { inline_string: "second" } },
    ],
  }),
  own("HEAD", { body_format: textFormat("page") }, get("/missing", [], { method: "HEAD" })),
  own("gRPC", mapper({ status_code: 401, body: { inline_string: "who?" } }), {
    h2: { method: "POST", path: "/missing", headers: [["content-type", "application/grpc"]], body: "" },
  }),
  own("a request that is none", { body_format: textFormat("page: %LOCAL_REPLY_BODY%") }, { raw: [{ send: "NONSENSE\r\n\r\n" }, { rest: true }] }),
];

// ---- new connections

const rate = (name: string, config: JsonObject, calls: Call | readonly Call[], inHttp = false): Row => {
  const limit = {
    name: "envoy.filters.network.local_ratelimit",
    typed_config: typed("envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit", {
      stat_prefix: "r",
      token_bucket: { max_tokens: 2, tokens_per_fill: 1, fill_interval: "60s" },
      ...config,
    }),
  };
  return row(`connection rate: ${name}`, inHttp ? http({ before: [limit] }) : tcp("tcp", [limit]), calls);
};
const hello: Call = { raw: [{ send: "hello" }, { halfClose: true }, { rest: true }] };

const rates: readonly Row[] = [
  rate("within", {}, { ...hello, repeat: 2 }),
  rate("beyond", {}, [hello, hello, { raw: [{ rest: true }] }]),
  rate("switched off", { runtime_enabled: { default_value: false, runtime_key: "none" } }, { ...hello, repeat: 4 }),
  rate("before HTTP", {}, [get(), get(), { raw: [{ rest: true }] }], true),
];

export const moreFilters: Group = {
  name: "more filters",
  rows: [
    ...setMetadataRows,
    ...headerToMetadata,
    ...healthChecks,
    ...mutations,
    ...buffers,
    ...compressors,
    ...basicAuth,
    ...forgeries,
    ...localReplies,
    ...rates,
  ],
};
