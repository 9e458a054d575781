import { isNotFound } from "../../kube/index.ts";
import type { KubeObject, OwnerReference } from "../../resources/index.ts";
import type { Context, Controller } from "./context.ts";
import type { Everything, Resource } from "./everything.ts";

const FOREGROUND = "foregroundDeletion";
const ORPHAN = "orphan";

interface Node {
  object: KubeObject;
  resource: Resource;
}

/**
 * Deletes what its owners left behind, and serves the two slow ways of deleting: foreground (dependents first) and orphan
 * (dependents are let go). https://kubernetes.io/docs/concepts/architecture/garbage-collection/
 */
export function startGarbageCollector(context: Context, everything: Everything): Controller {
  const collector = new Collector(context, everything);
  everything.onChange((change, resource) => collector.observe(change.type, change.object, resource, change.old));
  return { stop: () => collector.stop() };
}

class Collector {
  readonly #nodes = new Map<string, Node>();
  readonly #dependents = new Map<string, Set<string>>();
  readonly #queue;

  constructor(
    private readonly context: Context,
    private readonly everything: Everything,
  ) {
    this.#queue = context.queue("garbage-collector", (uid) => this.#sync(uid), 8);
  }

  stop(): void {
    this.#queue.stop();
  }

  observe(type: string, object: KubeObject, resource: Resource, old: KubeObject | undefined): void {
    const uid = object.metadata.uid;
    if (!uid) return;
    const owners = object.metadata.ownerReferences ?? [];
    for (const owner of old?.metadata.ownerReferences ?? []) if (!owners.some((one) => one.uid === owner.uid)) this.#unlink(owner.uid, uid);
    if (type === "DELETED") {
      this.#nodes.delete(uid);
      for (const owner of owners) this.#unlink(owner.uid, uid);
      for (const dependent of this.#dependents.get(uid) ?? []) this.#queue.add(dependent);
      // An owner that is being deleted in the foreground may have waited for this one.
      for (const owner of owners) if (this.#nodes.has(owner.uid)) this.#queue.add(owner.uid);
      return;
    }
    this.#nodes.set(uid, { object, resource });
    for (const owner of owners) {
      const dependents = this.#dependents.get(owner.uid) ?? new Set();
      this.#dependents.set(owner.uid, dependents.add(uid));
    }
    const waits = isDeleting(object, FOREGROUND) || isDeleting(object, ORPHAN);
    const fatherless = owners.some((owner) => {
      const known = this.#nodes.get(owner.uid);
      return !known || isDeleting(known.object, FOREGROUND);
    });
    if (waits || fatherless) this.#queue.add(uid);
  }

  #unlink(owner: string, dependent: string): void {
    const dependents = this.#dependents.get(owner);
    dependents?.delete(dependent);
    if (dependents?.size === 0) this.#dependents.delete(owner);
  }

  async #sync(uid: string): Promise<void> {
    await this.everything.synced();
    const node = this.#nodes.get(uid);
    if (!node) return;
    if (isDeleting(node.object, ORPHAN)) return this.#orphanDependents(node, uid);
    if (isDeleting(node.object, FOREGROUND)) return this.#deleteDependents(node, uid);
    if (node.object.metadata.ownerReferences?.length) return this.#collect(node);
  }

  async #orphanDependents(node: Node, uid: string): Promise<void> {
    for (const dependent of this.#dependentsOf(uid)) await this.#dropOwners(dependent, [uid]);
    await this.#removeFinalizer(node, ORPHAN);
  }

