import type { Container, Pod } from "../../resources/index.ts";
import { errorText } from "../../base/index.ts";
import { findUser, type Image, type ImageCatalogue, type ImageUser } from "../images/index.ts";
import { configError } from "./env.ts";

/** Istio's proxy user and group: its traffic is not captured, so nobody else in the mesh may run as it. */
const PROXY_ID = 1337;

export interface ProcessIdentity {
  uid: number;
  gid: number;
  /** Further groups: the pod's, and those that the image puts its user into. */
  groups: number[];
  /** Where programs of that user are at home. */
  home: string;
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
  const user = userOf(image, own?.runAsUser ?? shared?.runAsUser);
  const { uid } = user;
  const gid = own?.runAsGroup ?? shared?.runAsGroup ?? user.gid;
  const groups = [...new Set([...user.groups, ...(shared?.supplementalGroups ?? []), ...(shared?.fsGroup === undefined ? [] : [shared.fsGroup])])];
  const who = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}", container: ${container.name})`;
  if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) && (own?.runAsUser ?? shared?.runAsUser) === undefined) {
    const name = image.own?.user.split(":")[0] ?? "";
    if (name !== "" && !/^\d+$/.test(name))
      throw configError(`container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root ${who}`);
    if (uid === 0) throw configError(`container has runAsNonRoot and image will run as root ${who}`);
  } else if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) && uid === 0) {
    throw configError(`container's runAsUser breaks non-root policy ${who}`);
  }
  if (!image.proxy && [uid, gid, ...groups].includes(PROXY_ID) && isInjected(pod, catalogue)) {
    throw configError(
      `container ${container.name} may not run as user or group ${PROXY_ID}: in a pod with a sidecar that identity bypasses the mesh and belongs to the proxy; choose another runAsUser and runAsGroup`,
    );
  }
  return {
    uid,
    gid,
    groups,
    home: user.home,
    readOnlyRoot: own?.readOnlyRootFilesystem ?? false,
    // In the pod's own network namespace only: on the node's it would rule over every pod.
    capabilities: image.proxy && !pod.spec?.hostNetwork ? "NET_ADMIN" : "none",
  };
}

/** The pod's choice, else the image's; groups and home by the image's own files, where it brings any. */
function userOf(image: Image, chosen: number | undefined): ImageUser {
  const root = image.own?.root;
  if (root === undefined) {
    const given = image.user ?? idsOf(image.own?.user ?? "");
    const uid = chosen ?? given.uid;
    return { uid, gid: given.gid, groups: [], home: uid === 0 ? "/root" : "/" };
  }
  try {
    return findUser(root, chosen === undefined ? (image.own?.user ?? "") : String(chosen));
  } catch (thrown) {
    throw configError(errorText(thrown));
  }
}

/** `uid[:gid]` of an image without files of its own, in which names could be looked up; empty for root. */
function idsOf(user: string): { uid: number; gid: number } {
  const [uid = "", gid = ""] = user.split(":");
  if (!/^\d*$/.test(uid) || !/^\d*$/.test(gid)) throw configError(`unable to find user ${user}: the image has no /etc/passwd, only numbers can stand there`);
  return { uid: Number(uid), gid: Number(gid) };
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
