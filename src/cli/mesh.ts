import { consoleManifests } from "../console/index.ts";
import { meshManifests } from "../controlplane/install/index.ts";
import type { GroupVersionResource, KubeClient } from "../kube/index.ts";
import { builtinResources, type KubeObject } from "../resources/index.ts";
import { prometheusManifests } from "../telemetry/manifests.ts";

const FIELD_MANAGER = "chainmail";

/** Applies what makes a cluster a mesh, in order: istiod, the gateway, the console, the metrics store. Idempotent. */
export async function installMesh(client: KubeClient, options: { version: string }): Promise<void> {
  for (const object of [...meshManifests(options), ...consoleManifests(options), ...prometheusManifests(options)]) {
    await client.apply(resourceOf(object), object, FIELD_MANAGER);
  }
}

/** Where an object's kind is served. Manifests of the mesh hold built-in kinds and definitions only. */
function resourceOf(object: KubeObject): GroupVersionResource {
  const [group, version] = object.apiVersion.includes("/") ? (object.apiVersion.split("/") as [string, string]) : ["", object.apiVersion];
  const definition = builtinResources().find((d) => d.group === group && d.kind === object.kind);
  if (!definition) throw new Error(`no built-in kind ${object.kind} in ${object.apiVersion}`);
  return { group, version, resource: definition.plural };
}
