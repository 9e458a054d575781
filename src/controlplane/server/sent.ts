import type { XdsResource } from "../xds/types.ts";

/** What brings a client from one state to another. */
export interface Difference {
  readonly changed: readonly XdsResource[];
  readonly removed: readonly string[];
}

const NOTHING: Difference = { changed: [], removed: [] };
/** What a client has that has just come. */
const NO_RESOURCES: readonly XdsResource[] = [];

/**
 * Versions by name of what one client has, or will have when it gets to it. Clients that see the same share the list that
 * they were sent; only where one differs from it, that is kept for itself.
 */
export class SentVersions {
  #base: readonly XdsResource[] = NO_RESOURCES;
  /** Where the client differs from the list; undefined is a name that it does not have. */
  readonly #own = new Map<string, string | undefined>();

  /** How many names differ from the shared list. */
  get exceptions(): number {
    return this.#own.size;
  }

  get(name: string): string | undefined {
    return this.#own.has(name) ? this.#own.get(name) : byName(this.#base).get(name)?.version;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  set(name: string, version: string): this {
    this.#own.set(name, version);
    return this;
  }

  /** Whether it was there. */
  delete(name: string): boolean {
    const there = this.has(name);
    if (byName(this.#base).has(name)) this.#own.set(name, undefined);
    else this.#own.delete(name);
    return there;
  }

  keys(): string[] {
    if (this.#own.size === 0) return this.#base.map(({ name }) => name);
    const names = this.#base.flatMap(({ name }) => (this.#own.has(name) ? [] : [name]));
    for (const [name, version] of this.#own) if (version !== undefined) names.push(name);
    return names;
  }

  /** The client now has exactly this. */
  adopt(list: readonly XdsResource[]): void {
    this.#base = list;
    this.#own.clear();
  }

  /** What the client lacks of `list`, in its order, and what it has beyond it. */
  differenceTo(list: readonly XdsResource[]): Difference {
    const shared = this.#base === list ? NOTHING : differenceOf(this.#base, list);
    if (this.#own.size === 0) return shared;
    const wanted = byName(list);
    const changed = new Set(shared.changed);
    const removed = new Set(shared.removed);
    for (const [name, version] of this.#own) {
      const resource = wanted.get(name);
      if (resource && resource.version !== version) changed.add(resource);
      else if (resource) changed.delete(resource);
      else if (version !== undefined) removed.add(name);
      else removed.delete(name);
    }
    return { changed: changed.size === 0 ? [] : list.filter((resource) => changed.has(resource)), removed: [...removed] };
  }
}

/** Names of `names` that no resource has. */
export function missingFrom(names: readonly string[], resources: readonly XdsResource[]): readonly string[] {
  const there = byName(resources);
  return names.filter((name) => !there.has(name));
}

const indexes = new WeakMap<readonly XdsResource[], ReadonlyMap<string, XdsResource>>();
const differences = new WeakMap<readonly XdsResource[], WeakMap<readonly XdsResource[], Difference>>();

/** Lists never change, so that an index made once serves every client that was sent the list. */
function byName(list: readonly XdsResource[]): ReadonlyMap<string, XdsResource> {
  let index = indexes.get(list);
  if (!index) indexes.set(list, (index = new Map(list.map((resource) => [resource.name, resource]))));
  return index;
}

function differenceOf(from: readonly XdsResource[], to: readonly XdsResource[]): Difference {
  if (from.length === 0) return { changed: to, removed: [] };
  let known = differences.get(from);
  if (!known) differences.set(from, (known = new WeakMap()));
  let difference = known.get(to);
  if (!difference) {
    const had = byName(from);
    const has = byName(to);
    difference = { changed: to.filter(({ name, version }) => had.get(name)?.version !== version), removed: from.flatMap(({ name }) => (has.has(name) ? [] : [name])) };
    known.set(to, difference);
  }
  return difference;
}
