/**
 * registry keeps what the mesh is made of: services, endpoints, mesh config and Istio's resources, from the Kubernetes API or from files.
 * It hands out immutable snapshots whose unchanged parts stay the same objects, and tells what changed between two of them.
 * It decides nothing about traffic: policy and xds read the snapshots.
 */
export { createRegistry } from "./registry.ts";
export { snapshotOf, type MeshSnapshot } from "./snapshot.ts";
export { SnapshotBuilder, type SnapshotOptions } from "./snapshot-builder.ts";
export { isRegistryKind, ObjectStore } from "./object-store.ts";
export { defaultMeshConfig, parseMeshConfig, type ExtensionProvider, type MeshConfig, type ProxyConfigSpec } from "./mesh-config.ts";
export type { NetworkGateway, NetworkGateways, Networks } from "./networks.ts";
export { ServiceIndex } from "./service-index.ts";
export { addressesForProxy, forcesUnhealthyEndpoints, serviceHostname, UNSPECIFIED, type MeshPort, type MeshService, type Resolution } from "./service.ts";
export { keepsDrainingEndpoints, localityOfPod, servesPort, withTopologyLabels, workloadName, type EndpointHealth, type MeshEndpoint } from "./endpoint.ts";
export { serviceKey, type ServiceBackends } from "./endpoint-index.ts";
export type { ConfigIndex, ConfigKind } from "./config-index.ts";
export { isOurIngress, ROUTE_SEMANTICS } from "./ingress.ts";
export { selectorMatches } from "./label-selector.ts";
export { isHealthyWorkload, labelsOfWorkload, selects, workloadPort } from "./service-entry.ts";
export { compareAge, compareText, createdAt } from "./order.ts";
export { hostIsSubsetOf, hostsOverlap, isWildcard, resolveShortName, compareSpecificity } from "./host.ts";
export * from "./protocol.ts";
export type { Followed, ObjectReader, Registry, RegistryChange, RegistryKind, RegistryObserver } from "./types.ts";
export { REGISTRY_KINDS } from "./types.ts";