  async #deleteDependents(node: Node, uid: string): Promise<void> {
    const dependents = this.#dependentsOf(uid);
    const blocking = dependents.filter(({ object }) => object.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion));
    if (blocking.length === 0) await this.#removeFinalizer(node, FOREGROUND);
    for (const { object } of dependents) if (!object.metadata.deletionTimestamp && object.metadata.uid) this.#queue.add(object.metadata.uid);
  }

  /** Deletes an object none of whose owners is left to keep it. */
  async #collect({ object, resource }: Node): Promise<void> {
    const { name, namespace, uid, ownerReferences = [] } = object.metadata;
    if (object.metadata.deletionTimestamp) return;
    const live = await this.context.client.find(resource.gvr, name, namespace);
    if (!live || live.metadata.uid !== uid) return;
    const gone: string[] = [];
    const leaving: string[] = [];
    let kept = false;
    for (const owner of live.metadata.ownerReferences ?? ownerReferences) {
      const state = await this.#ownerState(owner, namespace);
      if (state === "gone") gone.push(owner.uid);
      else if (state === "leaving" && owner.blockOwnerDeletion) leaving.push(owner.uid);
      else kept = true;
    }
    if (kept) {
      if (gone.length + leaving.length > 0) await this.#dropOwners({ object: live, resource }, [...gone, ...leaving]);
      return;
    }
    if (gone.length + leaving.length === 0) return;
    const finalizers = live.metadata.finalizers ?? [];
    const foreground = finalizers.includes(FOREGROUND) || (leaving.length > 0 && uid !== undefined && this.#dependentsOf(uid).length > 0);
    const propagationPolicy = finalizers.includes(ORPHAN) ? "Orphan" : foreground ? "Foreground" : "Background";
    this.context.log.debug("collecting", { kind: object.kind, object: `${namespace ?? ""}/${name}`, policy: propagationPolicy });
    await this.#unlessGone(this.context.client.delete(resource.gvr, name, namespace, { propagationPolicy, ...(uid === undefined ? {} : { uid }) }));
  }

  async #ownerState(owner: OwnerReference, namespace: string | undefined): Promise<"there" | "leaving" | "gone"> {
    const known = this.#nodes.get(owner.uid);
    if (known) return isDeleting(known.object, FOREGROUND) ? "leaving" : "there";
    const resource = this.everything.resourceOf(owner.apiVersion, owner.kind);
    // A kind that nobody serves now may be served again: deleting on a guess cannot be undone.
    if (!resource) return "there";
    const live = await this.context.client.find(resource.gvr, owner.name, resource.namespaced ? namespace : undefined);
    if (!live || live.metadata.uid !== owner.uid) return "gone";
    return isDeleting(live, FOREGROUND) ? "leaving" : "there";
  }

  async #dropOwners({ object, resource }: Node, owners: string[]): Promise<void> {
    const { name, namespace, uid, resourceVersion, ownerReferences = [] } = object.metadata;
    const rest = ownerReferences.filter((owner) => !owners.includes(owner.uid));
    const metadata = { uid, resourceVersion, ownerReferences: rest.length > 0 ? rest : null };
    await this.#unlessGone(this.context.client.patch(resource.gvr, name, namespace, { metadata }));
  }

  async #removeFinalizer({ object, resource }: Node, finalizer: string): Promise<void> {
    const { name, namespace, uid } = object.metadata;
    const live = await this.context.client.find(resource.gvr, name, namespace);
    if (!live || live.metadata.uid !== uid) return;
    const { resourceVersion, finalizers = [] } = live.metadata;
    if (!finalizers.includes(finalizer)) return;
    const rest = finalizers.filter((one) => one !== finalizer);
    await this.#unlessGone(
      this.context.client.patch(resource.gvr, name, namespace, { metadata: { uid, resourceVersion, finalizers: rest.length > 0 ? rest : null } }),
    );
  }

  #dependentsOf(uid: string): Node[] {
    return [...(this.#dependents.get(uid) ?? [])].map((dependent) => this.#nodes.get(dependent)).filter((node) => node !== undefined);
  }

  async #unlessGone(request: Promise<unknown>): Promise<void> {
    try {
      await request;
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  }
}

function isDeleting(object: KubeObject, finalizer: string): boolean {
  return object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers?.includes(finalizer) ?? false);
}
