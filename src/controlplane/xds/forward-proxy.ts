import { packAny, type Init } from "../../proto/index.ts";
import { Cluster_DnsLookupFamily, type Cluster_CustomClusterTypeSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterConfigSchema } from "../../proto/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts";
import type { DnsCacheConfigSchema } from "../../proto/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.ts";
import { CaresDnsResolverConfigSchema } from "../../proto/gen/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.ts";
import { FilterConfigSchema } from "../../proto/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.ts";
import { FilterConfigSchema as SniFilterConfigSchema } from "../../proto/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.ts";
import type { FilterConfig } from "../policy/index.ts";
import type { MeshPort, MeshService } from "../registry/index.ts";
import type { ProxyContext, ProxyView } from "./proxy.ts";

type DnsCache = Init<typeof DnsCacheConfigSchema>;

/** Filters and the cluster find each other's resolved addresses by the name of this cache. */
const CACHE_SUFFIX = "_dfp_dns_cache";
/** HTTP/1 and HTTP/2 have a host that can be looked up, and TLS a server name. */
const PROTOCOLS = new Set(["HTTP", "HTTP2", "GRPC", "TLS"]);
export const SNI_FORWARD_PROXY = "envoy.extensions.filters.network.sni_dynamic_forward_proxy";

/** The outbound policy under which names that no service has are looked up too, and its cluster and routes. */
export const ALLOW_BY_NAME = "ALLOW_ANY_DYNAMIC_DNS";
export const ANY_NAME_CLUSTER = "AllowAnyDynamicDNSCluster";
export const ANY_NAME = "allow_any_dynamic_dns";
const ANY_NAME_CACHE = "allow_any_dfp_dns_cache";
/** Envoy's own limit of names that it remembers, said so that it can be seen. */
const MAX_NAMES = 1024;
/** The agent's DNS proxy where it does not say its own. */
const AGENT_DNS = { host: "127.0.0.1", port: 15053 };

/** Whether a proxy looks up names that no service has. One that cannot leaves connections to the address that the application chose. */
export function forwardsAny({ scope, view }: Pick<ProxyContext, "scope" | "view">): boolean {
  return scope.outbound.mode === ALLOW_BY_NAME && view.type === "sidecar" && view.forwardProxy;
}

/** The cluster for all names that no service has; `insecure` where no TLS asks for them. */
export function anyNameCluster(view: ProxyView, insecure: boolean): Init<typeof Cluster_CustomClusterTypeSchema> {
  return customCluster(anyNameCache(view), insecure);
}

/** Looks up the host of a request that no service has. */
export function anyNameFilter(view: ProxyView): FilterConfig {
  return hostFilter(anyNameCache(view));
}

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
  return customCluster(dnsCache(service, view), insecure);
}

/** Looks up the host of a request. */
export function forwardProxyFilter(service: MeshService, view: ProxyView): FilterConfig {
  return hostFilter(dnsCache(service, view));
}

/** Looks up the server name of a TLS connection. */
export function sniForwardProxyFilter(service: MeshService, port: number, view: ProxyView): FilterConfig {
  return {
    name: SNI_FORWARD_PROXY,
    typedConfig: packAny(SniFilterConfigSchema, { dnsCacheConfig: dnsCache(service, view), portSpecifier: { case: "portValue", value: port } }),
  };
}

function customCluster(cache: DnsCache, allowInsecureClusterOptions: boolean): Init<typeof Cluster_CustomClusterTypeSchema> {
  return {
    name: "envoy.clusters.dynamic_forward_proxy",
    typedConfig: packAny(ClusterConfigSchema, { clusterImplementationSpecifier: { case: "dnsCacheConfig", value: cache }, allowInsecureClusterOptions }),
  };
}

function hostFilter(cache: DnsCache): FilterConfig {
  return {
    name: "envoy.filters.http.dynamic_forward_proxy",
    typedConfig: packAny(FilterConfigSchema, { implementationSpecifier: { case: "dnsCacheConfig", value: cache } }),
  };
}

function dnsCache({ hostname }: MeshService, view: ProxyView): DnsCache {
  return { name: `${hostname}${CACHE_SUFFIX}`, dnsLookupFamily: lookupFamily(view) };
}

/** Where applications ask the agent for names, so does the proxy: both must come to the same address. */
function anyNameCache(view: ProxyView): DnsCache {
  const cache: DnsCache = { name: ANY_NAME_CACHE, maxHosts: MAX_NAMES, dnsLookupFamily: lookupFamily(view) };
  if (!view.dnsCapture) return cache;
  const { host, port } = agentDns(view.dnsProxy);
  const resolvers = [
    {
      address: {
        case: "socketAddress" as const,
        value: { address: host === "localhost" ? AGENT_DNS.host : host, portSpecifier: { case: "portValue" as const, value: port } },
      },
    },
  ];
  return { ...cache, typedDnsResolverConfig: { name: "envoy.network.dns_resolver.cares", typedConfig: packAny(CaresDnsResolverConfigSchema, { resolvers }) } };
}

function agentDns(named: string): { host: string; port: number } {
  const [, host, port] = /^\[?([^\]]*)\]?:(\d+)$/.exec(named) ?? [];
  return host === undefined ? AGENT_DNS : { host, port: Number(port) };
}

function lookupFamily({ ipv4, ipv6 }: ProxyView): Cluster_DnsLookupFamily {
  return ipv6 && !ipv4 ? Cluster_DnsLookupFamily.V6_ONLY : Cluster_DnsLookupFamily.V4_ONLY;
}
