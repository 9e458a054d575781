import type { JsonObject } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { packAny, type Init } from "../../proto/index.ts";
import { CorsSchema } from "../../proto/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts";
import { HTTPFaultSchema } from "../../proto/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts";
import { FilterConfigSchema as GrpcStatsSchema } from "../../proto/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb.ts";
import { GrpcWebSchema } from "../../proto/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts";
import { RouterSchema } from "../../proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import { HttpInspectorSchema } from "../../proto/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
import { OriginalDstSchema } from "../../proto/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts";
import { OriginalSrcSchema } from "../../proto/gen/envoy/extensions/filters/listener/original_src/v3/original_src_pb.ts";
import { ProxyProtocolSchema } from "../../proto/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts";
import { TlsInspectorSchema } from "../../proto/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
import { PreviousHostsPredicateSchema } from "../../proto/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts";
import { RawBufferSchema } from "../../proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
import type { TransportSocketSchema } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { FilterConfig_Protocol, FilterConfigSchema as AlpnSchema } from "../../proto/gen/istio/alpn/config_pb.ts";
import { TypedStructSchema } from "../../proto/gen/udpa/type/v1/typed_struct_pb.ts";
import type { FilterConfig } from "../policy/index.ts";
import { adsSource } from "./sds.ts";

/** The mark of the proxy's own connections, by which capture lets them pass under TPROXY. */
const PROXY_MARK = 1337;
/** A ClientHello fits; Envoy's default of 64 KB is kept for each connection. */
const TLS_INSPECTOR_BUFFER = 512;

const filter = (name: string, typedConfig: Any): FilterConfig => ({ name, typedConfig });
const typedStruct = (type: string, value: JsonObject): Any => packAny(TypedStructSchema, { typeUrl: `type.googleapis.com/${type}`, value });
const headers = { istio_headers: {} };
const workloads = { workload_discovery: {} };

/** Tells the peer of a TCP connection over mutual TLS who is speaking; on listeners and clusters. */
export const TCP_METADATA_EXCHANGE = filter(
  "istio.metadata_exchange",
  typedStruct("envoy.tcp.metadataexchange.config.MetadataExchange", { protocol: "istio-peer-exchange", enable_discovery: true }),
);
export const INBOUND_METADATA = filter(
  "istio.metadata_exchange",
  typedStruct("io.istio.http.peer_metadata.Config", { downstream_discovery: [headers, workloads], downstream_propagation: [headers] }),
);
export const OUTBOUND_METADATA = filter(
  "istio.metadata_exchange",
  typedStruct("io.istio.http.peer_metadata.Config", { upstream_discovery: [headers, workloads], upstream_propagation: [headers] }),
);
/** As OUTBOUND_METADATA, but servers outside the mesh are not sent the headers. */
export const OUTBOUND_METADATA_SKIP_HEADERS = filter(
  "istio.metadata_exchange",
  typedStruct("io.istio.http.peer_metadata.Config", {
    upstream_discovery: [headers, workloads],
    upstream_propagation: [{ istio_headers: { skip_external_clusters: true } }],
  }),
);

/** What a client offers by ALPN for each protocol, so that the server's sidecar knows the protocol inside mutual TLS. */
export const ALPN = filter(
  "istio.alpn",
  packAny(AlpnSchema, {
    alpnOverride: [
      { upstreamProtocol: FilterConfig_Protocol.HTTP10, alpnOverride: ["istio-http/1.0", "istio", "http/1.0"] },
      { upstreamProtocol: FilterConfig_Protocol.HTTP11, alpnOverride: ["istio-http/1.1", "istio", "http/1.1"] },
      { upstreamProtocol: FilterConfig_Protocol.HTTP2, alpnOverride: ["istio-h2", "istio", "h2"] },
    ],
  }),
);

export const GRPC_STATS = filter(
  "envoy.filters.http.grpc_stats",
  packAny(GrpcStatsSchema, { emitFilterState: true, perMethodStatSpecifier: { case: "statsForAllMethods", value: { value: false } } }),
);
export const GRPC_WEB = filter("envoy.filters.http.grpc_web", packAny(GrpcWebSchema, {}));
export const FAULT = filter("envoy.filters.http.fault", packAny(HTTPFaultSchema, {}));
export const CORS = filter("envoy.filters.http.cors", packAny(CorsSchema, {}));
export const ROUTER = filter("envoy.filters.http.router", packAny(RouterSchema, {}));
export const ROUTER_SUPPRESS_HEADERS = filter("envoy.filters.http.router", packAny(RouterSchema, { suppressEnvoyHeaders: true }));

export const TLS_INSPECTOR = filter("envoy.filters.listener.tls_inspector", packAny(TlsInspectorSchema, { initialReadBufferSize: TLS_INSPECTOR_BUFFER }));
export const HTTP_INSPECTOR = filter("envoy.filters.listener.http_inspector", packAny(HttpInspectorSchema, {}));
export const ORIGINAL_DST = filter("envoy.filters.listener.original_dst", packAny(OriginalDstSchema, {}));
export const ORIGINAL_SRC = filter("envoy.filters.listener.original_src", packAny(OriginalSrcSchema, { mark: PROXY_MARK }));
export const PROXY_PROTOCOL = filter("envoy.filters.listener.proxy_protocol", packAny(ProxyProtocolSchema, {}));

export const PREVIOUS_HOSTS = filter("envoy.retry_host_predicates.previous_hosts", packAny(PreviousHostsPredicateSchema, {}));

export const RAW_BUFFER = filter("envoy.transport_sockets.raw_buffer", packAny(RawBufferSchema, {}));

/** A filter or the like as Envoy's messages take it, with the configuration in a oneof. */
export function configured<Extra extends object>(config: FilterConfig, extra?: Extra) {
  return { name: config.name, configType: { case: "typedConfig" as const, value: config.typedConfig }, ...extra };
}

/** A filter of a chain, whose configuration may come apart from it. */
export function chainFilter(config: FilterConfig) {
  if (!config.discovered) return configured(config);
  return { name: config.name, configType: { case: "configDiscovery" as const, value: { configSource: adsSource(), typeUrls: [...config.discovered] } } };
}

export function rawBufferSocket(): Init<typeof TransportSocketSchema> {
  return configured(RAW_BUFFER);
}
