import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, endpoint, get, hcm, http, row, route, tcp, typed, type Call, type Group, type Row } from "../row.ts";
import { clientTls } from "./tls.ts";

/** How a cluster reaches its hosts and chooses among them: the protocol by ALPN, subsets. */

const OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const autoConfig = (config: JsonObject = {}): JsonObject => ({ typed_extension_protocol_options: { [OPTIONS]: typed(OPTIONS, { auto_config: config }) } });

let negotiators = 0;
function byAlpn(name: string, backend: string, tls: JsonObject, call: Call | readonly Call[] = get(), options: JsonObject = autoConfig()): Row {
  const own = `alpn-${negotiators++}`;
  return row(`ALPN: ${name}`, http({ routes: [route({ prefix: "/" }, { cluster: own })] }), call, {
    clusters: [cluster(own, [backend], { transport_socket: tls, ...options })],
  });
}
const post: Call = get("/post", [], { method: "POST", body: "hello" });
const requests = (count: number, want?: { delay: number }): Call => ({
  h2: Array.from({ length: count }, (_, n) => ({ path: `/${n}`, ...(want && { want }) })),
});

// ---- subsets

const HOSTS: readonly (readonly [string, JsonObject])[] = [
  ["echo", { version: "1", stage: "prod", tier: 1, zones: ["a", "b"] }],
  ["echo2", { version: "2", stage: "prod", tier: 2, zones: ["b"] }],
  ["echo3", { version: "2", stage: "dev", zones: ["c"] }],
  ["echo4", {}],
];
const lb = (values: JsonObject): JsonObject => ({ filter_metadata: { "envoy.lb": values } });
const keys = (...selector: string[]): JsonObject => ({ keys: selector });

let subsetClusters = 0;
/** Which hosts answer, where a route wants `wanted` and the cluster has the subsets `config`. */
function subset(
  name: string,
  config: JsonObject,
  wanted: JsonObject | undefined,
  more: {
    readonly action?: JsonObject;
    readonly hosts?: readonly JsonObject[];
    readonly cluster?: JsonObject;
    readonly listener?: (cluster: string) => JsonObject;
    readonly repeat?: number;
  } = {},
): Row {
  const own = `subsets-${subsetClusters++}`;
  const hosts = more.hosts ?? HOSTS.map(([backend, values]) => endpoint(backend, { metadata: lb(values) }));
  const listener =
    more.listener?.(own) ?? http({ routes: [route({ prefix: "/" }, { cluster: own, ...(wanted && { metadata_match: lb(wanted) }), ...more.action })] });
  return row(
    `subset: ${name}`,
    listener,
    { ...get(), repeat: more.repeat ?? 8 },
    {
      anyOrder: true,
      clusters: [
        { ...cluster(own, []), lb_subset_config: config, load_assignment: { cluster_name: own, endpoints: [{ lb_endpoints: [...hosts] }] }, ...more.cluster },
      ],
    },
  );
}
const byVersion: JsonObject = { subset_selectors: [keys("version")] };
const versionAndStage: JsonObject = { subset_selectors: [keys("stage", "version")] };
const any: JsonObject = { fallback_policy: "ANY_ENDPOINT" };
const prod: JsonObject = { fallback_policy: "DEFAULT_SUBSET", default_subset: { stage: "prod" } };
const weighted =
  (...clusters: JsonObject[]) =>
  (own: string): JsonObject =>
    http({
      routes: [
        route({ prefix: "/" }, {
          cluster: undefined,
          metadata_match: lb({ stage: "prod" }),
          weighted_clusters: { clusters: clusters.map((each) => ({ name: own, weight: 1, ...each })) },
        } as unknown as JsonObject),
      ],
    });
const selector = (policy: string, more: JsonObject = {}): JsonObject => ({
  subset_selectors: [{ keys: ["stage", "version"], fallback_policy: policy, ...more }, keys("stage")],
});

