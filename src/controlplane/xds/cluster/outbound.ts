import { create, type JsonObject } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { packAny } from "../../../proto/index.ts";
import {
  Cluster_CommonLbConfigSchema,
  Cluster_DnsLookupFamily,
  Cluster_EdsClusterConfigSchema,
  Cluster_LbPolicy,
  Cluster_OriginalDstLbConfigSchema,
} from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { FilterSchema } from "../../../proto/gen/envoy/config/cluster/v3/filter_pb.ts";
import { MetadataSchema } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { HealthStatus, HealthStatusSetSchema } from "../../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import { TypedExtensionConfigSchema } from "../../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { CaresDnsResolverConfigSchema } from "../../../proto/gen/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.ts";
import type { Subset, TrafficPolicy } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import {
  forcesUnhealthyEndpoints,
  isHttp,
  isHttp2,
  isSniffed,
  keepsDrainingEndpoints,
  servesPort,
  type MeshPort,
  type MeshService,
  type ServiceBackends,
} from "../../registry/index.ts";
import { loadAssignment, type EndpointClient } from "../endpoint/assignment.ts";
import { TCP_METADATA_EXCHANGE } from "../filters.ts";
import { forwardProxyCluster, forwardsByName } from "../forward-proxy.ts";
import type { MeshView } from "../mesh-view.ts";
import { configPath, serviceMetadata } from "../metadata.ts";
import { outboundCluster, sniName, statPrefix } from "../names.ts";
import type { ProxyView } from "../proxy.ts";
import { adsSource } from "../sds.ts";
import type { EffectiveRule } from "../scope/destination-rules.ts";
import { patternedStatName, statService } from "../stat-name.ts";
import { policyForSubset, policyOf, withMeshDefault } from "../traffic-policy.ts";
import { applyConnectionPool, applyOutlierDetection, upgradesToHttp2 } from "./connection-pool.ts";
import { ClusterDraft, preserveCaseOptions, type Cluster, type DiscoveryType } from "./draft.ts";
import { applyLoadBalancer } from "./load-balancer.ts";
import { applyProxyProtocol, applyUpstreamTls, insecureByName } from "./tls.ts";

export interface OutboundRequest {
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly rule: EffectiveRule | undefined;
  readonly backends: ServiceBackends;
  readonly mesh: MeshView;
  readonly view: ProxyView;
  readonly client: EndpointClient;
  /** Clusters for an AUTO_PASSTHROUGH gateway: named by SNI, without TLS of their own. */
  readonly sni?: boolean;
}

/** Spreads the DNS look-ups of many clusters, as Istio does. */
const DNS_JITTER = { nanos: 100_000_000 };
/** c-ares is known to stop answering on a socket that is used for ever. */
const CARES_QUERIES_PER_SOCKET = 100;
const PRESERVE_CASE = "preserveHttp1HeaderCase";

/** The clusters of one port of a service: the whole service's, then its subsets'. */
export function outboundClusters(request: OutboundRequest): Cluster[] {
  const { rule, port } = request;
  const base = withMeshDefault(policyOf(rule, "", port.port), request.mesh.config["defaultTrafficPolicy"]);
  const main = build(request, undefined, base);
  if (!main) return [];
  // Whoever is found by name only then has no labels to choose by.
  const subsets = (forwardsByName(request.service) ? [] : (rule?.spec.subsets ?? [])).map((subset) => {
    const policy = subset.trafficPolicy ? policyForSubset(base, subset.trafficPolicy, port.port) : base;
    return build(request, subset, policy);
  });
  return [main, ...subsets.filter((cluster) => cluster !== undefined)];
}

/** How a cluster finds its endpoints. Gateways dial nothing that the client chose. */
export function discoveryType(service: MeshService, proxyType: ProxyView["type"]): DiscoveryType {
  switch (service.resolution) {
    case "DNSLB":
      return service.racesAddresses ? "LOGICAL_DNS" : "STRICT_DNS";
    case "DNSRoundRobinLB":
      return "LOGICAL_DNS";
    case "Passthrough":
      return proxyType === "router" ? "EDS" : "ORIGINAL_DST";
    default:
      return "EDS";
  }
}

