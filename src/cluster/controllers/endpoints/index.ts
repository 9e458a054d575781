import type { Pod } from "../../../resources/index.ts";
import { selectorMatches } from "../../../resources/index.ts";
import type { Context, Controller } from "../context.ts";
import { keyOf, splitKey } from "../objects.ts";
import { reconcileEndpoints } from "./classic.ts";
import { endpointGroups } from "./endpoints-of.ts";
import { reconcileSlices, SERVICE_NAME } from "./slices.ts";
import { stoppable } from "../work-queue.ts";

/** Keeps EndpointSlices and Endpoints of every Service that has a selector. */
export function startEndpoints(context: Context): Controller {
  const { informers } = context;
  const queue = context.queue("endpoints", (key) => sync(context, key), 8);
  const stops = [
    informers.services.onChange(({ object }) => queue.add(keyOf(object))),
    informers.pods.onChange(({ object, old }) => {
      if (old && whatEndpointsSee(old) === whatEndpointsSee(object)) return;
      for (const service of informers.services.list(object.metadata.namespace)) {
        const selector = service.spec?.selector;
        if (!selector || Object.keys(selector).length === 0) continue;
        const matches = (pod: Pod | undefined) => pod !== undefined && selectorMatches({ matchLabels: selector }, pod.metadata.labels);
        if (matches(object) || matches(old)) queue.add(keyOf(service));
      }
    }),
    // Somebody else's hand is put right.
    informers.endpointSlices.onChange(({ type, object }) => {
      const service = object.metadata.labels?.[SERVICE_NAME];
      if (service && type !== "ADDED") queue.add(`${object.metadata.namespace}/${service}`);
    }),
    informers.endpoints.onChange(({ type, object }) => {
      if (type !== "ADDED") queue.add(keyOf(object));
    }),
  ];
  return stoppable(stops, queue);
}

async function sync(context: Context, key: string): Promise<void> {
  const { informers } = context;
  await Promise.all([informers.pods.synced, informers.endpointSlices.synced, informers.endpoints.synced]);
  const [namespace, name] = splitKey(key);
  const service = informers.services.get(name, namespace);
  const selector = service?.spec?.selector;
  // Without a Service the garbage collector takes slices; without a selector they are somebody else's.
  if (!service || service.metadata.deletionTimestamp || service.spec?.type === "ExternalName" || !selector || Object.keys(selector).length === 0) return;
  const pods = informers.pods.list(namespace).filter((pod) => selectorMatches({ matchLabels: selector }, pod.metadata.labels));
  const groups = endpointGroups(service, pods);
  await Promise.all([reconcileSlices(context, service, groups), reconcileEndpoints(context, service, groups)]);
}

/** The parts of a pod that endpoints are made of. */
function whatEndpointsSee(pod: Pod): string {
  const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready")?.status;
  const { hostname, subdomain, nodeName } = pod.spec ?? {};
  return JSON.stringify([
    pod.metadata.uid,
    pod.metadata.labels,
    pod.metadata.deletionTimestamp !== undefined,
    pod.status?.podIP,
    pod.status?.phase,
    ready,
    hostname,
    subdomain,
    nodeName,
  ]);
}
