import { ENDPOINT_SLICES, isNotFound } from "../../../kube/index.ts";
import type { EndpointPort, EndpointSlice, Service } from "../../../resources/index.ts";
import { BY_SERVICE, type Context } from "../context.ts";
import { controllerReference, keyOf, sameValue, timestamp } from "../objects.ts";
import type { EndpointGroup } from "./endpoints-of.ts";

const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const MANAGER = "endpointslice-controller.k8s.io";
export const SERVICE_NAME = "kubernetes.io/service-name";
export const HEADLESS = "service.kubernetes.io/headless";
const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time";
/** Kubernetes' default of --max-endpoints-per-slice. */
const MAX_ENDPOINTS = 100;
/** Until the shared copy shows what was written. */
const SEE_OWN_WRITES_MS = 5_000;

/** Makes the Service's slices say what `groups` says, reusing those there are. */
export async function reconcileSlices(context: Context, service: Service, groups: EndpointGroup[]): Promise<void> {
  const { client, informers } = context;
  const existing = informers.endpointSlices
    .byIndex(BY_SERVICE, keyOf(service))
    .filter((slice) => slice.metadata.labels?.[MANAGED_BY] === MANAGER && !slice.metadata.deletionTimestamp);
  const unused = new Set(existing);
  const labels = sliceLabels(service);
  for (const { ports, endpoints } of wantedSlices(groups)) {
    const same = [...unused].find((slice) => sameValue(slice.ports, ports)) ?? (groups.length <= 1 ? [...unused][0] : undefined);
    if (same) unused.delete(same);
    if (same && sameValue(same.ports, ports) && sameValue(same.endpoints, endpoints) && sameValue(same.metadata.labels, labels)) continue;
    const annotations = { ...same?.metadata.annotations, [TRIGGER_TIME]: timestamp(context.clock.now()) };
    if (same) {
      const { resourceVersion } = await client
        .update<EndpointSlice>(ENDPOINT_SLICES, { ...same, metadata: { ...same.metadata, labels, annotations }, endpoints, ports })
        .then((slice) => slice.metadata);
      await informers.endpointSlices.waitFor(() => isAt(context, same, resourceVersion), SEE_OWN_WRITES_MS);
      continue;
    }
    const created = await client.create<EndpointSlice>(ENDPOINT_SLICES, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: "",
        generateName: `${service.metadata.name}-`,
        ...(service.metadata.namespace ? { namespace: service.metadata.namespace } : {}),
        labels,
        annotations,
        ownerReferences: [controllerReference(service)],
      },
      addressType: "IPv4",
      endpoints,
      ports,
    });
    await informers.endpointSlices.waitFor(() => isAt(context, created, undefined), SEE_OWN_WRITES_MS);
  }
  for (const { metadata } of unused) {
    try {
      await client.delete(ENDPOINT_SLICES, metadata.name, metadata.namespace, metadata.uid === undefined ? {} : { uid: metadata.uid });
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  }
}

function isAt(context: Context, slice: EndpointSlice, version: string | undefined): boolean {
  const now = context.informers.endpointSlices.get(slice.metadata.name, slice.metadata.namespace);
  return version === undefined ? now !== undefined : now === undefined || now.metadata.resourceVersion === version;
}

function wantedSlices(groups: EndpointGroup[]): { ports: EndpointPort[]; endpoints: EndpointSlice["endpoints"] }[] {
  // A Service without pods has one empty slice, so that its clients can tell that from "not yet".
  if (groups.length === 0) return [{ ports: [], endpoints: [] }];
  const slices: { ports: EndpointPort[]; endpoints: EndpointSlice["endpoints"] }[] = [];
  for (const { ports, endpoints } of groups) {
    for (let start = 0; start < endpoints.length; start += MAX_ENDPOINTS)
      slices.push({ ports, endpoints: endpoints.slice(start, start + MAX_ENDPOINTS).map(({ endpoint }) => endpoint) });
  }
  return slices;
}

function sliceLabels(service: Service): Record<string, string> {
  const headless = service.spec?.clusterIP === "None";
  const { [HEADLESS]: _, ...own } = service.metadata.labels ?? {};
  return { ...own, [SERVICE_NAME]: service.metadata.name, [MANAGED_BY]: MANAGER, ...(headless ? { [HEADLESS]: "" } : {}) };
}
