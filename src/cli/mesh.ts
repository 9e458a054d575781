import { consoleManifests } from "../console/index.ts";
import { meshManifests } from "../controlplane/install/index.ts";
import { CONFIG_MAPS, PODS, type GroupVersionResource, type KubeClient } from "../kube/index.ts";
import { builtinResources, type KubeObject } from "../resources/index.ts";
import type { ProxyKind } from "./home.ts";
import { prometheusManifests } from "../telemetry/manifests.ts";

const FIELD_MANAGER = "chainmail";

/** Says which manifests were applied last, in its `manifests` key. */
const RECORD = { name: "chainmail-installation", namespace: "istio-system" };

/** Here the mesh's gateway is the only way in: an Ingress that names no class is for it. */
const INGRESS_CLASS: KubeObject = {
  apiVersion: "networking.k8s.io/v1",
  kind: "IngressClass",
  metadata: { name: "istio", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
  spec: { controller: "istio.io/ingress-controller" },
};

/**
 * Applies what makes a cluster a mesh, in order: istiod, the gateway, the console, the metrics store. Idempotent, and
 * skipped where the same manifests were applied whole before: it is a good part of a start, and what somebody changed
 * since is theirs.
 */
export async function installMesh(client: KubeClient, options: { version: string; proxy: ProxyKind }): Promise<void> {
  const objects = [...meshManifests(options), INGRESS_CLASS, ...consoleManifests(options), ...prometheusManifests(options)];
  const manifests = new Bun.CryptoHasher("sha256").update(JSON.stringify(objects)).digest("hex");
  const record = await client.find<KubeObject & { data?: { manifests?: string } }>(CONFIG_MAPS, RECORD.name, RECORD.namespace);
  if (record?.data?.manifests === manifests) return;
  for (const object of objects) await client.apply(resourceOf(object), object, FIELD_MANAGER);
  await renewSidecars(client, options.proxy);
  // Last: an installation that was broken off is done again.
  await client.apply(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: RECORD, data: { manifests } }, FIELD_MANAGER);
}

type Injected = KubeObject<{ containers?: ProxyContainer[]; initContainers?: ProxyContainer[] }>;
type ProxyContainer = { name: string; env?: { name: string; value?: string }[] };

/** A pod keeps the proxy that it was made with: those that have another make way for new ones. */
async function renewSidecars(client: KubeClient, wanted: ProxyKind): Promise<void> {
  const pods = await client.list<Injected>(PODS);
  for (const { metadata, spec } of pods.items) {
    const sidecar = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(({ name }) => name === "istio-proxy");
    const controlled = (metadata.ownerReferences?.length ?? 0) > 0;
    // A pod's own annotation decides for itself.
    if (!sidecar || !controlled || metadata.annotations?.["proxy.istio.io/config"]?.includes("CHAINMAIL_PROXY")) continue;
    const kind = sidecar.env?.find(({ name }) => name === "CHAINMAIL_PROXY")?.value ?? "chainmail";
    if (kind !== wanted) await client.delete(PODS, metadata.name, metadata.namespace, { gracePeriodSeconds: 0, uid: metadata.uid });
  }
}

/** Where an object's kind is served. Manifests of the mesh hold built-in kinds and definitions only. */
function resourceOf(object: KubeObject): GroupVersionResource {
  const [group, version] = object.apiVersion.includes("/") ? (object.apiVersion.split("/") as [string, string]) : ["", object.apiVersion];
  const definition = builtinResources().find((d) => d.group === group && d.kind === object.kind);
  if (!definition) throw new Error(`no built-in kind ${object.kind} in ${object.apiVersion}`);
  return { group, version, resource: definition.plural };
}