function build(request: OutboundRequest, subset: Subset | undefined, policy: TrafficPolicy | undefined): Cluster | undefined {
  const { service, port, rule, mesh, view } = request;
  const name = request.sni ? sniName(port.port, subset?.name ?? "", service.hostname) : outboundCluster(port.port, subset?.name ?? "", service.hostname);
  const passthrough = subset?.trafficPolicy?.loadBalancer?.simple === "PASSTHROUGH";
  const byName = forwardsByName(service);
  // Envoy refuses such a cluster without TLS, whose HTTP options say nothing of names, unless it is told that this is meant. Istio does not tell it.
  const draft = new ClusterDraft(
    name,
    byName
      ? forwardProxyCluster(service, view, insecureByName(policy) || (view.dialect === "envoy" && !policy?.tls))
      : passthrough
        ? "ORIGINAL_DST"
        : discoveryType(service, view.type),
  );
  const statName = request.sni
    ? undefined
    : patternedStatName(mesh.config["outboundClusterStatName"], {
        ...statService(service),
        port: port.port,
        portName: port.name,
        subset: subset?.name ?? "",
        targetPort: 0,
      });
  if (statName !== undefined) draft.init.altStatName = statPrefix(statName);
  if (!byName) draft.init.commonLbConfig = create(Cluster_CommonLbConfigSchema);
  // Whoever has a session goes on to reach a server that goes away; new requests do not.
  if (!subset && !request.sni && draft.init.commonLbConfig && keepsDrainingEndpoints(service))
    draft.init.commonLbConfig.overrideHostStatus = create(HealthStatusSetSchema, {
      statuses: [HealthStatus.HEALTHY, HealthStatus.DRAINING, HealthStatus.UNKNOWN, HealthStatus.DEGRADED],
    });
  if (!applyDiscovery(draft, request, subset?.name ?? "")) return undefined;
  applyProtocol(draft, port, view, mesh);
  if (upgradesToHttp2(policy?.connectionPool, port, mesh.config)) draft.setHttp2();
  applyConnectionPool(draft, policy?.connectionPool, policy?.retryBudget, mesh.config);
  applyOutlierDetection(draft, policy?.outlierDetection, forcesUnhealthyEndpoints(service));
  if (byName) draft.init.lbPolicy = Cluster_LbPolicy.CLUSTER_PROVIDED;
  else applyLoadBalancer(draft, policy?.loadBalancer, service, mesh.config);
  if (!request.sni) {
    applyTls(draft, request, subset, policy);
    applyProxyProtocol(draft, policy?.proxyProtocol);
  }
  if (draft.type === "ORIGINAL_DST") draft.init.lbPolicy = Cluster_LbPolicy.CLUSTER_PROVIDED;
  if (draft.type === "EDS") draft.init.edsClusterConfig = create(Cluster_EdsClusterConfigSchema, { serviceName: name, edsConfig: adsSource() });
  if (view.dialect === "istio")
    draft.init.filters = [create(FilterSchema, { name: TCP_METADATA_EXCHANGE.name, typedConfig: TCP_METADATA_EXCHANGE.typedConfig })];
  const istio: JsonObject = byName ? {} : { services: [serviceMetadata(service)] };
  if (service.meshExternal && !subset) istio["external"] = true;
  if (rule) {
    istio["config"] = configPath("destination-rule", rule);
    const mode = policy?.tls?.mode;
    if (mode === "SIMPLE" || mode === "MUTUAL") istio["alpn_override"] = "false";
  }
  if (subset) istio["subset"] = subset.name;
  if (Object.keys(istio).length > 0) draft.init.metadata = create(MetadataSchema, { filterMetadata: { istio } });
  return draft.finish();
}