const subsets: readonly Row[] = [
  subset("one host", byVersion, { version: "1" }),
  subset("two hosts", byVersion, { version: "2" }),
  subset("two keys", versionAndStage, { version: "2", stage: "dev" }),
  subset("fewer keys than the selector's", versionAndStage, { version: "2" }, { repeat: 2 }),
  subset("more keys than the selector's", byVersion, { version: "2", stage: "dev" }, { repeat: 2 }),
  subset("of two selectors the one with these keys", { subset_selectors: [keys("version"), keys("stage", "version")] }, { version: "2", stage: "dev" }),
  subset("a value that nobody has", byVersion, { version: "3" }, { repeat: 2 }),
  subset("a key that nobody has", byVersion, { color: "red" }, { repeat: 2 }),
  subset("another type of value", { subset_selectors: [keys("tier")] }, { tier: "1" }, { repeat: 2 }),
  subset("a number", { subset_selectors: [keys("tier")] }, { tier: 1 }),
  subset("nothing wanted", byVersion, undefined, { repeat: 2 }),
  subset("nothing wanted, any endpoint", { ...byVersion, ...any }, undefined, { repeat: 12 }),
  subset("a value that nobody has, any endpoint", { ...byVersion, ...any }, { version: "3" }, { repeat: 12 }),
  subset("a value that nobody has, default subset", { ...byVersion, ...prod }, { version: "3" }),
  subset("nothing wanted, default subset", { ...byVersion, ...prod }, undefined),
  subset(
    "default subset of nobody",
    { ...byVersion, fallback_policy: "DEFAULT_SUBSET", default_subset: { stage: "nowhere" } },
    { version: "3" },
    { repeat: 2 },
  ),
  subset("default subset without a word", { ...byVersion, fallback_policy: "DEFAULT_SUBSET" }, { version: "3" }, { repeat: 12 }),
  subset("no selector", { fallback_policy: "NO_FALLBACK" }, { version: "1" }, { repeat: 12 }),
  subset("selector's fallback: any endpoint", selector("ANY_ENDPOINT"), { version: "9", stage: "prod" }, { repeat: 12 }),
  subset("selector's fallback: none", { ...selector("NO_FALLBACK"), ...any }, { version: "9", stage: "prod" }, { repeat: 2 }),
  subset("selector's fallback: default subset", { ...selector("DEFAULT_SUBSET"), default_subset: { version: "2" } }, { version: "9", stage: "prod" }),
  subset("selector's fallback: fewer keys", selector("KEYS_SUBSET", { fallback_keys_subset: ["stage"] }), { version: "9", stage: "prod" }),
  subset(
    "selector's fallback: fewer keys, nobody either",
    { ...selector("KEYS_SUBSET", { fallback_keys_subset: ["stage"] }), ...any },
    { version: "9", stage: "none" },
    { repeat: 12 },
  ),
  subset("lists count as one value", { subset_selectors: [keys("zones")] }, { zones: "b" }, { repeat: 2 }),
  subset("lists count element by element", { subset_selectors: [keys("zones")], list_as_any: true }, { zones: "b" }),
  subset("a whole list is wanted", { subset_selectors: [keys("zones")] }, { zones: ["a", "b"] }),
  subset("one host a subset", { subset_selectors: [{ keys: ["version"], single_host_per_subset: true }] }, { version: "1" }),
  subset("weighted cluster's wish beside the route's", versionAndStage, undefined, {
    listener: weighted({ metadata_match: lb({ version: "1" }) }, { metadata_match: lb({ version: "2" }) }),
    repeat: 16,
  }),
  subset("weighted cluster's wish against the route's", { subset_selectors: [keys("stage")] }, undefined, {
    listener: weighted({ metadata_match: lb({ stage: "dev" }) }),
  }),
  subset(
    "unhealthy hosts in a panic",
    byVersion,
    { version: "1" },
    {
      hosts: [endpoint("echo", { health_status: "UNHEALTHY", metadata: lb({ version: "1" }) }), endpoint("echo2", { metadata: lb({ version: "2" }) })],
      repeat: 3,
    },
  ),
  subset(
    "unhealthy hosts, no panic",
    byVersion,
    { version: "1" },
    {
      hosts: [endpoint("echo", { health_status: "UNHEALTHY", metadata: lb({ version: "1" }) }), endpoint("echo2", { metadata: lb({ version: "2" }) })],
      cluster: { common_lb_config: { healthy_panic_threshold: { value: 0 } } },
      repeat: 3,
    },
  ),
  subset(
    "unhealthy hosts, no panic but any in its place",
    { ...byVersion, panic_mode_any: true },
    { version: "1" },
    {
      hosts: [endpoint("echo", { health_status: "UNHEALTHY", metadata: lb({ version: "1" }) }), endpoint("echo2", { metadata: lb({ version: "2" }) })],
      cluster: { common_lb_config: { healthy_panic_threshold: { value: 0 } } },
      repeat: 3,
    },
  ),
  subset(
    "nobody in the default subset, but any in its place",
    { ...byVersion, panic_mode_any: true, fallback_policy: "DEFAULT_SUBSET", default_subset: { stage: "nowhere" } },
    { version: "3" },
    { repeat: 12 },
  ),
  subset(
    "a list of wishes",
    { ...byVersion, metadata_fallback_policy: "FALLBACK_LIST" },
    { fallback_list: [{ version: "7" }, { version: "2" }, { version: "1" }] },
  ),
  subset(
    "a list of wishes beside another",
    { ...versionAndStage, metadata_fallback_policy: "FALLBACK_LIST" },
    { stage: "prod", fallback_list: [{ version: "7" }, { version: "2" }] },
  ),
  subset("an empty list of wishes", { ...byVersion, metadata_fallback_policy: "FALLBACK_LIST", ...any }, { fallback_list: [] }, { repeat: 12 }),
  subset("a request's own wish", byVersion, undefined, {
    listener: (own) =>
      http({
        filters: [
          {
            name: "envoy.filters.http.set_metadata",
            typed_config: typed("envoy.extensions.filters.http.set_metadata.v3.Config", {
              metadata: [{ metadata_namespace: "envoy.lb", value: { version: "2" } }],
            }),
          },
        ],
        routes: [route({ prefix: "/" }, { cluster: own, metadata_match: lb({ version: "1" }) })],
      }),
  }),
];

