import type { GroupVersionResource, KubeClient } from "../../kube/index.ts";
import type { KubeObject, LabelSelector } from "../../resources/index.ts";
import { selectorMatches } from "../../resources/index.ts";
import { controllerOf, controllerReference } from "./objects.ts";

/**
 * Which of `candidates` belong to `owner`: those it controls already whose labels still fit, and orphans that fit, which
 * it takes over. Those it controls whose labels no longer fit are let go.
 */
export async function claim<T extends KubeObject>(
  client: KubeClient,
  gvr: GroupVersionResource,
  owner: KubeObject,
  selector: LabelSelector | undefined,
  candidates: T[],
): Promise<T[]> {
  const claimed: T[] = [];
  for (const object of candidates) {
    const controller = controllerOf(object);
    const fits = selectorMatches(selector, object.metadata.labels);
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (fits) claimed.push(object);
      else if (!owner.metadata.deletionTimestamp) await release(client, gvr, owner, object);
    } else if (fits && !owner.metadata.deletionTimestamp && !object.metadata.deletionTimestamp) {
      claimed.push(await adopt(client, gvr, owner, object));
    }
  }
  return claimed;
}

function adopt<T extends KubeObject>(client: KubeClient, gvr: GroupVersionResource, owner: KubeObject, object: T): Promise<T> {
  return client.patch<T>(gvr, object.metadata.name, object.metadata.namespace, {
    metadata: {
      uid: object.metadata.uid,
      resourceVersion: object.metadata.resourceVersion,
      ownerReferences: [...(object.metadata.ownerReferences ?? []), controllerReference(owner)],
    },
  });
}

async function release(client: KubeClient, gvr: GroupVersionResource, owner: KubeObject, object: KubeObject): Promise<void> {
  await client.patch(gvr, object.metadata.name, object.metadata.namespace, {
    metadata: {
      uid: object.metadata.uid,
      resourceVersion: object.metadata.resourceVersion,
      ownerReferences: (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== owner.metadata.uid),
    },
  });
}
