import type { JsonObject } from "@bufbuild/protobuf";
import { IDS } from "../certificates.ts";
import { get, hcm, http, raw, row, route, tcp, tcpProxy, typed, type Call, type Group, type Row } from "../row.ts";
import { ca, serverTls } from "./tls.ts";

/** Matcher trees: in RBAC over requests and connections, in listeners over filter chains. */

const NETWORK = "envoy.extensions.matching.common_inputs.network.v3.";
const SSL = "envoy.extensions.matching.common_inputs.ssl.v3.";
const input = (type: string, config: JsonObject = {}): JsonObject => ({ name: "input", typed_config: typed(type, config) });
const header = (name: string): JsonObject => input("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", { header_name: name });
const net = (name: string): JsonObject => input(`${NETWORK}${name}Input`);
const single = (from: JsonObject, match: JsonObject): JsonObject => ({ single_predicate: { input: from, value_match: match } });
const custom = (from: JsonObject, type: string, config: JsonObject): JsonObject => ({
  single_predicate: { input: from, custom_match: { name: "custom", typed_config: typed(type, config) } },
});

// ---- RBAC

const act = (action: string, name = "p"): JsonObject => ({ action: { name: "action", typed_config: typed("envoy.config.rbac.v3.Action", { name, action }) } });
const ALLOW = act("ALLOW", "allowed");
const DENY = act("DENY", "denied by name");
const list = (...entries: readonly (readonly [JsonObject, JsonObject])[]): JsonObject => ({
  matcher_list: { matchers: entries.map(([predicate, on_match]) => ({ predicate, on_match })) },
});
const exact = (from: JsonObject, map: JsonObject): JsonObject => ({ matcher_tree: { input: from, exact_match_map: { map } } });
const prefix = (from: JsonObject, map: JsonObject): JsonObject => ({ matcher_tree: { input: from, prefix_match_map: { map } } });
const tree = (from: JsonObject, type: string, config: JsonObject): JsonObject => ({
  matcher_tree: { input: from, custom_match: { name: "custom", typed_config: typed(type, config) } },
});
const nested = (matcher: JsonObject): JsonObject => ({ matcher });

const LOGGED =
  "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% shadow=%DYNAMIC_METADATA(envoy.filters.http.rbac:shadow_effective_policy_id)%/%DYNAMIC_METADATA(envoy.filters.http.rbac:shadow_engine_result)%";
const rbac = (config: JsonObject): JsonObject => ({
  name: "envoy.filters.http.rbac",
  typed_config: typed("envoy.extensions.filters.http.rbac.v3.RBAC", config),
});
const judged = (name: string, matcher: JsonObject, call: Call | readonly Call[] = get(), more: Parameters<typeof http>[0] = {}): Row =>
  row(`matcher: ${name}`, http({ filters: [rbac({ matcher })], log: LOGGED, ...more }), call);
const overTls = (name: string, matcher: JsonObject, cert: "client" | "other-client" | "dns-client" | undefined): Row =>
  judged(
    name,
    matcher,
    { tls: { sni: "server.test", ...(cert && { cert }) }, http: {} },
    { chain: { transport_socket: serverTls({ validation_context: ca() }) } },
  );
const a1 = single(header("x-a"), { exact: "1" });
const b1 = single(header("x-b"), { exact: "1" });

