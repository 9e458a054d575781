/** What a value was made from: objects count by identity, everything else by value. */
export type MemoKey = readonly unknown[];

/**
 * Keeps values by what they were made from. A value goes when one of the objects in its key does, so no entry outlives
 * the snapshot parts that it belongs to. Put objects first in keys: what is behind them goes with them.
 */
export class Memo<Value> {
  #root = new Branch<Value>();

  get(key: MemoKey, make: () => Value): Value {
    let branch = this.#root;
    for (const part of key) branch = branch.child(part);
    if (!branch.filled) {
      branch.value = make();
      branch.filled = true;
    }
    return branch.value as Value;
  }

  clear(): void {
    this.#root = new Branch<Value>();
  }
}

class Branch<Value> {
  filled = false;
  value: Value | undefined;
  #objects: WeakMap<object, Branch<Value>> | undefined;
  #values: Map<unknown, Branch<Value>> | undefined;

  child(part: unknown): Branch<Value> {
    if ((typeof part === "object" && part !== null) || typeof part === "function") {
      this.#objects ??= new WeakMap();
      let branch = this.#objects.get(part);
      if (!branch) this.#objects.set(part, (branch = new Branch<Value>()));
      return branch;
    }
    this.#values ??= new Map();
    let branch = this.#values.get(part);
    if (!branch) this.#values.set(part, (branch = new Branch<Value>()));
    return branch;
  }
}

/** Gives equal contents the same object, so that they can be part of a memo's key. */
export class Interner<Value extends object> {
  readonly #values = new Map<string, WeakRef<Value>>();
  readonly #finished = new FinalizationRegistry<string>((key) => {
    if (!this.#values.get(key)?.deref()) this.#values.delete(key);
  });

  intern(key: string, make: () => Value): Value {
    const known = this.#values.get(key)?.deref();
    if (known) return known;
    const value = make();
    this.#values.set(key, new WeakRef(value));
    this.#finished.register(value, key);
    return value;
  }
}
