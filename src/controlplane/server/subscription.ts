import { Interner } from "../xds/memo.ts";

/** Names in the order in which they were subscribed to, and as a set; never changed once made. */
interface NameList {
  readonly names: readonly string[];
  readonly set: ReadonlySet<string>;
}

/** Gives equal subscriptions of different clients the same list: thousands of proxies subscribe to the same names. */
export class Subscriptions {
  readonly #lists = new Interner<NameList>();

  share(names: ReadonlySet<string>): NameList {
    // No name of a resource holds a line break.
    return this.#lists.intern([...names].join("\n"), () => ({ names: [...names], set: new Set(names) }));
  }
}

/** The names that one client has subscribed to for one type: shared with others for as long as nobody changes it. */
export class Subscription implements Iterable<string> {
  #names: ReadonlySet<string>;
  #shared: NameList | undefined;

  constructor(names: Iterable<string> = []) {
    this.#names = new Set(names);
  }

  get size(): number {
    return this.#names.size;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  add(name: string): void {
    if (!this.#names.has(name)) this.#own().add(name);
  }

  delete(name: string): void {
    if (this.#names.has(name)) this.#own().delete(name);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#names[Symbol.iterator]();
  }

  /** The names as the list that equal subscriptions share; the same object until a name comes or goes. */
  list(subscriptions: Subscriptions): readonly string[] {
    if (!this.#shared) {
      this.#shared = subscriptions.share(this.#names);
      this.#names = this.#shared.set;
    }
    return this.#shared.names;
  }

  #own(): Set<string> {
    if (this.#shared) {
      this.#shared = undefined;
      this.#names = new Set(this.#names);
    }
    return this.#names as Set<string>;
  }
}