const http_: readonly Row[] = [
  judged("allowed", list([a1, ALLOW]), get("/", [["x-a", "1"]])),
  judged("denied", list([a1, DENY]), get("/", [["x-a", "1"]])),
  judged("only logged", list([a1, act("LOG", "l")]), get("/", [["x-a", "1"]])),
  judged("nothing matches", list([a1, ALLOW]), get()),
  judged("nothing matches, but there is a word for that", { ...list([a1, DENY]), on_no_match: ALLOW }, get()),
  judged("an empty tree", {}, get()),
  judged(
    "the first of two",
    list([a1, DENY], [b1, ALLOW]),
    get("/", [
      ["x-a", "1"],
      ["x-b", "1"],
    ]),
  ),
  judged("the second of two", list([a1, DENY], [b1, ALLOW]), get("/", [["x-b", "1"]])),
  judged(
    "a header of two values",
    list([single(header("x-a"), { exact: "1,2" }), ALLOW]),
    get("/", [
      ["x-a", "1"],
      ["x-a", "2"],
    ]),
  ),
  judged("and", list([{ and_matcher: { predicate: [a1, b1] } }, ALLOW]), [
    get("/", [["x-a", "1"]]),
    get("/", [
      ["x-a", "1"],
      ["x-b", "1"],
    ]),
  ]),
  judged("or", list([{ or_matcher: { predicate: [a1, b1] } }, ALLOW]), [get("/", [["x-b", "1"]]), get()]),
  judged("not", list([{ not_matcher: a1 }, ALLOW]), [get(), get("/", [["x-a", "1"]])]),
  judged("prefix", list([single(header(":path"), { prefix: "/a" }), ALLOW]), [get("/abc"), get("/b")]),
  judged("suffix, without case", list([single(header(":path"), { suffix: "END", ignore_case: true }), ALLOW]), [get("/the-end"), get("/the-start")]),
  judged("contains", list([single(header("user-agent"), { contains: "fox" }), ALLOW]), [get("/", [["user-agent", "a fox"]]), get()]),
  judged("regular expression", list([single(header(":method"), { safe_regex: { google_re2: {}, regex: "GET|HEAD" } }), ALLOW]), [
    get(),
    get("/", [], { method: "POST", body: "b" }),
  ]),
  judged("map of values", exact(header(":path"), { "/open": ALLOW, "/closed": DENY }), [get("/open"), get("/closed"), get("/other")]),
  judged("map of values, otherwise", { ...exact(header(":path"), { "/closed": DENY }), on_no_match: ALLOW }, [get("/closed"), get("/other")]),
  judged("map of values, the input is missing", { ...exact(header("x-a"), { 1: ALLOW }), on_no_match: DENY }, get()),
  judged("map of prefixes, the longest", prefix(header(":path"), { "/": DENY, "/api/": ALLOW, "/api/secret": DENY }), [
    get("/api/x"),
    get("/api/secret/y"),
    get("/z"),
  ]),
  judged("map of prefixes, the longest finds nothing", prefix(header(":path"), { "/": ALLOW, "/api": nested(list([a1, DENY])) }), [
    get("/api/x"),
    get("/api/x", [["x-a", "1"]]),
  ]),
  judged("a tree in a tree", exact(header(":method"), { GET: nested(exact(header("x-a"), { 1: ALLOW })), POST: DENY }), [
    get("/", [["x-a", "1"]]),
    get(),
    get("/", [], { method: "POST", body: "b" }),
  ]),
  judged("a tree in a tree, otherwise", { ...exact(header(":method"), { GET: nested(exact(header("x-a"), { 1: DENY })) }), on_no_match: ALLOW }, [
    get("/", [["x-a", "1"]]),
    get(),
  ]),
  judged(
    "a list in a list finds nothing",
    list([single(header(":method"), { exact: "GET" }), nested(list([a1, DENY]))], [single(header(":path"), { prefix: "/" }), ALLOW]),
    get(),
  ),
  judged("source address", list([single(net("SourceIP"), { exact: "127.0.0.1" }), ALLOW]), get()),
  judged("source address by x-forwarded-for", exact(net("SourceIP"), { "10.9.9.9": ALLOW }), get("/", [["x-forwarded-for", "10.9.9.9"]])),
  judged("direct source address", exact(net("DirectSourceIP"), { "127.0.0.1": ALLOW }), get("/", [["x-forwarded-for", "10.9.9.9"]])),
  judged("destination address", prefix(net("DestinationIP"), { "127.": ALLOW }), get()),
  judged("destination port", list([single(net("DestinationPort"), { prefix: "1" }), ALLOW]), get()),
  judged("server name of plaintext", { ...exact(net("ServerName"), { "a.test": ALLOW }), on_no_match: DENY }, get()),
  judged(
    "source address in ranges",
    tree(net("SourceIP"), "xds.type.matcher.v3.IPMatcher", {
      range_matchers: [
        { ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }], on_match: ALLOW },
        { ranges: [{ address_prefix: "127.0.0.7", prefix_len: 32 }], on_match: DENY },
      ],
    }),
    [get(), { ...get(), from: "127.0.0.7" }, get("/", [["x-forwarded-for", "10.9.9.9"]])],
  ),
  judged(
    "source address in ranges, the narrow one finds nothing",
    tree(net("SourceIP"), "xds.type.matcher.v3.IPMatcher", {
      range_matchers: [
        { ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }], on_match: ALLOW },
        { ranges: [{ address_prefix: "127.0.0.1", prefix_len: 32 }], on_match: nested(list([a1, DENY])) },
      ],
    }),
    get(),
  ),
  judged(
    "source address in ranges, the narrow one alone",
    tree(net("SourceIP"), "xds.type.matcher.v3.IPMatcher", {
      range_matchers: [
        { ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }], on_match: ALLOW },
        { ranges: [{ address_prefix: "127.0.0.1", prefix_len: 32 }], exclusive: true, on_match: nested(list([a1, DENY])) },
      ],
    }),
    get(),
  ),
  judged(
    "source address in ranges, the wide one for itself",
    tree(net("SourceIP"), "xds.type.matcher.v3.IPMatcher", {
      range_matchers: [
        { ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }], exclusive: true, on_match: ALLOW },
        { ranges: [{ address_prefix: "127.0.0.1", prefix_len: 32 }], on_match: nested(list([a1, DENY])) },
      ],
    }),
    [get(), { ...get(), from: "127.0.0.7" }],
  ),
  judged(
    "address ranges as a predicate",
    list([
      custom(net("SourceIP"), "envoy.extensions.matching.input_matchers.ip.v3.Ip", {
        stat_prefix: "i",
        cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }],
      }),
      ALLOW,
    ]),
    [get(), get("/", [["x-forwarded-for", "10.9.9.9"]])],
  ),
  overTls("URI SAN", exact(input(`${SSL}UriSanInput`), { [IDS.client]: ALLOW }), "client"),
  overTls("URI SAN, another", exact(input(`${SSL}UriSanInput`), { [IDS.client]: ALLOW }), "other-client"),
  overTls("URI SAN, no certificate", exact(input(`${SSL}UriSanInput`), { [IDS.client]: ALLOW }), undefined),
  overTls("DNS SAN", exact(input(`${SSL}DnsSanInput`), { "client.test": ALLOW }), "dns-client"),
  overTls("server name", exact(net("ServerName"), { "server.test": ALLOW }), "client"),
  row("matcher: shadow", http({ filters: [rbac({ shadow_matcher: list([a1, DENY]), shadow_rules_stat_prefix: "" })], log: LOGGED }), [
    get("/", [["x-a", "1"]]),
    get(),
  ]),
  row(
    "matcher: before rules",
    http({
      filters: [
        rbac({ matcher: list([a1, ALLOW]), rules: { action: "DENY", policies: { d: { permissions: [{ any: true }], principals: [{ any: true }] } } } }),
      ],
      log: LOGGED,
    }),
    get("/", [["x-a", "1"]]),
  ),
  row(
    "matcher: overridden by the route",
    http({
      filters: [rbac({ matcher: { on_no_match: DENY, ...list([a1, DENY]) } })],
      log: LOGGED,
      routes: [
        route(
          { prefix: "/" },
          {},
          {
            typed_per_filter_config: {
              "envoy.filters.http.rbac": typed("envoy.extensions.filters.http.rbac.v3.RBACPerRoute", { rbac: { matcher: list([a1, ALLOW]) } }),
            },
          },
        ),
      ],
    }),
    get("/", [["x-a", "1"]]),
  ),
];

