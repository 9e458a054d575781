import type { EndpointSlice, Node, Pod } from "../../resources/index.ts";
import type { MeshService } from "./service.ts";

/** UNKNOWN: nobody checks it, so it counts as healthy. */
export type EndpointHealth = "UNKNOWN" | "HEALTHY" | "UNHEALTHY" | "DRAINING" | "TERMINATING";

/** One address that serves one port of a service. */
export interface MeshEndpoint {
  /** An IP address; a host name for a service that is resolved by DNS; a path when `port` is 0. */
  readonly address: string;
  readonly port: number;
  /** Name of the service's port that it serves. */
  readonly portName: string;
  /** Number of the port of the ServiceEntry that it comes from; 0 for Kubernetes' own. */
  readonly entryPort: number;
  readonly labels: Readonly<Record<string, string>>;
  /** SPIFFE id, or "" when unknown. */
  readonly identity: string;
  /** `security.istio.io/tlsMode`: "istio" where a sidecar terminates mutual TLS, else "disabled". */
  readonly tlsMode: string;
  /** `region/zone/subzone`, shorter or empty when not known. */
  readonly locality: string;
  readonly network: string;
  readonly clusterId: string;
  /** 0 when not set. */
  readonly weight: number;
  readonly workload: string;
  readonly namespace: string;
  readonly nodeName: string;
  /** For the names of pods behind a headless service; empty unless the pod has a subdomain. */
  readonly podHostname: string;
  readonly podSubdomain: string;
  readonly health: EndpointHealth;
}

export interface EndpointContext {
  pod(name: string, namespace: string): Pod | undefined;
  podByAddress(address: string, namespace: string): Pod | undefined;
  node(name: string): Node | undefined;
  /** Called for each address whose pod is not known yet. */
  onMissingPod(): void;
  trustDomain: string;
  clusterId: string;
  /** Network of addresses that say nothing themselves. */
  network: string;
  /** What the mesh networks say of an address; "" when nothing. */
  networkOf(address: string): string;
}

const TLS_MODE = "security.istio.io/tlsMode";
const NETWORK = "topology.istio.io/network";
const REGION = "topology.kubernetes.io/region";
const ZONE = "topology.kubernetes.io/zone";
const SUBZONE = "topology.istio.io/subzone";
const LOCALITY = "istio-locality";
const PERSISTENT_SESSION = "istio.io/persistent-session";
const PERSISTENT_SESSION_HEADER = "istio.io/persistent-session-header";
/** A Job made by a CronJob ends in the time at which it was due. */
const CRON_JOB = /^(.+)-\d{8,10}$/;

/** The endpoints of all slices of a service, in the slices' order; a later slice replaces an equal address and port. */
export function endpointsOfSlices(service: MeshService, slices: readonly EndpointSlice[], context: EndpointContext): MeshEndpoint[] {
  const found = new Map<string, MeshEndpoint>();
  for (const slice of slices) {
    if (slice.addressType === "FQDN") continue;
    const namespace = slice.metadata.namespace ?? "";
    for (const endpoint of slice.endpoints ?? []) {
      const target = endpoint.targetRef?.kind === "Pod" ? endpoint.targetRef : undefined;
      for (const address of endpoint.addresses ?? []) {
        const pod = target ? context.pod(target.name ?? "", target.namespace ?? namespace) : context.podByAddress(address, namespace);
        // The pod is on its way: until it is known its identity is not, so nothing may be sent to it.
        if (target && !pod) {
          context.onMissingPod();
          continue;
        }
        const workload = describePod(pod, context, address);
        const health = healthOf(service, endpoint.conditions ?? {});
        for (const port of slice.ports ?? []) {
          found.set(`${address}|${port.name ?? ""}|${port.port ?? 0}`, {
            ...workload,
            address,
            port: port.port ?? 0,
            portName: port.name ?? "",
            entryPort: 0,
            health,
          });
        }
      }
    }
  }
  return [...found.values()];
}

/** Whether an endpoint is of a service's port, where it is part of a cluster or listener: several ServiceEntries may name one port differently. */
export function servesPort({ entryPort, portName }: MeshEndpoint, { port, name }: { readonly port: number; readonly name: string }): boolean {
  return entryPort === 0 ? portName === name : entryPort === port;
}

