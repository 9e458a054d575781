import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, direct, fileLog, hcm, listenerLog, LOG, raw, row, tcp, tcpProxy, typed, type Call, type Group, type Row, type Step } from "../row.ts";
import { serverTls } from "./tls.ts";

/** Which filter chain takes a connection, in Envoy's order; PROXY headers; TCP proxies and what becomes of their connections. */

const INSPECT: JsonObject = { name: "tls_inspector", typed_config: typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") };
const HTTP_INSPECT: JsonObject = { name: "http_inspector", typed_config: typed("envoy.extensions.filters.listener.http_inspector.v3.HttpInspector") };
const PROXY: JsonObject = { name: "proxy_protocol", typed_config: typed("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol") };

/** A chain that says its name. */
const chain = (name: string, match: JsonObject, tls = false): JsonObject => ({
  name,
  filter_chain_match: match,
  filters: [hcm({ routes: [direct({ prefix: "/" }, name)], log: `${LOG} chain=%FILTER_CHAIN_NAME%` })],
  ...(tls && { transport_socket: serverTls({ alpn_protocols: ["h2", "http/1.1"] }) }),
});
const GET = "GET / HTTP/1.1\r\nhost: row.test\r\n\r\n";
const v1 = (source: string, destination: string): string =>
  `PROXY TCP4 ${source.replace(":", " ")} ${destination.replace(":", " ")}\r\n`.replace(/^(PROXY TCP4) (\S+) (\S+) (\S+) (\S+)/, "$1 $2 $4 $3 $5");
const chosen = (name: string, chains: readonly JsonObject[], more: JsonObject, call: Call): Row =>
  row(`chain: ${name}`, { listener_filters: [PROXY, INSPECT], filter_chains: [...chains], ...listenerLog, ...more }, call);
const to = (source: string, destination: string): Call => ({ ...raw(GET), preamble: v1(source, destination) });
const LOCAL = "PROXY UNKNOWN\r\n";

const ports = [chain("port 8080", { destination_port: 8080 }), chain("any port", {})];
const prefixes = [
  chain("10/8", { prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] }),
  chain("10.1/16", { prefix_ranges: [{ address_prefix: "10.1.0.0", prefix_len: 16 }] }),
  chain("10.1.2.3", { prefix_ranges: [{ address_prefix: "10.1.2.3", prefix_len: 32 }] }),
];
const sources = [
  chain("from 10.9/16", { source_prefix_ranges: [{ address_prefix: "10.9.0.0", prefix_len: 16 }] }),
  chain("from 10.9.1.1", { source_prefix_ranges: [{ address_prefix: "10.9.1.1", prefix_len: 32 }] }),
  chain("from anywhere", {}),
];
const names = [
  chain("exact", { server_names: ["www.test"] }, true),
  chain("wildcard", { server_names: ["*.test"] }, true),
  chain("deeper", { server_names: ["*.deep.test"] }, true),
  chain("no name", {}, true),
];
const named = (sni: string | undefined): Call => ({ preamble: LOCAL, tls: sni ? { sni } : {}, http: {} });

const v2 = (command: string, address: string): string => `hex:0d0a0d0a000d0a515549540a${command}${address}`;
const IPV4 = "11000c0a0100010a0200020fa01f90";

/** Signatures have no fixed length, and so has not what a handshake takes. */
const uncounted: JsonObject = { access_log: [fileLog(LOG.replace("rx=%BYTES_RECEIVED% tx=%BYTES_SENT% ", ""), "tcp")] };

let clusters = 0;
function stream(name: string, backend: string, steps: readonly Step[], more: JsonObject = {}, clusterMore: JsonObject = {}, extra: Partial<Call> = {}): Row {
  const own = `tcp-${clusters++}`;
  return row(`tcp: ${name}`, tcp(own, [], more), { raw: steps, ...extra }, { clusters: [cluster(own, backend === "" ? [] : [backend], clusterMore)] });
}
const send = (text: string): Step => ({ send: text });