const networkRbac = (name: string, config: JsonObject, call: Call = { raw: [{ send: "hello" }, { rest: true }] }): Row =>
  row(
    `network matcher: ${name}`,
    tcp("tcp", [
      { name: "envoy.filters.network.rbac", typed_config: typed("envoy.extensions.filters.network.rbac.v3.RBAC", { stat_prefix: "tcp.", ...config }) },
    ]),
    call,
  );
const hello: Call = { raw: [{ send: "hello" }, { halfClose: true }, { rest: true }] };

const network: readonly Row[] = [
  networkRbac("allowed", { matcher: exact(net("SourceIP"), { "127.0.0.1": ALLOW }) }, hello),
  networkRbac("denied", { matcher: exact(net("SourceIP"), { "127.0.0.1": DENY }) }),
  networkRbac("nothing matches", { matcher: exact(net("SourceIP"), { "10.0.0.1": ALLOW }) }),
  networkRbac("shadow", { shadow_matcher: exact(net("SourceIP"), { "10.0.0.1": ALLOW }) }, hello),
];

// ---- filter chains

const chain = (name: string): JsonObject => ({ action: { name, typed_config: typed("google.protobuf.StringValue", { value: name }) } });
const answering = (name: string, more: JsonObject = {}): JsonObject => ({
  name,
  filters: [hcm({ routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: name } } }], log: `%FILTER_CHAIN_NAME%` })],
  ...more,
});
const chosen = (name: string, matcher: JsonObject, call: Call | readonly Call[], more: JsonObject = {}): Row =>
  row(
    `chain matcher: ${name}`,
    {
      filter_chain_matcher: matcher,
      filter_chains: [answering("first"), answering("second"), answering("secure", { transport_socket: serverTls({ alpn_protocols: ["h2", "http/1.1"] }) })],
      listener_filters: [
        { name: "envoy.filters.listener.tls_inspector", typed_config: typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") },
      ],
      ...more,
    },
    call,
  );
const DEFAULT = { default_filter_chain: answering("default") };
const bySource = exact(net("SourceIP"), { "127.0.0.1": chain("first"), "127.0.0.7": chain("second") });

const chains: readonly Row[] = [
  chosen("by source", bySource, [get(), { ...get(), from: "127.0.0.7" }]),
  chosen("no chain", bySource, { ...raw("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), from: "127.0.0.9" }),
  chosen("the default", bySource, { ...get(), from: "127.0.0.9" }, DEFAULT),
  chosen("a chain that is not there", exact(net("SourceIP"), { "127.0.0.1": chain("third") }), raw("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), DEFAULT),
  chosen(
    "by server name",
    {
      ...exact(net("TransportProtocol"), {
        tls: nested(
          tree(net("ServerName"), "xds.type.matcher.v3.ServerNameMatcher", {
            domain_matchers: [
              { domains: ["*.test"], on_match: chain("secure") },
              { domains: ["plain.test"], on_match: chain("first") },
            ],
          }),
        ),
      }),
      on_no_match: chain("second"),
    },
    [{ tls: { sni: "server.test" }, http: {} }, get()],
  ),
  chosen("by application protocol", exact(net("ApplicationProtocol"), { "'h2','http/1.1'": chain("secure") }), {
    tls: { sni: "server.test", alpn: ["h2", "http/1.1"] },
    h2: { scheme: "https" },
  }),
  chosen("what chains match is not looked at", exact(net("SourceType"), { local: chain("first") }), get(), {
    filter_chains: [answering("first", { filter_chain_match: { destination_port: 1 } })],
  }),
  row(
    "chain matcher: TCP chains",
    {
      filter_chain_matcher: bySource,
      filter_chains: [
        { name: "first", filters: [tcpProxy("tcp")] },
        { name: "second", filters: [tcpProxy("closed")] },
      ],
    },
    hello,
  ),
];

export const matchers: Group = { name: "matchers", rows: [...http_, ...network, ...chains] };
