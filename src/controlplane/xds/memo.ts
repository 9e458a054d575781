/** What a value was made from: objects count by identity, everything else by value. */
export type MemoKey = readonly unknown[];

/**
 * Keeps values by what they were made from. A value goes when one of the objects in its key does, so no entry outlives
 * the snapshot parts that it belongs to, but for the last that was asked for. Put objects first in keys: what is behind them
 * goes with them.
 */
export class Memo<Value> {
  #root = new Branch<Value>();

  get(key: MemoKey, make: () => Value): Value {
    let branch = this.#root;
    for (let index = 0; index < key.length; index++) branch = branch.child(key[index]);
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

/**
 * All keys that begin alike. Most of them go on in one way only, and the one asked for last is likely to be asked for next:
 * it is found without a map, and there is no map before there is a second.
 */
class Branch<Value> {
  filled = false;
  value: Value | undefined = undefined;
  #lastPart: unknown = undefined;
  #last: Branch<Value> | undefined = undefined;
  #objects: WeakMap<object, Branch<Value>> | undefined = undefined;
  #values: Map<unknown, Branch<Value>> | undefined = undefined;

  child(part: unknown): Branch<Value> {
    const last = this.#last;
    if (last && this.#lastPart === part) return last;
    let branch: Branch<Value> | undefined;
    if (last) {
      if (!this.#objects && !this.#values) this.#file(this.#lastPart, last);
      branch = isObject(part) ? this.#objects?.get(part) : this.#values?.get(part);
      if (!branch) this.#file(part, (branch = new Branch<Value>()));
    }
    branch ??= new Branch<Value>();
    this.#lastPart = part;
    this.#last = branch;
    return branch;
  }

  #file(part: unknown, branch: Branch<Value>): void {
    if (isObject(part)) (this.#objects ??= new WeakMap()).set(part, branch);
    else (this.#values ??= new Map()).set(part, branch);
  }
}

function isObject(part: unknown): part is object {
  return (typeof part === "object" && part !== null) || typeof part === "function";
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
