import { ApiError, EVENTS, isNotFound, NAMESPACES, PODS, resourcePath } from "../../kube/index.ts";
import type { Condition, Namespace } from "../../resources/index.ts";
import type { Context, Controller } from "./context.ts";
import type { Everything, Resource } from "./everything.ts";
import { gvrName, sameValue, timestamp } from "./objects.ts";

/** The finalizer that stands for everything in the namespace. */
const KUBERNETES = "kubernetes";
/** Deletions that are under way together. */
const BATCH = 16;

/** Empties namespaces that are being deleted, and lets them go when nothing is left in them. */
export function startNamespaceEnd(context: Context, everything: Everything): Controller {
  const { informers } = context;
  const queue = context.queue("namespace", (name) => sync(context, everything, name));
  const ending = new Set<string>();
  const stop = informers.namespaces.onChange(({ type, object }) => {
    const { name } = object.metadata;
    if (type === "DELETED" || !object.metadata.deletionTimestamp) ending.delete(name);
    else {
      ending.add(name);
      queue.add(name);
    }
  });
  everything.onChange(({ object }) => {
    const { namespace } = object.metadata;
    if (namespace && ending.has(namespace)) queue.add(namespace);
  });
  return {
    stop() {
      stop();
      queue.stop();
    },
  };
}

async function sync(context: Context, everything: Everything, name: string): Promise<void> {
  const { informers, client } = context;
  const namespace = informers.namespaces.get(name);
  if (!namespace?.metadata.deletionTimestamp || !namespace.spec?.finalizers?.includes(KUBERNETES)) return;
  await everything.synced();
  const left = everything.inNamespace(name);
  const fresh = left.filter(({ object }) => !object.metadata.deletionTimestamp);
  for (let start = 0; start < fresh.length; start += BATCH) {
    await Promise.all(
      fresh.slice(start, start + BATCH).map(async ({ resource, object }) => {
        const { uid } = object.metadata;
        await unlessGone(client.delete(resource.gvr, object.metadata.name, name, { propagationPolicy: "Background", ...(uid === undefined ? {} : { uid }) }));
      }),
    );
  }
  if (left.length > 0) return noteWhatIsLeft(context, namespace, left);
  await deleteEvents(context, name);
  const finalizers = namespace.spec.finalizers.filter((finalizer) => finalizer !== KUBERNETES);
  const live = await client.find<Namespace>(NAMESPACES, name);
  if (!live || live.metadata.uid !== namespace.metadata.uid) return;
  await unlessGone(client.updateSubresource<Namespace>(NAMESPACES, { ...live, spec: { ...live.spec, finalizers } }, "finalize"));
}

/** `kubectl describe namespace` shows why a namespace does not go. */
async function noteWhatIsLeft(
  context: Context,
  namespace: Namespace,
  left: { resource: Resource; object: { metadata: { finalizers?: string[] } } }[],
): Promise<void> {
  const kinds = new Map<string, number>();
  const finalizers = new Map<string, number>();
  for (const { resource, object } of left) {
    kinds.set(gvrName(resource.gvr), (kinds.get(gvrName(resource.gvr)) ?? 0) + 1);
    for (const finalizer of object.metadata.finalizers ?? []) finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
  }
  const list = (counts: Map<string, number>, what: string) => [...counts].map(([key, count]) => `${key} ${what} ${count} resource instances`).join(", ");
  const content = { type: "NamespaceContentRemaining", reason: "SomeResourcesRemain", message: `Some resources are remaining: ${list(kinds, "has")}` };
  const held =
    finalizers.size > 0
      ? {
          type: "NamespaceFinalizersRemaining",
          reason: "SomeFinalizersRemain",
          message: `Some content in the namespace has finalizers remaining: ${list(finalizers, "in")}`,
        }
      : undefined;
  const now = timestamp(context.clock.now());
  const before = namespace.status?.conditions ?? [];
  const conditions: Condition[] = [content, held].flatMap((news) => {
    if (!news) return [];
    const known = before.find((condition) => condition.type === news.type);
    return known?.message === news.message ? [known] : [{ ...news, status: "True" as const, lastTransitionTime: now }];
  });
  // Pods take seconds to go and their counts change all the time: only what holds the namespace up is news.
  const news = held ?? (left.every(({ resource }) => resource.gvr === PODS || resource.kind === "Pod") ? undefined : content);
  if (!news || sameValue(conditions, before)) return;
  await unlessGone(context.client.patch(NAMESPACES, namespace.metadata.name, undefined, { status: { conditions } }, "status"));
}

async function deleteEvents(context: Context, namespace: string): Promise<void> {
  const response = await context.client.transport(resourcePath(EVENTS, namespace), { method: "DELETE" });
  if (!response.ok && response.status !== 404)
    throw new ApiError(response.status, { kind: "Status", message: `the events of namespace ${namespace} could not be deleted` });
  await response.body?.cancel();
}

async function unlessGone(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown;
  }
}
