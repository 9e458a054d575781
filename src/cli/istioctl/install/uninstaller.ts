import { isNotFound, MUTATING_WEBHOOK_CONFIGURATIONS, type KubeClient } from "../../../kube/index.ts";
import { consoleManifests } from "../../../console/index.ts";
import { meshManifests } from "../../../controlplane/install/index.ts";
import { VERSION } from "../../../base/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { prometheusManifests } from "../../../telemetry/manifests.ts";
import type { ComponentName } from "./components.ts";
import { goName, ownedObjects, removeObject, resourceOf } from "./owned-objects.ts";

/** Parts that go with one revision; what all revisions share stays. */
const OF_A_REVISION: ComponentName[] = ["Pilot", "IngressGateways", "EgressGateways", "Kiali", "Prometheus"];
const SHARED = new Set(["CustomResourceDefinition", "Namespace"]);

/** Everything to remove: by the labels of `istioctl install`, and under the names that `chainmail up` installs without them. */
export async function removableObjects(
  client: KubeClient,
  { revision, purge, namespace }: { revision: string | undefined; purge: boolean; namespace: string },
): Promise<KubeObject[]> {
  const labelled = await ownedObjects(client, purge ? { definitions: true } : { ...(revision !== undefined && { revision }), components: OF_A_REVISION });
  const seen = new Set(labelled.map(goName));
  const all = [...labelled];
  if (purge || revision === undefined || revision === "default") {
    const named = [
      ...meshManifests({ namespace, egressGateway: true }),
      ...consoleManifests({ version: VERSION }),
      ...prometheusManifests({ version: VERSION }),
    ].filter(({ kind }) => kind !== "Namespace" && (purge || !SHARED.has(kind)));
    const found = await Promise.all(named.filter((object) => !seen.has(goName(object))).map((object) => present(client, object)));
    all.push(...found.filter((object) => object !== undefined));
  }
  return all.sort((a, b) => rank(a) - rank(b));
}

/** Webhooks before those who answer them, definitions last. */
function rank({ kind }: KubeObject): number {
  if (kind.endsWith("WebhookConfiguration")) return 0;
  return kind === "CustomResourceDefinition" ? 2 : 1;
}

/** The object in the cluster, if it is the one that Chainmail made. */
async function present(client: KubeClient, wanted: KubeObject): Promise<KubeObject | undefined> {
  try {
    const { apiVersion, kind, metadata } = wanted;
    const found = await client.find(resourceOf(wanted), metadata.name, metadata.namespace);
    const ours = Object.entries(metadata.labels ?? {}).every(([key, value]) => key === "app.kubernetes.io/version" || found?.metadata.labels?.[key] === value);
    return found && ours ? { ...found, apiVersion, kind } : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Removes the objects in their order, and says so of each. */
export async function removeAll(client: KubeClient, objects: readonly KubeObject[], options: { dryRun: boolean; say: (line: string) => void }): Promise<void> {
  for (const object of objects) {
    if (options.dryRun) options.say(`Not pruning object ${goName(object)} because of dry run.`);
    else if (await removeObject(client, object)) options.say(`  Removed ${goName(object)}.`);
    else options.say(`object: ${goName(object)} is not being deleted because it no longer exists`);
  }
}

/** Whether a control plane of this revision has been here: its injection webhook says so. */
export async function revisionExists(client: KubeClient, revision: string): Promise<boolean> {
  const { items } = await client.list(MUTATING_WEBHOOK_CONFIGURATIONS);
  return items.some(({ metadata }) => (metadata.labels?.["istio.io/rev"] || "default") === revision);
}
