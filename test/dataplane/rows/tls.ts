import type { JsonObject } from "@bufbuild/protobuf";
import { IDS } from "../certificates.ts";
import {
  cluster,
  file,
  get,
  hcm,
  http,
  listenerLog,
  raw,
  row,
  route,
  tcpProxy,
  typed,
  type Call,
  type Group,
  type HttpOptions,
  type Row,
  type TlsCall,
} from "../row.ts";

/** Mutual TLS as Istio configures it: its PERMISSIVE, STRICT and DISABLE chains, callers of every kind; XFCC; TLS upstream. */

const ISTIO_HTTP = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
const ISTIO_TCP = ["istio-peer-exchange", "istio"];

export function pair(name: string): JsonObject {
  return { certificate_chain: { filename: file(`${name}.pem`) }, private_key: { filename: file(`${name}.key`) } };
}

export function serverTls(common: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: typed("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
      common_tls_context: { tls_certificates: [pair("server")], ...common },
      ...more,
    }),
  };
}

export function clientTls(common: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
      common_tls_context: { tls_params: { tls_maximum_protocol_version: "TLSv1_3" }, ...common },
      ...more,
    }),
  };
}

export const ca = (root = "root.pem", sans?: readonly JsonObject[]): JsonObject => ({
  trusted_ca: { filename: file(root) },
  ...(sans && { match_typed_subject_alt_names: [...sans] }),
});
const uri = (matcher: JsonObject): JsonObject => ({ san_type: "URI", matcher });

const mutual = (alpn: readonly string[]): JsonObject =>
  serverTls(
    {
      alpn_protocols: [...alpn],
      tls_params: { tls_minimum_protocol_version: "TLSv1_2", tls_maximum_protocol_version: "TLSv1_3" },
      validation_context: ca("root.pem", [uri({ prefix: "spiffe://cluster.local/" })]),
    },
    { require_client_certificate: true },
  );

const details = { subject: true, uri: true, dns: true };
const httpChain = (match: JsonObject, tls?: JsonObject): JsonObject => ({
  filter_chain_match: match,
  filters: [
    hcm({ hcm: { forward_client_cert_details: "APPEND_FORWARD", set_current_client_cert_details: details, server_name: "istio-envoy", normalize_path: true } }),
  ],
  ...(tls && { transport_socket: tls }),
});
const tcpChain = (match: JsonObject, tls?: JsonObject): JsonObject => ({
  filter_chain_match: match,
  filters: [tcpProxy("tcp")],
  ...(tls && { transport_socket: tls }),
});

const HTTP_TLS = mutual(["h2", "http/1.1"]);
const TCP_TLS = mutual(["istio-peer-exchange", "h2", "http/1.1"]);
const tls = { transport_protocol: "tls" };
const plain = { transport_protocol: "raw_buffer" };
const alpn = (...names: string[]): JsonObject => ({ application_protocols: names });

/** The chains of a port, as istiod makes them (its facts in short: the mode decides, then what the port speaks). */
const MODES: Record<string, readonly JsonObject[]> = {
  "PERMISSIVE, sniffed": [
    httpChain({ ...tls, ...alpn(...ISTIO_HTTP) }, HTTP_TLS),
    httpChain({ ...plain, ...alpn("http/1.1", "h2c") }),
    tcpChain({ ...tls, ...alpn(...ISTIO_TCP) }, TCP_TLS),
    tcpChain(plain),
    tcpChain(tls),
  ],
  "PERMISSIVE, HTTP": [httpChain({ ...tls, ...alpn("istio", "istio-peer-exchange", ...ISTIO_HTTP) }, HTTP_TLS), httpChain(plain)],
  "PERMISSIVE, TCP": [tcpChain({ ...tls, ...alpn("istio", "istio-peer-exchange", ...ISTIO_HTTP) }, TCP_TLS), tcpChain(tls), tcpChain(plain)],
  "STRICT, sniffed": [httpChain({ ...tls, ...alpn(...ISTIO_HTTP) }, HTTP_TLS), tcpChain(tls, TCP_TLS)],
  "STRICT, HTTP": [httpChain(tls, HTTP_TLS)],
  "STRICT, TCP": [tcpChain(tls, TCP_TLS)],
  "DISABLE, sniffed": [httpChain({ ...plain, ...alpn("http/1.1", "h2c") }), tcpChain(plain)],
  "DISABLE, HTTP": [httpChain(plain)],
  "DISABLE, TCP": [tcpChain(plain)],
};

