/** Which pods stand behind a Service and on which ports. Pure: a Service and pods in, endpoints out. */
import type { Endpoint, EndpointPort, Pod, Service, ServicePort } from "../../../resources/index.ts";
import { isPodFinished, isPodReady } from "../objects.ts";

/** Endpoints that share their ports: pods may resolve a named port to different numbers. */
export interface EndpointGroup {
  ports: EndpointPort[];
  endpoints: { endpoint: Endpoint; pod: Pod; ready: boolean }[];
}

/** Groups by their ports, in a stable order. Without any pod: none. */
export function endpointGroups(service: Service, pods: Pod[]): EndpointGroup[] {
  const groups = new Map<string, EndpointGroup>();
  const byName = [...pods].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const pod of byName) {
    const ip = pod.status?.podIP;
    if (!ip || isPodFinished(pod)) continue;
    const ports = portsOf(service, pod);
    const key = JSON.stringify(ports);
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { ports, endpoints: [] }));
    group.endpoints.push({ endpoint: endpointOf(service, pod, ip), pod, ready: isPodReady(pod) || service.spec?.publishNotReadyAddresses === true });
  }
  return [...groups.values()];
}

function endpointOf(service: Service, pod: Pod, ip: string): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const { hostname, subdomain, nodeName } = pod.spec ?? {};
  return {
    addresses: [ip],
    conditions: { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(hostname && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: {
      kind: "Pod",
      name: pod.metadata.name,
      ...(pod.metadata.namespace ? { namespace: pod.metadata.namespace } : {}),
      ...(pod.metadata.uid ? { uid: pod.metadata.uid } : {}),
    },
  };
}

/** The Service's ports as the pod serves them; a named port that the pod does not have is left out. */
function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod);
    if (number === undefined) return [];
    return [{ name: port.name ?? "", port: number, protocol: port.protocol ?? "TCP", ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}) }];
  });
}

function targetPort({ port, targetPort: target = port, protocol = "TCP" }: ServicePort, pod: Pod): number | undefined {
  if (typeof target === "number") return target;
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const candidate of container.ports ?? []) if (candidate.name === target && (candidate.protocol ?? "TCP") === protocol) return candidate.containerPort;
  }
  return undefined;
}
