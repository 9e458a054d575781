import type { StoredObject } from "./stored-object.ts";

/** The objects of one resource in memory, in key order, so that lists are slices and need no sort. */
export class ObjectTable {
  #objects = new Map<string, StoredObject>();
  #keys: string[] = [];
  #changes = 0;

  /** How often anything in it has changed: whoever keeps what follows from it compares. */
  get changes(): number {
    return this.#changes;
  }

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  set(object: StoredObject): void {
    const { key } = object;
    this.#changes++;
    if (!this.#objects.has(key)) {
      const last = this.#keys.at(-1);
      // Rows are loaded in order: appending is the common case.
      if (last === undefined || last < key) this.#keys.push(key);
      else this.#keys.splice(lowerBound(this.#keys, key), 0, key);
    }
    this.#objects.set(key, object);
  }

  delete(key: string): void {
    this.#changes++;
    if (this.#objects.delete(key)) this.#keys.splice(lowerBound(this.#keys, key), 1);
  }

  /** Of one namespace, or all; from the first key that is not below `start`. */
  list(namespace?: string, start = ""): StoredObject[] {
    const prefix = namespace ? `${namespace}/` : "";
    let from = start > prefix ? start : prefix;
    const objects: StoredObject[] = [];
    for (let i = lowerBound(this.#keys, from); i < this.#keys.length; i++) {
      from = this.#keys[i] as string;
      if (prefix && !from.startsWith(prefix)) break;
      objects.push(this.#objects.get(from) as StoredObject);
    }
    return objects;
  }
}

function lowerBound(keys: string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