/** The names of a pod's workload: its Deployment's, StatefulSet's, CronJob's …, or its own. */
export function workloadName(pod: Pod): string {
  const { metadata } = pod;
  const owner = metadata.generateName ? metadata.ownerReferences?.find((reference) => reference.controller) : undefined;
  if (!owner) return metadata.name;
  const hash = metadata.labels?.["pod-template-hash"] ?? metadata.labels?.["rollouts-pod-template-hash"];
  if (owner.kind === "ReplicaSet" && hash && owner.name.endsWith(`-${hash}`)) return owner.name.slice(0, -hash.length - 1);
  if (owner.kind === "Job") return CRON_JOB.exec(owner.name)?.[1] ?? owner.name;
  return owner.name;
}

/** `spiffe://<trust domain>/ns/<namespace>/sa/<account>`. */
export function spiffeId(trustDomain: string, namespace: string, account: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`;
}

/** The labels by which subsets and failover see a workload: its own and where it runs. */
export function withTopologyLabels(
  labels: Readonly<Record<string, string>>,
  place: { clusterId: string; locality: string; nodeName: string; network: string },
): Record<string, string> {
  const [region, zone, subzone] = place.locality.split("/");
  const result: Record<string, string> = { ...labels };
  if (region) result[REGION] = region;
  if (zone) result[ZONE] = zone;
  if (subzone) result[SUBZONE] = subzone;
  if (place.clusterId) result["topology.istio.io/cluster"] = place.clusterId;
  if (place.network) result[NETWORK] = place.network;
  if (place.nodeName) result["kubernetes.io/hostname"] = place.nodeName;
  return result;
}

/** A label value cannot hold "/", so localities in labels are written with dots. */
export function localityFromLabel(label: string | undefined): string {
  return label ? (label.includes("/") ? label : label.replaceAll(".", "/")) : "";
}

/** Whether connections that are already there are let finish on endpoints that go away. */
export function keepsDrainingEndpoints(service: MeshService): boolean {
  return Boolean(service.labels[PERSISTENT_SESSION] || service.labels[PERSISTENT_SESSION_HEADER]);
}

type Workload = Omit<MeshEndpoint, "address" | "port" | "portName" | "entryPort" | "health">;

/** What a pod's endpoints have in common; without a pod, what is known of an address alone. */
export function describePod(pod: Pod | undefined, context: EndpointContext, address: string): Workload {
  const placed = context.network || context.networkOf(address);
  if (!pod) {
    return {
      labels: withTopologyLabels({}, { clusterId: context.clusterId, locality: "", nodeName: "", network: placed }),
      identity: "",
      tlsMode: "disabled",
      locality: "",
      network: placed,
      clusterId: context.clusterId,
      weight: 0,
      workload: "",
      namespace: "",
      nodeName: "",
      podHostname: "",
      podSubdomain: "",
    };
  }
  const { metadata, spec } = pod;
  const labels = metadata.labels ?? {};
  const namespace = metadata.namespace ?? "";
  const nodeName = spec?.nodeName ?? "";
  const network = labels[NETWORK] || placed;
  const locality = localityOfPod(pod, context.node(nodeName));
  const subdomain = spec?.subdomain ?? "";
  return {
    labels: withTopologyLabels(labels, { clusterId: context.clusterId, locality, nodeName, network }),
    identity: spiffeId(context.trustDomain, namespace, spec?.serviceAccountName || "default"),
    tlsMode: labels[TLS_MODE] ?? "disabled",
    locality,
    network,
    clusterId: context.clusterId,
    weight: 0,
    workload: workloadName(pod),
    namespace,
    nodeName,
    podHostname: subdomain ? spec?.hostname || metadata.name : "",
    podSubdomain: subdomain,
  };
}

/** `region/zone/subzone`: the label on the pod, else where its node is; empty when neither says. */
export function localityOfPod(pod: Pod, node: Node | undefined): string {
  const own = localityFromLabel(pod.metadata.labels?.[LOCALITY]);
  if (own) return own;
  const labels = node?.metadata.labels;
  const parts = [labels?.[REGION] ?? "", labels?.[ZONE] ?? "", labels?.[SUBZONE] ?? ""];
  return parts.every((part) => part === "") ? "" : parts.join("/");
}

function healthOf(service: MeshService, conditions: { ready?: boolean; serving?: boolean; terminating?: boolean }): EndpointHealth {
  if (conditions.ready ?? true) return "HEALTHY";
  const terminating = conditions.terminating ?? true;
  if (terminating && (conditions.serving ?? true) && keepsDrainingEndpoints(service)) return "DRAINING";
  return terminating ? "TERMINATING" : "UNHEALTHY";
}
