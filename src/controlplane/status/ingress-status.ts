import { errorText, type Logger } from "../../base/index.ts";
import { createInformer, INGRESSES, isNotFound, SERVICES, type KubeClient } from "../../kube/index.ts";
import type { Ingress, LoadBalancerIngress, Service } from "../../resources/index.ts";
import { isOurIngress, type Registry } from "../registry/index.ts";

export interface IngressStatusOptions {
  client: KubeClient;
  registry: Registry;
  /** Where the gateway's Service is. */
  namespace: string;
  log: Logger;
}

/** Writes into the Ingresses that the gateway serves where it is reached: the addresses of its Service. */
export function writeIngressStatus({ client, registry, namespace, log }: IngressStatusOptions): { stop(): void } {
  // By itself: the registry tells of no changes in a Service's status, of which no proxy's configuration is made.
  const services = createInformer<Service>(client, SERVICES, { namespace });
  const update = (): void => {
    const { mesh, objects } = registry.current();
    const wanted = addressesOf(services.get(mesh.ingressService, namespace));
    for (const ingress of objects.list("Ingress") as Ingress[]) {
      if (!isOurIngress(ingress, { objects, mesh }) || same(ingress.status?.loadBalancer?.ingress ?? [], wanted)) continue;
      const { name, namespace: own, uid } = ingress.metadata;
      client.patch(INGRESSES, name, own, { metadata: { uid }, status: { loadBalancer: { ingress: wanted } } }, "status").catch((error: unknown) => {
        if (!isNotFound(error)) log.warn("could not write where an Ingress is reached", { ingress: `${own}/${name}`, error: errorText(error) });
      });
    }
  };
  const ready = Promise.all([registry.synced, services.synced]).then(update);
  const later = (): void => void ready.then(update);
  const stops = [
    registry.onChange(({ kinds }) => {
      if (kinds.has("Ingress") || kinds.has("IngressClass") || kinds.has("ConfigMap")) later();
    }),
    services.onChange(({ object, old }) => {
      if (!old || !same(addressesOf(object), addressesOf(old))) later();
    }),
  ];
  return {
    stop() {
      for (const stop of stops) stop();
      services.stop();
    },
  };
}

function addressesOf(service: Service | undefined): LoadBalancerIngress[] {
  if (!service) return [];
  const { type, externalName, externalIPs = [] } = service.spec ?? {};
  if (type === "ExternalName") return externalName ? [{ hostname: externalName }] : [];
  const balanced = (service.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }): LoadBalancerIngress => (ip ? { ip } : hostname ? { hostname } : {}));
  return [...balanced, ...externalIPs.map((ip) => ({ ip }))];
}

function same(a: readonly LoadBalancerIngress[], b: readonly LoadBalancerIngress[]): boolean {
  const texts = ({ ip, hostname }: LoadBalancerIngress): string => `${ip ?? ""}|${hostname ?? ""}`;
  return a.map(texts).join() === b.map(texts).join();
}
