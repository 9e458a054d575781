import { ENDPOINT_SLICES, isAlreadyExists, isNotFound, SERVICES, type GroupVersionResource } from "../../kube/index.ts";
import type { EndpointSlice, KubeObject, Service } from "../../resources/index.ts";
import type { Context, Controller } from "./context.ts";
import { keyOf, sameValue, splitKey } from "./objects.ts";
import { stoppable } from "./work-queue.ts";

/** The API as pods see it, unless the cluster says otherwise. */
const DEFAULT_API = { serviceIp: "10.96.0.1", ip: "10.96.0.1", port: 443 };

/** Gives every LoadBalancer Service the cluster's own address, which carries its ports on the host. */
export function startLoadBalancers(context: Context): Controller {
  const { informers, client, loopbackAddress } = context;
  const queue = context.queue("load-balancer", async (key) => {
    const [namespace, name] = splitKey(key);
    const service = informers.services.get(name, namespace);
    if (!service || service.metadata.deletionTimestamp) return;
    const ingress = service.spec?.type === "LoadBalancer" && !service.spec.loadBalancerClass ? [{ ip: loopbackAddress, ipMode: "VIP" }] : [];
    if (service.spec?.loadBalancerClass || sameValue(service.status?.loadBalancer?.ingress, ingress)) return;
    await client.updateStatus<Service>(SERVICES, { ...service, status: { ...service.status, loadBalancer: ingress.length > 0 ? { ingress } : {} } });
  });
  const stop = informers.services.onChange(({ object }) => queue.add(keyOf(object)));
  return {
    stop() {
      stop();
      queue.stop();
    },
  };
}

/** Keeps the Service `kubernetes`, by which pods reach the API server, and its endpoint. */
export function startKubernetesService(context: Context): Controller {
  const { informers, client } = context;
  const { serviceIp, ip, port } = { ...DEFAULT_API, ...context.apiEndpoint };
  const labels = { component: "apiserver", provider: "kubernetes" };
  const service: Service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", namespace: "default", labels },
    spec: { type: "ClusterIP", clusterIP: serviceIp, clusterIPs: [serviceIp], ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: port }] },
  };
  const slice: EndpointSlice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "kubernetes", namespace: "default", labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [ip], conditions: { ready: true } }],
    ports: [{ name: "https", port, protocol: "TCP" }],
  };
  const queue = context.queue("kubernetes-service", async () => {
    await Promise.all([informers.services.synced, informers.endpointSlices.synced]);
    if (!informers.services.get("kubernetes", "default")) await createOnce(context, SERVICES, service);
    const existing = informers.endpointSlices.get("kubernetes", "default");
    if (!existing) await createOnce(context, ENDPOINT_SLICES, slice);
    else if (!sameValue(existing.endpoints, slice.endpoints) || !sameValue(existing.ports, slice.ports)) {
      await client.update<EndpointSlice>(ENDPOINT_SLICES, { ...existing, endpoints: slice.endpoints, ports: slice.ports ?? [] });
    }
  });
  const mine = (object: KubeObject) => object.metadata.name === "kubernetes" && object.metadata.namespace === "default";
  const stops = [
    informers.services.onChange(({ type, object }) => type === "DELETED" && mine(object) && queue.add("kubernetes")),
    informers.endpointSlices.onChange(({ type, object }) => type !== "ADDED" && mine(object) && queue.add("kubernetes")),
    informers.namespaces.onChange(({ type, object }) => type === "ADDED" && object.metadata.name === "default" && queue.add("kubernetes")),
  ];
  return stoppable(stops, queue);
}

async function createOnce(context: Context, gvr: GroupVersionResource, object: KubeObject): Promise<void> {
  try {
    await context.client.create(gvr, object);
  } catch (thrown) {
    // There already, or the namespace is not there yet: its event comes.
    if (!isAlreadyExists(thrown) && !isNotFound(thrown)) throw thrown;
  }
}
