import type { Container, Pod } from "../../resources/index.ts";
import type { Image } from "../images/types.ts";
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
export function processIdentity(pod: Pod, container: Container, image: Image): ProcessIdentity {
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const uid = own?.runAsUser ?? shared?.runAsUser ?? image.user?.uid ?? 0;
  const gid = own?.runAsGroup ?? shared?.runAsGroup ?? image.user?.gid ?? 0;
  if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) && uid === 0) {
    throw configError(`container has runAsNonRoot and image will run as root (pod: "${pod.metadata.name}_${pod.metadata.namespace}", container: ${container.name})`);
  }
  if (!image.proxy && isInjected(pod) && (uid === PROXY_ID || gid === PROXY_ID)) {
    throw configError(
      `container ${container.name} may not run as user or group ${PROXY_ID}: in a pod with a sidecar that identity bypasses the mesh and belongs to the proxy; choose another runAsUser and runAsGroup`,
    );
  }
  return {
    uid,
    gid,
    readOnlyRoot: own?.readOnlyRootFilesystem ?? false,
    capabilities: image.proxy ? "NET_ADMIN" : "none",
  };
}

/** Rights that the pod asks for and that no container here gets, for a warning event; the proxy gets what it needs. */
export function refusedRights(container: Container, image: Image): string[] {
  if (image.proxy) return [];
  const added = container.securityContext?.capabilities?.add ?? [];
  return container.securityContext?.privileged ? ["privileged", ...added] : added;
}

function isInjected(pod: Pod): boolean {
  return pod.metadata.annotations?.["sidecar.istio.io/status"] !== undefined || pod.metadata.labels?.["security.istio.io/tlsMode"] !== undefined;
}