// ---- IPv6

const six = (name: string): JsonObject => ({ socket_address: { address: "::1", port_value: `{port:${name}}` } });
const also = (name: string): JsonObject => ({ additional_addresses: [{ address: six(name) }] });
const ADDRESSES =
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS% %UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %REQ(X-FORWARDED-FOR)%";
const toSix = (name: string, more: JsonObject = {}): JsonObject => ({
  ...cluster(name, []),
  load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: six("echo6") } }] }] },
  ...more,
});

const ipv6: readonly Row[] = [
  row(
    "IPv6: from client and to host",
    http({ log: ADDRESSES, listener: also("listener6"), routes: [route({ prefix: "/" }, { cluster: "six-1" })] }),
    { ...get(), toIpv6: "listener6" },
    { ipv6: true, clusters: [toSix("six-1")] },
  ),
  row(
    "IPv6: chains by address",
    {
      ...also("listener6-2"),
      filter_chains: [
        {
          filter_chain_match: { source_prefix_ranges: [{ address_prefix: "::1", prefix_len: 128 }] },
          filters: [hcm({ routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "six" } } }] })],
        },
        { filters: [hcm({ routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "four" } } }] })] },
      ],
    },
    [{ ...get(), toIpv6: "listener6-2" }, get()],
    { ipv6: true },
  ),
  row(
    "IPv6: RBAC by address",
    http({
      listener: also("listener6-3"),
      filters: [
        {
          name: "envoy.filters.http.rbac",
          typed_config: typed("envoy.extensions.filters.http.rbac.v3.RBAC", {
            rules: {
              action: "DENY",
              policies: { d: { permissions: [{ any: true }], principals: [{ direct_remote_ip: { address_prefix: "::", prefix_len: 64 } }] } },
            },
          }),
        },
      ],
    }),
    [{ ...get(), toIpv6: "listener6-3" }, get()],
    { ipv6: true },
  ),
  row("IPv6: to host alone", http({ log: ADDRESSES, routes: [route({ prefix: "/" }, { cluster: "six-2" })] }), get(), {
    ipv6: true,
    clusters: [toSix("six-2")],
  }),
  row(
    "IPv6: TCP",
    tcp("six-3"),
    { raw: [{ send: "GET / HTTP/1.1\r\nhost: a\r\nx-request-id: i\r\n\r\n" }, { responses: 1 }] },
    { ipv6: true, clusters: [toSix("six-3")] },
  ),
];