export const listeners: Group = {
  name: "listeners",
  rows: [
    chosen("by port", ports, {}, to("1.1.1.1:1", "10.0.0.1:8080")),
    chosen("by port, another", ports, {}, to("1.1.1.1:1", "10.0.0.1:8081")),
    chosen("the longest prefix", prefixes, {}, to("1.1.1.1:1", "10.1.2.4:80")),
    chosen("the whole address", prefixes, {}, to("1.1.1.1:1", "10.1.2.3:80")),
    chosen("the shortest prefix", prefixes, {}, to("1.1.1.1:1", "10.200.0.1:80")),
    chosen("no prefix", prefixes, {}, to("1.1.1.1:1", "11.0.0.1:80")),
    chosen("no prefix, but a default", prefixes, { default_filter_chain: chain("default", {}) }, to("1.1.1.1:1", "11.0.0.1:80")),
    chosen(
      "the port comes before the prefix",
      [chain("port", { destination_port: 80 }), chain("prefix", { prefix_ranges: [{ address_prefix: "10.1.2.3", prefix_len: 32 }] })],
      {},
      to("1.1.1.1:1", "10.1.2.3:80"),
    ),
    chosen(
      "the prefix comes before the source",
      [
        chain("prefix", { prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] }),
        chain("source", { source_prefix_ranges: [{ address_prefix: "1.1.1.1", prefix_len: 32 }] }),
      ],
      {},
      to("1.1.1.1:1", "10.1.2.3:80"),
    ),
    chosen(
      "no way back from a prefix",
      [
        chain("prefix and TLS", { prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }], transport_protocol: "tls" }),
        chain("other", { transport_protocol: "raw_buffer" }),
      ],
      {},
      to("1.1.1.1:1", "10.1.2.3:80"),
    ),
    chosen("source prefix", sources, {}, to("10.9.2.2:1", "10.0.0.1:80")),
    chosen("source address", sources, {}, to("10.9.1.1:1", "10.0.0.1:80")),
    chosen("source, none of them", sources, {}, to("9.9.9.9:1", "10.0.0.1:80")),
    chosen("source port", [chain("port 7777", { source_ports: [7777] }), chain("other", {})], {}, to("9.9.9.9:7777", "10.0.0.1:80")),
    chosen("source port, another", [chain("port 7777", { source_ports: [7777] }), chain("other", {})], {}, to("9.9.9.9:7778", "10.0.0.1:80")),
    chosen(
      "source type, local",
      [chain("local", { source_type: "SAME_IP_OR_LOOPBACK" }), chain("external", { source_type: "EXTERNAL" })],
      {},
      { ...raw(GET), preamble: LOCAL },
    ),
    chosen(
      "source type, external",
      [chain("local", { source_type: "SAME_IP_OR_LOOPBACK" }), chain("external", { source_type: "EXTERNAL" })],
      {},
      to("9.9.9.9:1", "10.0.0.1:80"),
    ),
    chosen(
      "source type, the same address",
      [chain("local", { source_type: "SAME_IP_OR_LOOPBACK" }), chain("external", { source_type: "EXTERNAL" })],
      {},
      to("10.0.0.1:1", "10.0.0.1:80"),
    ),
    chosen(
      "direct source",
      [chain("direct", { direct_source_prefix_ranges: [{ address_prefix: "127.0.0.9", prefix_len: 32 }] }), chain("other", {})],
      {},
      { ...to("9.9.9.9:1", "10.0.0.1:80"), from: "127.0.0.9" },
    ),
    chosen("server name", names, {}, named("www.test")),
    chosen("server name in capitals", names, {}, named("WWW.test")),
    chosen("server name, wildcard", names, {}, named("api.test")),
    chosen("server name, several labels", names, {}, named("a.b.test")),
    chosen("server name, the deeper wildcard", names, {}, named("a.deep.test")),
    chosen("server name, the wildcard's own name", names, {}, named("deep.test")),
    chosen("server name of nobody", names, {}, named("example.org")),
    chosen("no server name", names, {}, named(undefined)),
    chosen(
      "server name comes before ALPN",
      [chain("name", { server_names: ["www.test"] }, true), chain("alpn", { application_protocols: ["h2"] }, true)],
      {},
      { preamble: LOCAL, tls: { sni: "www.test", alpn: ["h2"] }, h2: { path: "/", scheme: "https" } },
    ),
    chosen(
      "ALPN",
      [chain("h2", { application_protocols: ["h2"] }, true), chain("other", {}, true)],
      {},
      { preamble: LOCAL, tls: { alpn: ["x", "http/1.1"] }, http: {} },
    ),
    chosen(
      "ALPN, the client's first that is known",
      [chain("h1", { application_protocols: ["http/1.1"] }, true), chain("x", { application_protocols: ["x"] }, true)],
      {},
      { preamble: LOCAL, tls: { alpn: ["x", "http/1.1"] }, http: {} },
    ),
    chosen(
      "transport, plaintext",
      [chain("plain", { transport_protocol: "raw_buffer" }), chain("tls", { transport_protocol: "tls" }, true)],
      {},
      { ...raw(GET), preamble: LOCAL },
    ),
    chosen(
      "transport, TLS",
      [chain("plain", { transport_protocol: "raw_buffer" }), chain("tls", { transport_protocol: "tls" }, true)],
      {},
      { preamble: LOCAL, tls: {}, http: {} },
    ),
    chosen("plaintext where only TLS is known", [chain("tls", { transport_protocol: "tls" }, true)], {}, { ...raw(GET), preamble: LOCAL }),
    row(
      "chain: HTTP is seen",
      {
        listener_filters: [HTTP_INSPECT],
        filter_chains: [chain("h1", { application_protocols: ["http/1.1"] }), chain("h2c", { application_protocols: ["h2c"] }), { filters: [tcpProxy("tcp")] }],
      },
      raw(GET),
    ),
    row(
      "chain: HTTP/1.0 is seen",
      {
        listener_filters: [HTTP_INSPECT],
        filter_chains: [
          chain("h1", { application_protocols: ["http/1.1"] }),
          chain("h1.0", { application_protocols: ["http/1.0"] }),
          { filters: [tcpProxy("tcp")] },
        ],
      },
      raw("GET / HTTP/1.0\r\n\r\n"),
    ),
    row(
      "chain: HTTP/2 is seen",
      {
        listener_filters: [HTTP_INSPECT],
        filter_chains: [chain("h1", { application_protocols: ["http/1.1"] }), chain("h2c", { application_protocols: ["h2c"] }), { filters: [tcpProxy("tcp")] }],
      },
      { h2: { path: "/" } },
    ),
    row(
      "chain: no HTTP",
      { listener_filters: [HTTP_INSPECT], filter_chains: [chain("h1", { application_protocols: ["http/1.1"] }), { filters: [tcpProxy("tcp")] }] },
      raw("\x01\x02 binary"),
    ),
    row(
      "chain: an unknown method is HTTP",
      { listener_filters: [HTTP_INSPECT], filter_chains: [chain("h1", { application_protocols: ["http/1.1"] }), { filters: [tcpProxy("tcp")] }] },
      raw("BREW / HTTP/1.1\r\nhost: a\r\n\r\n"),
    ),
    row(
      "chain: a line that is no request",
      { listener_filters: [HTTP_INSPECT], filter_chains: [chain("h1", { application_protocols: ["http/1.1"] }), { filters: [tcpProxy("tcp")] }] },
      raw("hello there my friend\r\n"),
    ),
    row("PROXY: version 1", { listener_filters: [PROXY], filter_chains: [chain("c", {})], ...listenerLog }, to("1.2.3.4:1111", "5.6.7.8:80")),
    row(
      "PROXY: version 2",
      { listener_filters: [PROXY], filter_chains: [{ filters: [hcm({ log: `${LOG} from=%DOWNSTREAM_REMOTE_ADDRESS% to=%DOWNSTREAM_LOCAL_ADDRESS%` })] }] },
      { ...raw(GET), preamble: v2("21", IPV4) },
    ),
    row(
      "PROXY: version 2, local",
      { listener_filters: [PROXY], filter_chains: [{ filters: [hcm({ log: `${LOG} from=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%` })] }] },
      { ...raw(GET), preamble: v2("20", "000000") },
    ),
    row("PROXY: missing", { listener_filters: [PROXY], filter_chains: [chain("c", {})], ...listenerLog }, raw(GET)),
    row(
      "PROXY: missing, but that is allowed",
      {
        listener_filters: [
          {
            name: "proxy_protocol",
            typed_config: typed("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol", { allow_requests_without_proxy_protocol: true }),
          },
        ],
        filter_chains: [chain("c", {})],
      },
      raw(GET),
    ),
    row(
      "PROXY: bad address",
      { listener_filters: [PROXY], filter_chains: [chain("c", {})], ...listenerLog },
      { ...raw(GET), preamble: "PROXY TCP4 999.1.1.1 2.2.2.2 1 2\r\n" },
    ),
    row(
      "PROXY: bad port",
      { listener_filters: [PROXY], filter_chains: [chain("c", {})], ...listenerLog },
      { ...raw(GET), preamble: "PROXY TCP4 1.1.1.1 2.2.2.2 1 99999\r\n" },
    ),
    row(
      "PROXY: IPv6",
      { listener_filters: [PROXY], filter_chains: [{ filters: [hcm({ log: "from=%DOWNSTREAM_REMOTE_ADDRESS% to=%DOWNSTREAM_LOCAL_ADDRESS%" })] }] },
      { ...raw(GET), preamble: "PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n" },
    ),
    stream("bytes go both ways", "tcp", [send("hello"), { text: "hello" }, send(" world"), { text: " world" }]),
    stream("half close by the client", "tcp", [send("hello"), { halfClose: true }, { rest: true }]),
    stream("reset by the client", "tcp", [send("hello"), { text: "hello" }, { reset: true }]),
    stream("server speaks first", "banner", [{ text: "220" }, { rest: true }]),
    stream("closed by the server", "close", [{ rest: true }]),
    stream("connection refused", "closed", [{ rest: true }]),
    stream("connection refused, tried thrice", "closed", [{ rest: true }], { max_connect_attempts: 3 }),
    stream("no endpoint", "", [{ rest: true }]),
    stream("idle time-out", "tcp", [send("hello"), { text: "hello" }, { wait: 2500 }, { rest: true }], { idle_timeout: "0.3s" }),
    stream("longest connection", "tcp", [send("hello"), { text: "hello" }, { wait: 2500 }, { rest: true }], { max_downstream_connection_duration: "0.3s" }),
    stream("a megabyte", "tcp", [send("x".repeat(1_000_000)), { rest: true }]),
    stream("no connection is allowed", "tcp", [{ rest: true }], {}, { circuit_breakers: { thresholds: [{ max_connections: 0 }] } }),
    row("tcp: unknown cluster", tcp("nobody-here"), { raw: [{ rest: true }] }),
    row(
      "tcp: weighted, all to one",
      {
        filter_chains: [
          {
            filters: [
              {
                name: "tcp",
                typed_config: typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", {
                  stat_prefix: "t",
                  weighted_clusters: {
                    clusters: [
                      { name: "closed", weight: 1 },
                      { name: "tcp", weight: 1_000_000 },
                    ],
                  },
                  access_log: [fileLog(LOG, "tcp")],
                }),
              },
            ],
          },
        ],
      },
      { raw: [send("hi"), { text: "hi" }] },
    ),
    row(
      "tcp: TLS ended here",
      { filter_chains: [{ filters: [tcpProxy("tcp")], transport_socket: serverTls() }] },
      { tls: { sni: "a.test" }, raw: [send("hello"), { text: "hello" }] },
    ),
    row(
      "tcp: TLS passed on by SNI",
      {
        listener_filters: [INSPECT],
        filter_chains: [{ filter_chain_match: { server_names: ["pass.test"] }, filters: [tcpProxy("tls-backend", uncounted)] }],
        ...listenerLog,
      },
      { tls: { sni: "pass.test" }, http: {} },
      { clusters: [cluster("tls-backend", ["tls"])] },
    ),
    row(
      "tcp: cluster by SNI",
      {
        listener_filters: [INSPECT],
        filter_chains: [
          { filters: [{ name: "sni", typed_config: typed("envoy.extensions.filters.network.sni_cluster.v3.SniCluster") }, tcpProxy("tcp", uncounted)] },
        ],
        ...listenerLog,
      },
      { tls: { sni: "sni-backend" }, http: {} },
      { clusters: [cluster("sni-backend", ["tls"])] },
    ),
    row(
      "tcp: PROXY header to the upstream",
      tcp("with-header"),
      { raw: [send("hello"), { text: "hello" }] },
      {
        clusters: [
          cluster("with-header", ["tcp"], {
            transport_socket: {
              name: "pp",
              typed_config: typed("envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport", {
                config: { version: "V1" },
                transport_socket: {
                  name: "envoy.transport_sockets.raw_buffer",
                  typed_config: typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"),
                },
              }),
            },
          }),
        ],
      },
    ),
  ],
};
