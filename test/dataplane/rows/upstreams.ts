import type { JsonObject } from "@bufbuild/protobuf";
import { cluster, get, http, row, route, typed, type Call, type Group, type Row } from "../row.ts";
import { clientTls } from "./tls.ts";

/** How a cluster reaches its hosts and chooses among them: the protocol by ALPN, subsets. */

const OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const autoConfig = (config: JsonObject = {}): JsonObject => ({ typed_extension_protocol_options: { [OPTIONS]: typed(OPTIONS, { auto_config: config }) } });

let negotiators = 0;
function byAlpn(name: string, backend: string, tls: JsonObject, call: Call | readonly Call[] = get(), options: JsonObject = autoConfig()): Row {
  const own = `alpn-${negotiators++}`;
  return row(`ALPN: ${name}`, http({ routes: [route({ prefix: "/" }, { cluster: own })] }), call, { clusters: [cluster(own, [backend], { transport_socket: tls, ...options })] });
}
const post: Call = get("/post", [], { method: "POST", body: "hello" });
const requests = (count: number, want?: { delay: number }): Call => ({ h2: Array.from({ length: count }, (_, n) => ({ path: `/${n}`, ...(want && { want }) })) });

export const upstreams: Group = {
  name: "upstreams",
  rows: [
    byAlpn("the server speaks both", "tls-both", clientTls(), [get(), post]),
    byAlpn("the server speaks HTTP/2 only", "tls-h2", clientTls(), [get(), post]),
    byAlpn("the server speaks HTTP/1 only", "tls-one", clientTls(), [get(), post]),
    byAlpn("the server knows no ALPN", "tls", clientTls(), [get(), post]),
    byAlpn("the TLS context offers HTTP/1 only", "tls-both", clientTls({ alpn_protocols: ["http/1.1"] }), [get(), post]),
    byAlpn("the TLS context offers HTTP/2 only", "tls-both", clientTls({ alpn_protocols: ["h2"] })),
    byAlpn("the TLS context offers something else", "tls", clientTls({ alpn_protocols: ["other"] })),
    byAlpn("many at once over HTTP/2", "tls-both", clientTls(), requests(6, { delay: 50 })),
    byAlpn("many at once over HTTP/1", "tls-one", clientTls(), requests(6, { delay: 50 })),
    byAlpn("HTTP/2 with one stream at a time", "tls-h2", clientTls(), requests(3, { delay: 50 }), autoConfig({ http2_protocol_options: { max_concurrent_streams: 1 } })),
    byAlpn("HTTP/1 explicitly", "tls-both", clientTls(), [get(), post], {}),
    byAlpn("HTTP/1 explicitly, of a server for that only", "tls-one", clientTls(), [get(), post], {}),
    byAlpn("HTTP/2 explicitly", "tls-both", clientTls(), [get(), post], { typed_extension_protocol_options: { [OPTIONS]: typed(OPTIONS, { explicit_http_config: { http2_protocol_options: {} } }) } }),
    byAlpn("as the client, HTTP/1", "tls-both", clientTls(), [get(), post], { typed_extension_protocol_options: { [OPTIONS]: typed(OPTIONS, { use_downstream_protocol_config: { http2_protocol_options: {} } }) } }),
    byAlpn("as the client, HTTP/2", "tls-both", clientTls(), requests(2), { typed_extension_protocol_options: { [OPTIONS]: typed(OPTIONS, { use_downstream_protocol_config: { http2_protocol_options: {} } }) } }),
    byAlpn("trailers of a gRPC call", "tls-both", clientTls(), { h2: { method: "POST", headers: [["content-type", "application/grpc"], ["te", "trailers"]], body: "x" } }),
    byAlpn("the server is of another root", "tls-both", clientTls({ validation_context: { trusted_ca: { filename: "{file:stranger-root.pem}" } } })),
  ],
};
