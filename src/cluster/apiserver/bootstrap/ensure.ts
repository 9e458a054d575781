import type { KubeObject } from "../../../resources/index.ts";
import { parseApiVersion } from "../catalogue.ts";
import type { WriteOptions } from "../rest/write-options.ts";
import type { RestContext, WriteRequest } from "../rest/context.ts";
import { createObject } from "../rest/create.ts";
import { updateObject } from "../rest/update.ts";
import { equalJson, type JsonObject } from "../json.ts";
import { defaultRbac } from "./default-roles.ts";

const OPTIONS: WriteOptions = { dryRun: false, manager: "kube-apiserver", fieldManager: "kube-apiserver", fieldValidation: "Strict", force: undefined };
const SYSTEM = { username: "system:apiserver", groups: ["system:masters"] };

/** The namespaces, roles and the API's own Service that every cluster has; creates what is missing, mends the roles. */
export async function ensureDefaults(context: RestContext, clusterIp: string, serviceCidr: string): Promise<void> {
  await Promise.all(
    ["default", "kube-node-lease", "kube-public", "kube-system"].map((name) => ensure(context, { apiVersion: "v1", kind: "Namespace", metadata: { name } })),
  );
  await Promise.all([
    ...defaultRbac().map((object) => ensure(context, object, mendRules)),
    ensure(context, apiService(clusterIp)),
    ensure(context, { apiVersion: "networking.k8s.io/v1", kind: "ServiceCIDR", metadata: { name: "kubernetes" }, spec: { cidrs: [serviceCidr] } }),
  ]);
}

/** How pods find the API server. Its address is bound by the node itself, so it has no endpoints behind it. */
function apiService(clusterIP: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", namespace: "default", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: { type: "ClusterIP", clusterIP, ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 443 }] },
  };
}

async function ensure(context: RestContext, object: KubeObject, mend?: (live: KubeObject, wanted: KubeObject) => KubeObject): Promise<void> {
  const [group, version] = parseApiVersion(object.apiVersion);
  const resource = context.catalogue.findKind(group, version, object.kind);
  // A server for tests may serve a few kinds only.
  if (!resource) return;
  const { name, namespace = "" } = object.metadata;
  const request: WriteRequest = { resource, namespace, name: "", subresource: "", user: SYSTEM, options: OPTIONS, warnings: [] };
  const existing = context.store.get(resource.id, namespace, name);
  if (!existing) await createObject(context, request, object as JsonObject);
  else if (mend && !equalJson(mend(existing.object, object), existing.object)) {
    await updateObject(context, { ...request, name }, (live) => mend(live, object), { track: true, kind: "UpdateOptions" });
  }
}

/** Rules and references as they should be; labels and annotations that users added stay. */
function mendRules(live: KubeObject, wanted: KubeObject): KubeObject {
  if (live.metadata.annotations?.["rbac.authorization.kubernetes.io/autoupdate"] !== "true") return live;
  const { metadata, ...rest } = wanted;
  return { ...live, ...rest, metadata: { ...live.metadata, labels: { ...live.metadata.labels, ...metadata.labels } } };
}
