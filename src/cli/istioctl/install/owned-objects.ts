import { isAlreadyExists, isNotFound, NAMESPACES, type GroupVersionResource, type KubeClient } from "../../../kube/index.ts";
import { builtinResources } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { COMPONENT_LABEL, type ComponentName } from "./components.ts";

const RBAC = "rbac.authorization.k8s.io/v1";

/**
 * Kinds that an installation is made of, in the order of removal: webhooks first, since nothing could be written while
 * they are called and nobody answers; definitions last, since they take all objects of their kind along.
 */
const KINDS: readonly (readonly [apiVersion: string, kind: string])[] = [
  ["admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"],
  ["admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"],
  ["apps/v1", "Deployment"],
  ["v1", "Service"],
  ["v1", "ConfigMap"],
  ["v1", "ServiceAccount"],
  [RBAC, "RoleBinding"],
  [RBAC, "Role"],
  [RBAC, "ClusterRoleBinding"],
  [RBAC, "ClusterRole"],
];
const DEFINITIONS = ["apiextensions.k8s.io/v1", "CustomResourceDefinition"] as const;

export interface OwnedSelection {
  /** Only of this revision, and nothing that other revisions share. */
  readonly revision?: string;
  /** Whether the definitions, and with them all of the users' policies, are among it. */
  readonly definitions?: boolean;
  readonly components?: readonly ComponentName[];
}

/** Objects in a cluster that an installation put there, in the order in which to remove them. */
export async function ownedObjects(client: KubeClient, { revision, definitions = false, components }: OwnedSelection): Promise<KubeObject[]> {
  const selector = [
    ...(revision === undefined ? [] : [`istio.io/rev=${revision}`]),
    ...(components ? [`${COMPONENT_LABEL} in (${components.join(",")})`] : [COMPONENT_LABEL]),
  ].join(",");
  const lists = await Promise.all(
    [...KINDS, ...(definitions ? [DEFINITIONS] : [])].map(async ([apiVersion, kind]) => {
      const { items } = await client.list(resourceOf({ apiVersion, kind }), { labelSelector: selector });
      return items.map((item) => ({ ...item, apiVersion, kind }));
    }),
  );
  return lists.flat();
}

/** Where a kind that a cluster always serves is found. */
export function resourceOf({ apiVersion, kind }: { apiVersion: string; kind: string }): GroupVersionResource {
  const [group, version] = apiVersion.includes("/") ? (apiVersion.split("/") as [string, string]) : ["", apiVersion];
  const definition = builtinResources().find((candidate) => candidate.group === group && candidate.kind === kind);
  if (!definition) throw new TypeError(`no built-in kind ${kind} in ${apiVersion}`);
  return { group, version, resource: definition.plural };
}

/** `apps/v1, Kind=Deployment/istiod.istio-system`, as Go prints it. */
export function goName({ apiVersion, kind, metadata }: KubeObject): string {
  return `${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}/${metadata.name}.${metadata.namespace ?? ""}`;
}

/** Removes an object, its dependents first. False when it was gone already. */
export async function removeObject(client: KubeClient, object: KubeObject): Promise<boolean> {
  try {
    await client.delete(resourceOf(object), object.metadata.name, object.metadata.namespace, { propagationPolicy: "Foreground" });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** The namespace of the control plane, made if it is not there; what it has stays. */
export async function ensureNamespace(client: KubeClient, name: string): Promise<void> {
  if (await client.find(NAMESPACES, name)) return;
  try {
    await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  } catch (error) {
    // Somebody else may have made it in between.
    if (!isAlreadyExists(error)) throw error;
  }
}
