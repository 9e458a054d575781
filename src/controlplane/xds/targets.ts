import type { KubeObject, Pod, Service as KubeService, ServicePort, WorkloadEntry } from "../../resources/index.ts";
import {
  compareText,
  isHealthyWorkload,
  labelsOfWorkload,
  selects,
  workloadPort,
  type MeshEndpoint,
  type MeshPort,
  type MeshService,
  type MeshSnapshot,
} from "../registry/index.ts";
import { isOfCluster, metadataText } from "./proxy.ts";
import type { ProxyNode } from "./types.ts";

/** A port of the proxy's own workload that a service leads to. */
export interface ServiceTarget {
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly targetPort: number;
}

/**
 * The ports of services that lead to the node's workload, oldest service first. Services without a selector count by the
 * addresses of their endpoints, but only where no selector says more.
 */
export function serviceTargets(node: ProxyNode, snapshot: MeshSnapshot): ServiceTarget[] {
  const targets = isOfCluster(node, snapshot) ? kubernetesTargets(node, snapshot) : [];
  const seen = new Set<string>();
  for (const entry of snapshot.configs.ServiceEntry) {
    if (entry.metadata.namespace !== node.namespace) continue;
    for (const host of entry.spec?.hosts ?? []) {
      const service = snapshot.services.byHostname.get(host)?.get(node.namespace);
      if (!service || seen.has(host)) continue;
      seen.add(host);
      const entries = snapshot.services.entriesOf(host, node.namespace);
      for (const address of node.addresses) targets.push(...targetsOfEntries(entries, snapshot.backends(service).endpoints, address));
    }
  }
  return targets.sort((a, b) => a.service.created - b.service.created || compareText(a.service.hostname, b.service.hostname));
}

/** The workload entry that a node runs for, by its address: its namesake if there is one, else one of its namespace. */
export function workloadOf(node: ProxyNode, snapshot: MeshSnapshot): WorkloadEntry | undefined {
  const workloads = snapshot.objects.workloadsByAddress(node.addresses[0] ?? "").filter(isHealthyWorkload);
  const near = workloads.filter(({ metadata }) => metadata.namespace === node.namespace);
  return near.find(({ metadata }) => metadata.name === node.podName) ?? near[0] ?? workloads[0];
}

function kubernetesTargets(node: ProxyNode, snapshot: MeshSnapshot): ServiceTarget[] {
  const workload = workloadOf(node, snapshot);
  if (workload) return workloadTargets(workload, snapshot);
  const pod = snapshot.objects.get("Pod", node.podName, node.namespace) as Pod | undefined;
  const labels = pod?.metadata.labels ?? node.labels;
  const [address] = node.addresses;
  const targets: ServiceTarget[] = [];
  const own = (snapshot.objects.list("Service", node.namespace) as KubeService[]).flatMap((object) => {
    const service = modelOf(object, snapshot);
    return service ? [{ object, service }] : [];
  });
  const selecting = own.filter(({ service }) => service.selector && selects(service.selector, labels));
  for (const { object, service } of selecting) {
    for (const port of object.spec?.ports ?? []) {
      const targetPort = resolveTargetPort(port, pod, snapshot, service, node);
      const model = service.ports.find((candidate) => candidate.name === (port.name ?? "") && candidate.port === port.port);
      if (model && targetPort) targets.push({ service, port: model, targetPort });
    }
  }
  if (selecting.length === 0) for (const { service } of own) if (!service.selector) targets.push(...targetsByEndpoint(service, address, snapshot));
  return targets;
}

