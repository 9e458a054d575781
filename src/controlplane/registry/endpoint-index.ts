import type { Deployment, EndpointSlice, Namespace, Node, Pod, Service, ServiceEntry, WorkloadEntry } from "../../resources/index.ts";
import { endpointsOfSlices, spiffeId, type EndpointContext, type MeshEndpoint } from "./endpoint.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { Networks } from "./networks.ts";
import type { ObjectStore } from "./object-store.ts";
import { compareText } from "./order.ts";
import { endpointsOfEntry, endpointsOfSelected, isHealthyWorkload, labelsOfWorkload, selects } from "./service-entry.ts";
import type { MeshService } from "./service.ts";

/** What serves a service: its endpoints, and the identities that they may show. */
export interface ServiceBackends {
  readonly endpoints: readonly MeshEndpoint[];
  /** SPIFFE ids and DNS names, sorted; the same array as before when none came or went. */
  readonly identities: readonly string[];
}

export const NO_BACKENDS: ServiceBackends = { endpoints: [], identities: [] };

/** Key of a service in everything about endpoints. */
export function serviceKey(service: { namespace: string; hostname: string }): string {
  return `${service.namespace}/${service.hostname}`;
}

export interface BackendSources {
  store: ObjectStore;
  mesh: MeshConfig;
  clusterId: string;
  networks: Networks;
  /** Slices by `<namespace>/<service name>`. */
  slicesOf(key: string): readonly EndpointSlice[];
  /** The entries that have this hostname in this namespace. */
  entriesOf(namespace: string, hostname: string): readonly ServiceEntry[];
  /** Called for each address whose pod is not known yet. */
  onMissingPod(): void;
  /** The service, or what a ServiceEntry makes of the same hostname where that is younger. */
  youngestOf(service: MeshService): MeshService;
}

/** Works out what serves one service. `previous` keeps its identities' array when it is equal. */
export function backendsOf(service: MeshService, sources: BackendSources, previous: ServiceBackends | undefined): ServiceBackends {
  const { store, mesh } = sources;
  const systemNamespace = store.get("Namespace", mesh.rootNamespace) as Namespace | undefined;
  const context: EndpointContext = {
    pod: (name, namespace) => store.get("Pod", name, namespace) as Pod | undefined,
    podByAddress: (address, namespace) => {
      const pod = store.podByAddress(address);
      return pod?.metadata.namespace === namespace ? pod : undefined;
    },
    onMissingPod: () => sources.onMissingPod(),
    node: (name) => store.get("Node", name) as Node | undefined,
    trustDomain: mesh.trustDomain,
    clusterId: sources.clusterId,
    network: systemNamespace?.metadata.labels?.["topology.istio.io/network"] ?? "",
    networkOf: (address) => sources.networks.networkOf(address),
  };
  // A ServiceEntry for the hostname of a Service of its namespace adds its endpoints to that Service's.
  const endpoints = [...ofEntries(service, sources, context), ...(service.registry === "Kubernetes" ? ofSlices(service, sources, context) : [])];
  const identities = identitiesOf(service, endpoints, sources);
  const same = previous && previous.identities.length === identities.length && identities.every((identity, index) => identity === previous.identities[index]);
  return { endpoints, identities: same ? previous.identities : identities };
}

function ofSlices(service: MeshService, sources: BackendSources, context: EndpointContext): MeshEndpoint[] {
  const slices = [...sources.slicesOf(`${service.namespace}/${service.name}`)].sort((a, b) => compareText(a.metadata.name, b.metadata.name));
  const own = endpointsOfSlices(service, slices, context);
  if (!service.selector) return own;
  // Workload entries count as pods for a Service that selects them.
  const virtual = service.resolution === "ClientSideLB" ? selectedWorkloads(service.namespace, service.selector, sources.store) : [];
  if (virtual.length === 0) return own;
  const { spec } = sources.store.get("Service", service.name, service.namespace) as Service;
  return [...own, ...endpointsOfSelected(service, spec?.ports ?? [], virtual, context)];
}

