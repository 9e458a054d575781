/** The old Endpoints object: one for each Service, without conditions. Programs before EndpointSlice read it. */
import { ENDPOINTS, isAlreadyExists } from "../../../kube/index.ts";
import type { EndpointAddress, Endpoints, Service } from "../../../resources/index.ts";
import type { Context } from "../context.ts";
import { sameValue, timestamp } from "../objects.ts";
import type { EndpointGroup } from "./endpoints-of.ts";
import { HEADLESS } from "./slices.ts";

const MANAGED_BY = "endpoints.kubernetes.io/managed-by";
const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time";
/** Beyond this Kubernetes cuts an Endpoints object off; slices have the rest. */
const MAX_ADDRESSES = 1000;

export async function reconcileEndpoints(context: Context, service: Service, groups: EndpointGroup[]): Promise<void> {
  const { client, informers } = context;
  const { name, namespace } = service.metadata;
  const subsets = groups.map(subsetOf).filter((subset) => subset !== undefined);
  const labels = { ...service.metadata.labels, [MANAGED_BY]: "endpoint-controller", ...(service.spec?.clusterIP === "None" ? { [HEADLESS]: "" } : {}) };
  const existing = informers.endpoints.get(name, namespace);
  if (existing && sameValue(existing.subsets, subsets) && sameValue(existing.metadata.labels, labels)) return;
  const annotations = { ...existing?.metadata.annotations, [TRIGGER_TIME]: timestamp(context.clock.now()) };
  if (existing) {
    await client.update<Endpoints>(ENDPOINTS, { ...existing, metadata: { ...existing.metadata, labels, annotations }, subsets });
    return;
  }
  const metadata = { name, ...(namespace ? { namespace } : {}), labels, annotations };
  try {
    await client.create<Endpoints>(ENDPOINTS, { apiVersion: "v1", kind: "Endpoints", metadata, subsets });
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) throw thrown; // the copy has not seen it yet; its event brings this Service back
  }
}

function subsetOf({ ports, endpoints }: EndpointGroup): NonNullable<Endpoints["subsets"]>[number] | undefined {
  const addresses: EndpointAddress[] = [];
  const notReadyAddresses: EndpointAddress[] = [];
  for (const { endpoint, ready } of endpoints.slice(0, MAX_ADDRESSES)) {
    if (endpoint.conditions?.terminating && !endpoint.conditions.ready) continue;
    const { hostname, nodeName, targetRef } = endpoint;
    const address = {
      ip: endpoint.addresses[0] ?? "",
      ...(hostname ? { hostname } : {}),
      ...(nodeName ? { nodeName } : {}),
      ...(targetRef ? { targetRef } : {}),
    };
    (ready ? addresses : notReadyAddresses).push(address);
  }
  if (addresses.length + notReadyAddresses.length === 0) return undefined;
  const named = ports.map(({ name, port = 0, protocol, appProtocol }) => ({
    ...(name ? { name } : {}),
    port,
    ...(protocol ? { protocol } : {}),
    ...(appProtocol ? { appProtocol } : {}),
  }));
  return {
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    ...(named.length > 0 ? { ports: named } : {}),
  };
}
