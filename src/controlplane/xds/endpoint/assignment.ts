import { create, type JsonObject, type MessageShape } from "@bufbuild/protobuf";
import type { Init } from "../../../proto/index.ts";
import { HealthStatus } from "../../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { LbEndpointSchema, LocalityLbEndpointsSchema } from "../../../proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
import type { PeerAuthenticationPolicies } from "../../policy/index.ts";
import { compareText, forcesUnhealthyEndpoints, selects, servesPort, type MeshConfig, type MeshEndpoint, type MeshService } from "../../registry/index.ts";
import { address } from "../address.ts";
import type { EffectiveRule } from "../scope/destination-rules.ts";
import { policyForPort, policyOf } from "../traffic-policy.ts";
import { canonicalService } from "../workload.ts";
import { localitySettings, prioritise, type LocalityGroup } from "./locality.ts";
import { isVisible, takesMutualTls, throughGateways, type Reach, type Reached } from "./reach.ts";

export type LoadAssignment = MessageShape<typeof ClusterLoadAssignmentSchema>;

/** What of a client's place decides which endpoints it gets, and in which order it tries them. */
export interface EndpointClient {
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  readonly nodeName: string;
  readonly clusterId: string;
  /** Where there are several networks. */
  readonly reach?: Reach | undefined;
}

export interface AssignmentRequest {
  readonly clusterName: string;
  readonly service: MeshService;
  readonly port: number;
  readonly subset: string;
  readonly rule: EffectiveRule | undefined;
  /** All endpoints of the service. */
  readonly endpoints: readonly MeshEndpoint[];
  readonly peerAuthentication: PeerAuthenticationPolicies;
  readonly mesh: MeshConfig;
  /** Whether clients of other clusters get nothing. */
  readonly clusterLocal: boolean;
  readonly client: EndpointClient;
  /** The endpoints are part of their cluster, which resolves their names. */
  readonly inCluster?: boolean;
  /** Behind AUTO_PASSTHROUGH only endpoints that take mutual TLS are reached. */
  readonly mtlsOnly?: boolean;
}

/** Whoever has a session goes on to be sent to a server that goes away; nobody else is. */
const PERSISTENT_SESSION = "istio.io/persistent-session";
const DRAINING = "istio.io/draining";
/** The largest weight that its field can hold. */
const MAX_WEIGHT = 0xffff_ffff;

/** The endpoints of a cluster for one client. */
export function loadAssignment(request: AssignmentRequest): LoadAssignment {
  const { clusterName, rule, port, subset, mesh, service, client } = request;
  const groups = localityGroups(request);
  const policy = policyOf(rule, subset, port);
  const settings = localitySettings(policy?.loadBalancer, service, mesh);
  const endpoints =
    settings && groups.length > 0 ? prioritise(groups, settings, client, policy?.outlierDetection !== undefined) : groups.map(({ lbEndpoints }) => lbEndpoints);
  return create(ClusterLoadAssignmentSchema, { clusterName, endpoints });
}