// ---- retry budgets

const again: JsonObject = { retry_policy: { retry_on: "5xx", num_retries: 2, retry_back_off: { base_interval: "0.005s", max_interval: "0.01s" } } };
const budgeted = (name: string, own: string, budget: JsonObject): Row =>
  row(
    `retry budget: ${name}`,
    http({ routes: [route({ prefix: "/" }, { cluster: own, ...again })] }),
    get("/", [], { want: [{ status: 503, body: "first" }, { status: 503, body: "second" }, { body: "third" }] }),
    { clusters: [cluster(own, ["echo"], { circuit_breakers: { thresholds: [{ max_retries: 0, retry_budget: budget }] } })] },
  );

const budgets: readonly Row[] = [
  budgeted("Envoy's own", "budget-1", {}),
  budgeted("nothing", "budget-2", { budget_percent: { value: 0 }, min_retry_concurrency: 0 }),
  budgeted("nothing, but one at a time", "budget-3", { budget_percent: { value: 0 }, min_retry_concurrency: 1 }),
  budgeted("all", "budget-4", { budget_percent: { value: 100 }, min_retry_concurrency: 0 }),
];

export const upstreams: Group = {
  name: "upstreams",
  rows: [
    ...subsets,
    ...ipv6,
    ...budgets,
    byAlpn("the server speaks both", "tls-both", clientTls(), [get(), post]),
    byAlpn("the server speaks HTTP/2 only", "tls-h2", clientTls(), [get(), post]),
    byAlpn("the server speaks HTTP/1 only", "tls-one", clientTls(), [get(), post]),
    byAlpn("the server knows no ALPN", "tls", clientTls(), [get(), post]),
    byAlpn("the TLS context offers HTTP/1 only", "tls-both", clientTls({ alpn_protocols: ["http/1.1"] }), [get(), post]),
    byAlpn("the TLS context offers HTTP/2 only", "tls-both", clientTls({ alpn_protocols: ["h2"] })),
    byAlpn("the TLS context offers something else", "tls", clientTls({ alpn_protocols: ["other"] })),
    byAlpn("many at once over HTTP/2", "tls-both", clientTls(), requests(6, { delay: 50 })),
    byAlpn("many at once over HTTP/1", "tls-one", clientTls(), requests(6, { delay: 50 })),
    byAlpn(
      "HTTP/2 with one stream at a time",
      "tls-h2",
      clientTls(),
      requests(3, { delay: 50 }),
      autoConfig({ http2_protocol_options: { max_concurrent_streams: 1 } }),
    ),
    byAlpn("HTTP/1 explicitly", "tls-both", clientTls(), [get(), post], {}),
    byAlpn("HTTP/1 explicitly, of a server for that only", "tls-one", clientTls(), [get(), post], {}),
    byAlpn("HTTP/2 explicitly", "tls-both", clientTls(), [get(), post], {
      typed_extension_protocol_options: { [OPTIONS]: typed(OPTIONS, { explicit_http_config: { http2_protocol_options: {} } }) },
    }),
    byAlpn("as the client, HTTP/1", "tls-both", clientTls(), [get(), post], {
      typed_extension_protocol_options: { [OPTIONS]: typed(OPTIONS, { use_downstream_protocol_config: { http2_protocol_options: {} } }) },
    }),
    byAlpn("as the client, HTTP/2", "tls-both", clientTls(), requests(2), {
      typed_extension_protocol_options: { [OPTIONS]: typed(OPTIONS, { use_downstream_protocol_config: { http2_protocol_options: {} } }) },
    }),
    byAlpn("trailers of a gRPC call", "tls-both", clientTls(), {
      h2: {
        method: "POST",
        headers: [
          ["content-type", "application/grpc"],
          ["te", "trailers"],
        ],
        body: "x",
      },
    }),
    byAlpn("the server is of another root", "tls-both", clientTls({ validation_context: { trusted_ca: { filename: "{file:stranger-root.pem}" } } })),
  ],
};
