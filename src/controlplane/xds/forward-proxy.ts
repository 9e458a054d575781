import { packAny, type Init } from "../../proto/index.ts";
import { Cluster_DnsLookupFamily, type Cluster_CustomClusterTypeSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterConfigSchema } from "../../proto/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts";
import type { DnsCacheConfigSchema } from "../../proto/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.ts";
import { FilterConfigSchema } from "../../proto/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.ts";
import { FilterConfigSchema as SniFilterConfigSchema } from "../../proto/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.ts";
import type { FilterConfig } from "../policy/index.ts";
import type { MeshPort, MeshService } from "../registry/index.ts";
import type { ProxyView } from "./proxy.ts";

/** Filters and the cluster find each other's resolved addresses by the name of this cache. */
const CACHE_SUFFIX = "_dfp_dns_cache";
/** HTTP/1 and HTTP/2 have a host that can be looked up, and TLS a server name. */
const PROTOCOLS = new Set(["HTTP", "HTTP2", "GRPC", "TLS"]);
export const SNI_FORWARD_PROXY = "envoy.extensions.filters.network.sni_dynamic_forward_proxy";

/** A wildcard host whose real names are looked up when they are asked for. */
export function forwardsByName({ hostname, resolution }: Pick<MeshService, "hostname" | "resolution">): boolean {
  return resolution === "DynamicDNS" && hostname.startsWith("*");
}

/** Whether requests to a port say which name is meant. */
export function saysName({ protocol }: MeshPort): boolean {
  return PROTOCOLS.has(protocol);
}

/** `insecure`: servers may show certificates for other names, or none is asked for. */
export function forwardProxyCluster(service: MeshService, view: ProxyView, insecure: boolean): Init<typeof Cluster_CustomClusterTypeSchema> {
  return {
    name: "envoy.clusters.dynamic_forward_proxy",
    typedConfig: packAny(ClusterConfigSchema, { clusterImplementationSpecifier: { case: "dnsCacheConfig", value: dnsCache(service, view) }, allowInsecureClusterOptions: insecure }),
  };
}

/** Looks up the host of a request. */
export function forwardProxyFilter(service: MeshService, view: ProxyView): FilterConfig {
  return { name: "envoy.filters.http.dynamic_forward_proxy", typedConfig: packAny(FilterConfigSchema, { implementationSpecifier: { case: "dnsCacheConfig", value: dnsCache(service, view) } }) };
}

/** Looks up the server name of a TLS connection. */
export function sniForwardProxyFilter(service: MeshService, port: number, view: ProxyView): FilterConfig {
  return { name: SNI_FORWARD_PROXY, typedConfig: packAny(SniFilterConfigSchema, { dnsCacheConfig: dnsCache(service, view), portSpecifier: { case: "portValue", value: port } }) };
}

function dnsCache({ hostname }: MeshService, { ipv4, ipv6 }: ProxyView): Init<typeof DnsCacheConfigSchema> {
  return { name: `${hostname}${CACHE_SUFFIX}`, dnsLookupFamily: ipv6 && !ipv4 ? Cluster_DnsLookupFamily.V6_ONLY : Cluster_DnsLookupFamily.V4_ONLY };
}