/** False when a cluster whose endpoints come with it has none: Envoy refuses such clusters. */
function applyDiscovery(draft: ClusterDraft, request: OutboundRequest, subset: string): boolean {
  const { service, port, rule, mesh, view } = request;
  if (draft.type === "ORIGINAL_DST") {
    const override = service.passthroughTargetPorts[port.port];
    if (override) draft.init.lbConfig = { case: "originalDstLbConfig", value: create(Cluster_OriginalDstLbConfigSchema, { upstreamPortOverride: override }) };
    return true;
  }
  if (draft.type !== "STRICT_DNS" && draft.type !== "LOGICAL_DNS") return true;
  const assignment = loadAssignment({
    clusterName: draft.init.name,
    service,
    port: port.port,
    subset,
    rule,
    endpoints: request.backends.endpoints,
    inCluster: true,
    peerAuthentication: mesh.peerAuthentication,
    mesh: mesh.config,
    clusterLocal: mesh.isClusterLocal(service.hostname),
    client: request.client,
  });
  if (assignment.endpoints.length === 0) return false;
  draft.init.loadAssignment = assignment;
  draft.init.dnsLookupFamily = service.racesAddresses
    ? Cluster_DnsLookupFamily.ALL
    : view.ipv6 && !view.ipv4
      ? Cluster_DnsLookupFamily.V6_ONLY
      : Cluster_DnsLookupFamily.V4_ONLY;
  draft.init.dnsJitter = create(DurationSchema, DNS_JITTER);
  const refresh = parseDuration(mesh.config.dnsRefreshRate);
  if (refresh) draft.init.dnsRefreshRate = create(DurationSchema, refresh);
  draft.init.respectDnsTtl = true;
  draft.init.typedDnsResolverConfig = create(TypedExtensionConfigSchema, {
    name: "envoy.network.dns_resolver.cares",
    typedConfig: packAny(CaresDnsResolverConfigSchema, { udpMaxQueries: CARES_QUERIES_PER_SOCKET }),
  });
  return true;
}

function applyProtocol(draft: ClusterDraft, port: MeshPort, view: ProxyView, mesh: MeshView): void {
  if (isHttp2(port.protocol)) {
    draft.setHttp2();
    return;
  }
  if ((isHttp(port.protocol) || isSniffed(port.protocol)) && preservesCase(view, mesh)) draft.setHttp1(preserveCaseOptions());
  // Gateways do not sniff; and offering h2 to a server by what the client spoke would break servers without it.
  if (isSniffed(port.protocol) && view.type !== "router") draft.useDownstreamProtocol();
}

/** Whether the letters of HTTP/1 header names are kept. */
export function preservesCase(view: ProxyView, mesh: MeshView): boolean {
  const headers = (view.proxyConfig ?? mesh.config.defaultConfig).proxyHeaders;
  return headers?.[PRESERVE_CASE] === true;
}

function applyTls(draft: ClusterDraft, request: OutboundRequest, subset: Subset | undefined, policy: TrafficPolicy | undefined): void {
  const { service, port, rule, mesh, view, backends } = request;
  const passthrough = (subset ? subset.trafficPolicy : rule?.spec.trafficPolicy)?.loadBalancer?.simple === "PASSTHROUGH";
  // The names that are looked up say what certificates must say: an entry cannot know.
  const identities = draft.byName ? [] : backends.identities;
  applyUpstreamTls(draft, {
    settings: policy?.tls,
    serviceMode: mesh.peerAuthentication.inferServiceMode(service, passthrough, () => backends.endpoints.filter((endpoint) => servesPort(endpoint, port))),
    identities,
    sni: draft.byName ? "" : sniName(port.port, subset?.name ?? "", service.hostname),
    external: service.meshExternal,
    declaredNames: service.registry === "External" ? identities : undefined,
    autoMtls: mesh.config.enableAutoMtls,
    metadataExchange: view.dialect === "istio",
    mayUseCredentials: view.type !== "sidecar" || rule?.spec.workloadSelector !== undefined,
    tlsDefaults: mesh.config.tlsDefaults,
    sockets: view.secretSockets,
    clientFiles: view.clientFiles,
  });
}
