import type { Container, Pod } from "../../resources/index.ts";
import type { Image, ImageCatalogue } from "../images/types.ts";
import { configError } from "./env.ts";

/** Istio's proxy user and group: its traffic is not captured, so nobody else in the mesh may run as it. */
const PROXY_ID = 1337;

export interface ProcessIdentity {
  uid: number;
  gid: number;
  readOnlyRoot: boolean;
  capabilities: "none" | "NET_ADMIN";
}

/**
 * Who a container runs as and what it may do. Throws CONTAINER_CONFIG when the pod asks for what must not be: root
 * where it said runAsNonRoot, or the proxy's identity for a container of an injected pod that is not the proxy.
 */
export function processIdentity(pod: Pod, container: Container, image: Image, catalogue: ImageCatalogue): ProcessIdentity {
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const uid = own?.runAsUser ?? shared?.runAsUser ?? image.user?.uid ?? 0;
  const gid = own?.runAsGroup ?? shared?.runAsGroup ?? image.user?.gid ?? 0;
  if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) && uid === 0) {
    throw configError(`container has runAsNonRoot and image will run as root (pod: "${pod.metadata.name}_${pod.metadata.namespace}", container: ${container.name})`);
  }
  if (!image.proxy && isInjected(pod, catalogue) && (uid === PROXY_ID || gid === PROXY_ID)) {
    throw configError(
      `container ${container.name} may not run as user or group ${PROXY_ID}: in a pod with a sidecar that identity bypasses the mesh and belongs to the proxy; choose another runAsUser and runAsGroup`,
    );
  }
  return {
    uid,
    gid,
    readOnlyRoot: own?.readOnlyRootFilesystem ?? false,
    // In the pod's own network namespace only: on the node's it would rule over every pod.
    capabilities: image.proxy && !pod.spec?.hostNetwork ? "NET_ADMIN" : "none",
  };
}

/** Rights that the pod asks for and that no container here gets, for a warning event; the proxy gets what it needs. */
export function refusedRights(container: Container, image: Image): string[] {
  if (image.proxy) return [];
  const added = container.securityContext?.capabilities?.add ?? [];
  return container.securityContext?.privileged ? ["privileged", ...added] : added;
}

/** By its marks, or by what it runs: labels and annotations can be taken off a live pod, its containers cannot. */
function isInjected(pod: Pod, catalogue: ImageCatalogue): boolean {
  const { annotations, labels } = pod.metadata;
  if (annotations?.["sidecar.istio.io/status"] !== undefined || labels?.["security.istio.io/tlsMode"] !== undefined) return true;
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].some((c) => catalogue.resolve(c.image ?? "")?.proxy);
}