const CALLERS: Record<string, { readonly tls?: TlsCall; readonly bytes?: string }> = {
  "a sidecar's HTTP": { tls: { sni: "outbound_.8080_._.web-api", alpn: ["istio-http/1.1", "istio", "http/1.1"], cert: "client" } },
  "a sidecar's TCP": { tls: { sni: "outbound_.8080_._.web-api", alpn: ["istio-peer-exchange", "istio"], cert: "client" } },
  "a sidecar of another root": { tls: { sni: "x", alpn: ["istio-http/1.1", "istio", "http/1.1"], cert: "stranger" } },
  "a sidecar whose certificate has expired": { tls: { sni: "x", alpn: ["istio-http/1.1", "istio", "http/1.1"], cert: "expired" } },
  "a certificate without a SPIFFE id": { tls: { sni: "x", alpn: ["istio-http/1.1", "istio", "http/1.1"], cert: "dns-client" } },
  "Istio's ALPN without a certificate": { tls: { sni: "x", alpn: ["istio-http/1.1", "istio", "http/1.1"] } },
  "plain TLS": { tls: { sni: "x", alpn: ["http/1.1"] } },
  "TLS without SNI and ALPN": { tls: {} },
  plaintext: {},
  "plaintext that is no HTTP": { bytes: "\x00\x01no http\r\n" },
};

const REQUEST = "GET /who HTTP/1.1\r\nhost: web-api\r\nx-forwarded-client-cert: By=forged\r\n\r\n";

function modeRows(): Row[] {
  return Object.entries(MODES).flatMap(([mode, chains]) => {
    const inspectors = [
      ...(mode.startsWith("DISABLE")
        ? []
        : [{ name: "tls_inspector", typed_config: typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") }]),
      ...(mode.endsWith("sniffed")
        ? [{ name: "http_inspector", typed_config: typed("envoy.extensions.filters.listener.http_inspector.v3.HttpInspector") }]
        : []),
    ];
    const listener = {
      listener_filters: inspectors,
      listener_filters_timeout: "0s",
      continue_on_listener_filters_timeout: true,
      filter_chains: [...chains],
      ...listenerLog,
    };
    return Object.entries(CALLERS).map(([caller, { tls: how, bytes }]) =>
      row(`${mode}: ${caller}`, listener, { ...raw(bytes ?? REQUEST), ...(how && { tls: how }) }),
    );
  });
}

const CLIENT: TlsCall = { sni: "server.test", cert: "client" };
const forwarded = (name: string, mode: string, set: JsonObject, call: TlsCall, sent = true): Row =>
  row(
    `XFCC: ${name}`,
    http({
      chain: { transport_socket: serverTls({ validation_context: ca() }) },
      hcm: { forward_client_cert_details: mode, set_current_client_cert_details: set },
    }),
    { tls: call, http: { headers: sent ? [["x-forwarded-client-cert", "By=spiffe://a;URI=spiffe://b"]] : [] } },
  );

const served = (name: string, options: { common?: JsonObject; more?: JsonObject; call: TlsCall; http?: HttpOptions }): Row =>
  row(
    `TLS: ${name}`,
    { ...http({ chain: { transport_socket: serverTls(options.common, options.more) }, ...options.http }), ...listenerLog },
    { tls: options.call, http: {} },
  );

let upstreams = 0;
function upstream(name: string, backend: string, socket: JsonObject, more: JsonObject = {}, call: Call = get()): Row {
  const own = `tls-upstream-${upstreams++}`;
  return row(`TLS upstream: ${name}`, http({ routes: [route({ prefix: "/" }, { cluster: own })] }), call, {
    clusters: [cluster(own, [backend], { transport_socket: socket, ...more })],
  });
}

const auto = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      auto_config: { http2_protocol_options: {}, http_protocol_options: {} },
    }),
  },
};
const autoName = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
      upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
      explicit_http_config: { http_protocol_options: {} },
    }),
  },
};
const matching = (mode?: string): JsonObject => ({
  transport_socket_matches: [
    {
      name: "mutual",
      match: { tlsMode: "istio" },
      transport_socket: clientTls(
        { tls_certificates: [pair("client")], validation_context: ca("root.pem", [uri({ exact: IDS.server })]) },
        { sni: "matched.test" },
      ),
    },
    {
      name: "plain",
      match: {},
      transport_socket: { name: "envoy.transport_sockets.raw_buffer", typed_config: typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer") },
    },
  ],
  load_assignment: {
    cluster_name: `matching-${mode}`,
    endpoints: [
      {
        lb_endpoints: [
          {
            endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: `{port:${mode ? "mtls" : "echo"}}` } } },
            ...(mode && { metadata: { filter_metadata: { "envoy.transport_socket_match": { tlsMode: mode } } } }),
          },
        ],
      },
    ],
  },
});