/** The Services of its namespace that select a workload entry, with the ports that it names. */
function workloadTargets(workload: WorkloadEntry, snapshot: MeshSnapshot): ServiceTarget[] {
  const labels = labelsOfWorkload(workload);
  return (snapshot.objects.list("Service", workload.metadata.namespace) as KubeService[]).flatMap((object) => {
    const service = modelOf(object, snapshot);
    if (!service?.selector || service.resolution !== "ClientSideLB" || !selects(service.selector, labels)) return [];
    return (object.spec?.ports ?? []).flatMap((port): ServiceTarget[] => {
      const model = service.ports.find((candidate) => candidate.name === (port.name ?? "") && candidate.port === port.port);
      const targetPort = workloadPort(workload, port);
      return model && model.protocol !== "UDP" && targetPort ? [{ service, port: model, targetPort }] : [];
    });
  });
}

/** Whether addresses of endpoints say which services lead to workloads of a namespace, and not selectors alone. */
export function targetsUseEndpoints(namespace: string, snapshot: MeshSnapshot): boolean {
  if (snapshot.configs.ServiceEntry.some(({ metadata }) => metadata.namespace === namespace)) return true;
  const services = snapshot.objects.list("Service", namespace) as KubeService[];
  return services.some(({ spec }) => Object.keys(spec?.selector ?? {}).length === 0 || spec?.ports?.some(({ targetPort }) => typeof targetPort === "string"));
}

function targetsByEndpoint(service: MeshService, address: string | undefined, snapshot: MeshSnapshot): ServiceTarget[] {
  return snapshot
    .backends(service)
    .endpoints.filter((endpoint) => endpoint.address === address)
    .flatMap((endpoint) => {
      const port = service.ports.find(({ name }) => name === endpoint.portName);
      return port ? [{ service, port, targetPort: endpoint.port }] : [];
    });
}

/** The endpoints of all ServiceEntries of a host are together; each belongs to the oldest that has its port. */
function targetsOfEntries(entries: readonly MeshService[], endpoints: readonly MeshEndpoint[], address: string): ServiceTarget[] {
  return endpoints
    .filter((endpoint) => endpoint.entryPort !== 0 && endpoint.address === address)
    .flatMap((endpoint) => {
      for (const service of entries) {
        const port = service.ports.find((candidate) => candidate.port === endpoint.entryPort && candidate.name === endpoint.portName);
        if (port) return [{ service, port, targetPort: endpoint.port }];
      }
      return [];
    });
}

function modelOf({ metadata }: KubeObject, snapshot: MeshSnapshot): MeshService | undefined {
  const service = snapshot.services.byHostname.get(`${metadata.name}.${metadata.namespace}.svc.${snapshot.domain}`)?.get(metadata.namespace ?? "");
  return service?.registry === "Kubernetes" ? service : undefined;
}

/** A named target port is a container's port of that name; without the pod, what the node or the endpoints say. */
function resolveTargetPort(port: ServicePort, pod: Pod | undefined, snapshot: MeshSnapshot, service: MeshService, node: ProxyNode): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target || port.port;
  const containers = [...(pod?.spec?.initContainers ?? []), ...(pod?.spec?.containers ?? [])];
  const ports = pod ? containers.flatMap((container) => container.ports ?? []) : podPorts(node);
  const found = ports.find((candidate) => candidate.name === target && (candidate.protocol ?? "TCP") === (port.protocol ?? "TCP"));
  if (found) return found.containerPort;
  const endpoints = snapshot.backends(service).endpoints.filter(({ portName }) => portName === (port.name ?? ""));
  return (endpoints.find((endpoint) => endpoint.address === node.addresses[0]) ?? endpoints[0])?.port;
}

/** The agent writes the ports of its pod into the metadata, as JSON in a string. */
function podPorts(node: ProxyNode): { name?: string; containerPort: number; protocol?: string }[] {
  try {
    const parsed: unknown = JSON.parse(metadataText(node, "POD_PORTS") || "[]");
    return Array.isArray(parsed)
      ? parsed.filter((port) => typeof port === "object" && port !== null && typeof (port as { containerPort?: unknown }).containerPort === "number")
      : [];
  } catch {
    // A node that writes nonsense has no ports: they only say where a name leads.
    return [];
  }
}
