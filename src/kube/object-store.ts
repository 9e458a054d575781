import type { KubeObject } from "../resources/types.ts";
import type { Change } from "./types.ts";

export type Indexes<T> = Record<string, (object: T) => string[]>;

/** Objects by namespace and name, with named indexes kept current. Says what changed; calls nobody. */
export class ObjectStore<T extends KubeObject> {
  #objects = new Map<string, T>();
  #byNamespace = new Map<string, Map<string, T>>();
  #indexes = new Map<string, { keysOf: (object: T) => string[]; entries: Map<string, Map<string, T>> }>();

  constructor(indexes: Indexes<T> = {}) {
    for (const [name, keysOf] of Object.entries(indexes)) this.#indexes.set(name, { keysOf, entries: new Map() });
  }

  get(name: string, namespace = ""): T | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  list(namespace?: string): T[] {
    if (namespace === undefined || namespace === "") return [...this.#objects.values()];
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
  }

  byIndex(index: string, key: string): T[] {
    return [...(this.#indexes.get(index)?.entries.get(key)?.values() ?? [])];
  }

  /** undefined when the same version is there already. */
  put(object: T): Change<T> | undefined {
    const key = keyOfObject(object);
    const old = this.#objects.get(key);
    if (old && old.metadata.resourceVersion === object.metadata.resourceVersion && old.metadata.uid === object.metadata.uid) return undefined;
    if (old) this.#unlink(key, old);
    this.#link(key, object);
    return old ? { type: "MODIFIED", object, old } : { type: "ADDED", object };
  }

  /** `object` is the last state where the server sent it; else what the store had stands for it. */
  remove(name: string, namespace: string | undefined, object?: T): Change<T> | undefined {
    const key = keyOf(namespace ?? "", name);
    const old = this.#objects.get(key);
    if (!old) return undefined;
    this.#unlink(key, old);
    return { type: "DELETED", object: object ?? old, old };
  }

  /** Makes the store hold exactly `objects`; returns the changes that this took, deletions first. */
  replace(objects: Iterable<T>): Change<T>[] {
    const next = new Map<string, T>();
    for (const object of objects) next.set(keyOfObject(object), object);
    const changes: Change<T>[] = [];
    for (const [key, old] of this.#objects) {
      const successor = next.get(key);
      if (!successor || successor.metadata.uid !== old.metadata.uid) {
        this.#unlink(key, old);
        changes.push({ type: "DELETED", object: old, old });
      }
    }
    for (const object of next.values()) {
      const change = this.put(object);
      if (change) changes.push(change);
    }
    return changes;
  }

  #link(key: string, object: T): void {
    this.#objects.set(key, object);
    addTo(this.#byNamespace, object.metadata.namespace ?? "", key, object);
    for (const { keysOf, entries } of this.#indexes.values()) for (const at of keysOf(object)) addTo(entries, at, key, object);
  }

  #unlink(key: string, object: T): void {
    this.#objects.delete(key);
    removeFrom(this.#byNamespace, object.metadata.namespace ?? "", key);
    for (const { keysOf, entries } of this.#indexes.values()) for (const at of keysOf(object)) removeFrom(entries, at, key);
  }
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function keyOfObject(object: KubeObject): string {
  return keyOf(object.metadata.namespace ?? "", object.metadata.name);
}

function addTo<T>(index: Map<string, Map<string, T>>, at: string, key: string, object: T): void {
  let bucket = index.get(at);
  if (!bucket) index.set(at, (bucket = new Map()));
  bucket.set(key, object);
}

function removeFrom<T>(index: Map<string, Map<string, T>>, at: string, key: string): void {
  const bucket = index.get(at);
  if (!bucket) return;
  bucket.delete(key);
  if (bucket.size === 0) index.delete(at);
}