export const tlsRows: Group = {
  name: "tls",
  rows: [
    ...modeRows(),
    forwarded("sanitized", "SANITIZE", {}, CLIENT),
    forwarded("forwarded only", "FORWARD_ONLY", {}, CLIENT),
    forwarded("forwarded only, without a certificate", "FORWARD_ONLY", {}, { sni: "server.test" }),
    forwarded("appended", "APPEND_FORWARD", details, CLIENT),
    forwarded("appended to nothing", "APPEND_FORWARD", details, CLIENT, false),
    forwarded("appended, no details", "APPEND_FORWARD", {}, CLIENT),
    forwarded("appended, of another client", "APPEND_FORWARD", details, { cert: "dns-client" }),
    forwarded("appended, without a certificate", "APPEND_FORWARD", details, { sni: "server.test" }),
    forwarded("set", "SANITIZE_SET", details, CLIENT),
    forwarded("set, without a certificate", "SANITIZE_SET", details, { sni: "server.test" }),
    forwarded("always forwarded", "ALWAYS_FORWARD_ONLY", details, CLIENT),
    served("1.2", { call: { maxVersion: "TLSv1.2" } }),
    served("1.3", { call: { maxVersion: "TLSv1.3" } }),
    served("1.1 is refused", { call: { maxVersion: "TLSv1.1" } }),
    served("1.2 where 1.3 is the least", { common: { tls_params: { tls_minimum_protocol_version: "TLSv1_3" } }, call: { maxVersion: "TLSv1.2" } }),
    served("1.3 offered where 1.2 is the most", { common: { tls_params: { tls_maximum_protocol_version: "TLSv1_2" } }, call: { maxVersion: "TLSv1.3" } }),
    served("ALPN, HTTP/1.1", { common: { alpn_protocols: ["h2", "http/1.1"] }, call: { alpn: ["http/1.1"] } }),
    served("ALPN, nothing in common", { common: { alpn_protocols: ["h2", "http/1.1"] }, call: { alpn: ["other"] } }),
    served("ALPN, none offered", { common: { alpn_protocols: ["h2", "http/1.1"] }, call: {} }),
    served("ALPN, the server's order", { common: { alpn_protocols: ["http/1.1", "h2"] }, call: { alpn: ["h2", "http/1.1"] } }),
    row("TLS: HTTP/2 by ALPN", http({ chain: { transport_socket: serverTls({ alpn_protocols: ["h2", "http/1.1"] }) } }), {
      tls: { alpn: ["h2"] },
      h2: { path: "/", scheme: "https" },
    }),
    served("a certificate is required and shown", { common: { validation_context: ca() }, more: { require_client_certificate: true }, call: CLIENT }),
    served("a certificate is required and missing", { common: { validation_context: ca() }, more: { require_client_certificate: true }, call: {} }),
    served("a certificate is required, of another root", {
      common: { validation_context: ca() },
      more: { require_client_certificate: true },
      call: { cert: "stranger" },
    }),
    served("a certificate is required, expired", {
      common: { validation_context: ca() },
      more: { require_client_certificate: true },
      call: { cert: "expired" },
    }),
    served("a certificate is welcome and missing", { common: { validation_context: ca() }, call: {} }),
    served("a certificate is welcome, of another root", { common: { validation_context: ca() }, call: { cert: "stranger" } }),
    served("an untrusted certificate is accepted", {
      common: { validation_context: { ...ca(), trust_chain_verification: "ACCEPT_UNTRUSTED" } },
      call: { cert: "stranger" },
    }),
    served("two roots", { common: { validation_context: ca("both-roots.pem") }, more: { require_client_certificate: true }, call: { cert: "stranger" } }),
    served("SAN, exact", {
      common: { validation_context: ca("root.pem", [uri({ exact: IDS.client })]) },
      more: { require_client_certificate: true },
      call: CLIENT,
    }),
    served("SAN, exact, another", {
      common: { validation_context: ca("root.pem", [uri({ exact: IDS.client })]) },
      more: { require_client_certificate: true },
      call: { cert: "other-client" },
    }),
    served("SAN, prefix", {
      common: { validation_context: ca("root.pem", [uri({ prefix: "spiffe://cluster.local/ns/istioinaction/" })]) },
      more: { require_client_certificate: true },
      call: CLIENT,
    }),
    served("SAN, prefix, another", {
      common: { validation_context: ca("root.pem", [uri({ prefix: "spiffe://cluster.local/ns/istioinaction/" })]) },
      more: { require_client_certificate: true },
      call: { cert: "other-client" },
    }),
    served("SAN, regex", {
      common: { validation_context: ca("root.pem", [uri({ safe_regex: { regex: ".*/sa/(sleep|other)" } })]) },
      more: { require_client_certificate: true },
      call: { cert: "other-client" },
    }),
    served("SAN, DNS", {
      common: { validation_context: ca("root.pem", [{ san_type: "DNS", matcher: { exact: "client.test" } }]) },
      more: { require_client_certificate: true },
      call: { cert: "dns-client" },
    }),
    served("SAN, DNS, but the name is a URI", {
      common: { validation_context: ca("root.pem", [{ san_type: "DNS", matcher: { exact: IDS.client } }]) },
      more: { require_client_certificate: true },
      call: { cert: "other-client" },
    }),
    served("SAN, one of two", {
      common: { validation_context: ca("root.pem", [uri({ exact: "spiffe://nobody" }), uri({ exact: IDS.other })]) },
      more: { require_client_certificate: true },
      call: { cert: "other-client" },
    }),
    served("SNI is required and there", { more: { require_sni: true }, call: { sni: "server.test" } }),
    served("SNI is required and missing", { more: { require_sni: true }, call: {} }),
    served("certificate by SNI", { common: { tls_certificates: [pair("server"), pair("www"), pair("wildcard")] }, call: { sni: "www.test" } }),
    served("certificate by SNI, wildcard", { common: { tls_certificates: [pair("server"), pair("www"), pair("wildcard")] }, call: { sni: "a.wild.test" } }),
    served("certificate by SNI, nobody's", { common: { tls_certificates: [pair("server"), pair("www"), pair("wildcard")] }, call: { sni: "nobody.test" } }),
    row("TLS: plaintext to a TLS port", { ...http({ chain: { transport_socket: serverTls() } }), ...listenerLog }, raw("GET / HTTP/1.1\r\nhost: a\r\n\r\n")),
    row("TLS: garbage after a record header", { ...http({ chain: { transport_socket: serverTls() } }), ...listenerLog }, raw("\x16\x03\x01\x00\x05hello")),
    upstream("without validation", "tls", clientTls({}, { sni: "any.test" })),
    upstream("validated", "tls", clientTls({ validation_context: ca() }, { sni: "server.test" })),
    upstream("of another root", "strange-tls", clientTls({ validation_context: ca() })),
    upstream("SAN", "tls", clientTls({ validation_context: ca("root.pem", [uri({ exact: IDS.server })]) })),
    upstream("another SAN", "tls", clientTls({ validation_context: ca("root.pem", [uri({ exact: IDS.other })]) })),
    upstream("with our certificate", "mtls", clientTls({ tls_certificates: [pair("client")], validation_context: ca() }, { sni: "server.test" })),
    upstream("without the certificate that is asked for", "mtls", clientTls({ validation_context: ca() })),
    upstream("with a certificate that is not trusted", "mtls", clientTls({ tls_certificates: [pair("stranger")], validation_context: ca() })),
    upstream("ALPN decides for HTTP/1", "tls", clientTls({}), auto),
    upstream("SNI of the request's host", "tls", clientTls({}), {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
          upstream_http_protocol_options: { auto_sni: true },
          explicit_http_config: { http_protocol_options: {} },
        }),
      },
    }),
    upstream("the certificate must be for the request's host", "tls", clientTls({ validation_context: ca() }), autoName, get("/", [], { host: "server.test" })),
    upstream("the certificate is for another host", "tls", clientTls({ validation_context: ca() }), autoName),
    row("TLS upstream: by the endpoint's label", http({ routes: [route({ prefix: "/" }, { cluster: "matching-istio" })] }), get(), {
      clusters: [cluster("matching-istio", [], matching("istio"))],
    }),
    row("TLS upstream: no label", http({ routes: [route({ prefix: "/" }, { cluster: "matching-undefined" })] }), get(), {
      clusters: [cluster("matching-undefined", [], matching())],
    }),
  ],
};
