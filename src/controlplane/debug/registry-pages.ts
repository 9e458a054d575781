import type { ConfigIndex } from "../registry/config-index.ts";
import type { EndpointHealth, MeshEndpoint } from "../registry/endpoint.ts";
import type { MeshService, Resolution } from "../registry/service.ts";
import { externalAddresses } from "../registry/networks.ts";
import type { MeshSnapshot } from "../registry/snapshot.ts";
import type { KubeObject, Service } from "../../resources/index.ts";

/* Istio prints its own structures on these pages; the field names and numbers below are theirs, since tools read them. */

const RESOLUTION: Record<Resolution, number> = { ClientSideLB: 0, DNSLB: 1, DNSRoundRobinLB: 2, Passthrough: 3, Alias: 4, DynamicDNS: 5 };
const HEALTH: Record<EndpointHealth, number> = { UNKNOWN: 0, HEALTHY: 1, UNHEALTHY: 2, DRAINING: 3, TERMINATING: 4 };
const DISTRIBUTION: Record<MeshService["trafficDistribution"], number> = { Any: 0, PreferSameZone: 1, PreferSameNode: 2 };

const byHostname = (a: MeshService, b: MeshService): number =>
  a.hostname < b.hostname ? -1 : a.hostname > b.hostname ? 1 : a.namespace < b.namespace ? -1 : 1;
const orNull = <T extends object>(value: T | undefined): T | null => (value && Object.keys(value).length > 0 ? value : null);

/** `/debug/registryz`. */
export function registryPage(snapshot: MeshSnapshot): unknown[] {
  return [...snapshot.services.all].sort(byHostname).map((service) => serviceView(service, snapshot));
}

/** A service as Istio prints it. */
export function serviceView(service: MeshService, snapshot: MeshSnapshot): unknown {
  const object = service.registry === "Kubernetes" ? (snapshot.objects.get("Service", service.name, service.namespace) as Service | undefined) : undefined;
  const external = object ? externalAddresses(object) : [];
  const [v4, v6] = [service.autoAddresses.find((address) => !address.includes(":")), service.autoAddresses.find((address) => address.includes(":"))];
  return {
    Attributes: {
      ServiceRegistry: service.registry,
      Name: service.name,
      Namespace: service.namespace,
      Labels: orNull(service.labels),
      ExportTo: service.exportTo ? Object.fromEntries(service.exportTo.map((to) => [to, {}])) : null,
      Visibility: 0,
      LabelSelectors: orNull(service.selector),
      Aliases: orNull(service.aliases.map((alias) => ({ Namespace: alias.namespace, Hostname: alias.hostname }))),
      ClusterExternalAddresses: { Addresses: external.length > 0 ? { [snapshot.clusterId]: external } : null },
      ClusterExternalPorts: null,
      PassthroughTargetPorts: orNull(service.passthroughTargetPorts),
      Type: object?.spec?.type ?? "",
      ExternalName: service.externalName,
      NodeLocal: service.nodeLocal,
      TrafficDistribution: DISTRIBUTION[service.trafficDistribution],
      ObjectName: "",
      DNSConnectStrategy: 0,
      PublishNotReadyAddresses: service.publishNotReadyAddresses,
    },
    ports: service.ports.map(({ name, port, protocol }) => ({ name, port, protocol })),
    creationTime: service.created > 0 ? new Date(service.created).toISOString().replace(".000", "") : null,
    hostname: service.hostname,
    clusterVIPs: { Addresses: service.addresses.length > 0 ? { [snapshot.clusterId]: service.addresses } : null },
    defaultAddress: service.address,
    ...(v4 && { autoAllocatedIPv4Address: v4 }),
    ...(v6 && { autoAllocatedIPv6Address: v6 }),
    Resolution: RESOLUTION[service.resolution],
    MeshExternal: service.meshExternal,
    ResourceVersion: object?.metadata.resourceVersion ?? "",
  };
}

/** `/debug/endpointz`, by hostname and namespace. */
export function endpointPage(snapshot: MeshSnapshot): Record<string, Record<string, unknown>> {
  const out: Record<string, Record<string, unknown>> = {};
  for (const service of [...snapshot.services.all].sort(byHostname)) {
    const { endpoints } = snapshot.backends(service);
    if (endpoints.length === 0) continue;
    const shards: Record<string, unknown[]> = {};
    for (const endpoint of endpoints) (shards[`${service.registry}/${endpoint.clusterId}`] ??= []).push(endpointView(endpoint, service));
    const accounts = [...new Set(endpoints.map(({ identity }) => identity).filter((identity) => identity !== ""))].sort();
    (out[service.hostname] ??= {})[service.namespace] = { Shards: shards, ServiceAccounts: Object.fromEntries(accounts.map((account) => [account, {}])) };
  }
  return out;
}

function endpointView(endpoint: MeshEndpoint, service: MeshService): unknown {
  return {
    Labels: orNull(endpoint.labels),
    Addresses: [endpoint.address],
    ServicePortName: endpoint.portName,
    LegacyClusterPortKey: 0,
    ServiceAccount: endpoint.identity,
    Network: endpoint.network,
    Locality: { Label: endpoint.locality, ClusterID: endpoint.clusterId },
    EndpointPort: endpoint.port,
    LbWeight: endpoint.weight,
    TLSMode: endpoint.tlsMode,
    Namespace: endpoint.namespace,
    WorkloadName: endpoint.workload,
    HostName: endpoint.podHostname,
    SubDomain: endpoint.podSubdomain,
    HealthStatus: HEALTH[endpoint.health],
    SendUnhealthyEndpoints: !service.publishNotReadyAddresses,
    NodeName: endpoint.nodeName,
  };
}

/** `/debug/configz`: Istio's resources as they are in force, by kind. */
export function configPage(configs: ConfigIndex): KubeObject[] {
  return Object.entries(configs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, objects]) =>
      objects.map(({ kind, apiVersion, metadata, spec, status }: KubeObject) => ({
        kind,
        apiVersion,
        metadata,
        spec,
        ...(status !== undefined && status !== null && Object.keys(status).length > 0 && { status }),
      })),
    );
}