/** The endpoints by locality, before localities are given priorities. */
export function localityGroups(request: AssignmentRequest): LocalityGroup[] {
  const { service, port, subset, rule, peerAuthentication, client } = request;
  const own = service.ports.find((candidate) => candidate.port === port);
  if (!own) return [];
  const labels = subset === "" ? undefined : rule?.spec.subsets?.find(({ name }) => name === subset)?.labels;
  const ruleMode = tlsModeOf(rule, subset, port);
  const keepsUnhealthy = forcesUnhealthyEndpoints(service) || !((policyOf(rule, subset, port)?.outlierDetection?.minHealthPercent ?? 0) > 0);
  const groups = new Map<string, { endpoints: MeshEndpoint[]; built: Init<typeof LbEndpointSchema>[] }>();
  for (const endpoint of request.endpoints) {
    if (!(request.inCluster ? servesPort(endpoint, own) : endpoint.portName === own.name) || !selects(labels, endpoint.labels)) continue;
    if (!isVisible(endpoint, client.reach)) continue;
    if (request.clusterLocal && endpoint.clusterId !== client.clusterId) continue;
    if (service.nodeLocal && endpoint.nodeName !== client.nodeName) continue;
    if (
      endpoint.health === "TERMINATING" ||
      (endpoint.health === "UNHEALTHY" && !keepsUnhealthy) ||
      (isDraining(endpoint) && !service.labels[PERSISTENT_SESSION])
    )
      continue;
    const mtls = ruleMode ? ruleMode === "ISTIO_MUTUAL" : peerAuthentication.endpointTakesMtls(endpoint);
    const group = groups.get(endpoint.locality) ?? { endpoints: [], built: [] };
    groups.set(endpoint.locality, group);
    // Behind a gateway between networks mutual TLS goes on, whoever ends it.
    if (request.mtlsOnly && !client.reach && !(mtls && endpoint.tlsMode === "istio")) continue;
    group.endpoints.push(endpoint);
    group.built.push(lbEndpoint(endpoint, mtls && endpoint.tlsMode !== "disabled" ? endpoint.tlsMode : ""));
  }
  return [...groups.keys()].sort(compareText).map((locality) => {
    const all = groups.get(locality) ?? { endpoints: [], built: [] };
    const { endpoints, built } = client.reach ? filtered(throughGateways(all.endpoints, all.built, client.reach), request.mtlsOnly ?? false) : all;
    const [region = "", zone = "", subZone = ""] = locality.split("/");
    const weight = built.reduce((sum, { loadBalancingWeight }) => sum + (loadBalancingWeight ?? 1), 0);
    const lbEndpoints: Init<typeof LocalityLbEndpointsSchema> = {
      locality: { region, zone, subZone },
      lbEndpoints: built,
      ...(weight > 0 && { loadBalancingWeight: Math.min(weight, MAX_WEIGHT) }),
    };
    return { endpoints, lbEndpoints };
  });
}

function filtered({ endpoints, built }: Reached, mtlsOnly: boolean): { endpoints: readonly MeshEndpoint[]; built: Init<typeof LbEndpointSchema>[] } {
  const fits = (index: number): boolean => !mtlsOnly || takesMutualTls(built[index]);
  return { endpoints: endpoints.filter((_, index) => fits(index)), built: built.filter((_, index) => fits(index)) };
}

/** The TLS mode that a rule sets for a cluster, if it sets one. */
function tlsModeOf(rule: EffectiveRule | undefined, subset: string, port: number): string | undefined {
  if (!rule) return undefined;
  const own = subset === "" ? undefined : rule.spec.subsets?.find(({ name }) => name === subset);
  const modeOf = (policy: EffectiveRule["spec"]["trafficPolicy"]): string | undefined => {
    const ofPort = policyForPort(policy, port);
    const tls = (ofPort.ownOfPort ? ofPort.policy?.tls : undefined) ?? policy?.tls;
    return tls && (tls.mode ?? "DISABLE");
  };
  if (subset !== "" && !own) return undefined;
  return modeOf(own?.trafficPolicy) ?? modeOf(rule.spec.trafficPolicy);
}

function isDraining({ health, labels }: MeshEndpoint): boolean {
  return health === "DRAINING" || Boolean(labels[DRAINING]);
}

function lbEndpoint(endpoint: MeshEndpoint, tlsMode: string): Init<typeof LbEndpointSchema> {
  const { name, revision } = canonicalService(endpoint.labels, endpoint.workload);
  const filterMetadata: Record<string, JsonObject> = {
    istio: { workload: [endpoint.workload, endpoint.namespace, name, revision === "latest" ? "" : revision, endpoint.clusterId].join(";") },
  };
  if (tlsMode) filterMetadata["envoy.transport_socket_match"] = { tlsMode };
  return {
    hostIdentifier: { case: "endpoint", value: { address: address(endpoint.address, endpoint.port) } },
    healthStatus: HealthStatus[isDraining(endpoint) ? "DRAINING" : endpoint.health === "TERMINATING" ? "UNHEALTHY" : endpoint.health],
    loadBalancingWeight: endpoint.weight || 1,
    metadata: { filterMetadata },
  };
}