function selectedWorkloads(namespace: string, selector: Readonly<Record<string, string>>, store: ObjectStore): WorkloadEntry[] {
  const workloads = (store.list("WorkloadEntry", namespace) as WorkloadEntry[]).filter(
    (workload) => selects(selector, labelsOfWorkload(workload)) && isHealthyWorkload(workload),
  );
  return workloads.sort((a, b) => compareText(a.metadata.name, b.metadata.name));
}

function ofEntries(service: MeshService, sources: BackendSources, context: EndpointContext): MeshEndpoint[] {
  const takenPorts = new Set<number>();
  return sources.entriesOf(service.namespace, service.hostname).flatMap((entry) => {
    const selector = entry.spec?.workloadSelector?.labels;
    const selected = {
      workloadEntries: selector ? selectedWorkloads(service.namespace, selector, sources.store) : [],
      pods: selector
        ? (sources.store.list("Pod", service.namespace) as Pod[])
            .filter((pod) => isRunning(pod) && selects(selector, pod.metadata.labels))
            .sort((a, b) => compareText(a.metadata.name, b.metadata.name))
        : [],
    };
    const once = endpointsOfEntry(entry, service.hostname, selected, context);
    // Each address makes a service of the entry, and all of them have its endpoints.
    const copies = Math.max(new Set(entry.spec?.addresses).size, 1);
    const endpoints = copies === 1 ? once : Array.from({ length: copies }, () => once).flat();
    const numbers = new Map(entry.spec?.ports?.map(({ name, number }) => [name, number]));
    const roundRobin = entry.spec?.resolution === "DNS_ROUND_ROBIN";
    return endpoints.filter(({ portName }) => {
      const number = numbers.get(portName) ?? 0;
      // Envoy's logical DNS takes one name only: the first entry's, for each port.
      if (roundRobin && takenPorts.has(number)) return false;
      takenPorts.add(number);
      return true;
    });
  });
}

/**
 * The identities of the endpoints, of the workloads that are about to become endpoints, and what the service declares.
 * Istio remembers every identity that it has seen since it started; Deployments say the same without a memory, so that
 * a restart changes nothing.
 */
function identitiesOf(service: MeshService, endpoints: readonly MeshEndpoint[], sources: BackendSources): string[] {
  const { mesh, store } = sources;
  // Of several services of a hostname the youngest says which names its servers have.
  const identities = new Set(sources.youngestOf(service).subjectAltNames);
  for (const endpoint of endpoints) if (endpoint.identity) identities.add(endpoint.identity);
  if (service.registry === "Kubernetes" && service.selector) {
    for (const kind of ["Deployment", "StatefulSet"] as const) {
      for (const workload of store.list(kind, service.namespace) as Deployment[]) {
        const template = workload.spec?.template;
        if (!template || !selects(service.selector, template.metadata?.labels)) continue;
        identities.add(spiffeId(mesh.trustDomain, service.namespace, template.spec?.serviceAccountName || "default"));
      }
    }
  }
  return expandTrustDomains([...identities], mesh.trustDomainAliases).sort(compareText);
}

/** Adds each SPIFFE id under the aliases of the trust domain too. */
export function expandTrustDomains(identities: readonly string[], aliases: readonly string[]): string[] {
  const result = new Set(identities);
  for (const identity of identities) {
    const path = /^spiffe:\/\/[^/]*(\/ns\/[^/]*\/sa\/[^/]*)$/.exec(identity)?.[1];
    if (path) for (const alias of aliases) result.add(`spiffe://${alias}${path}`);
  }
  return [...result];
}

function isRunning(pod: Pod): boolean {
  return pod.status?.phase !== "Failed" && pod.status?.phase !== "Succeeded" && !pod.metadata.deletionTimestamp;
}
