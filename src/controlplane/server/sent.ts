import { partsOf } from "../xds/joined-list.ts";
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

/** Names of `names` that no resource has. Worked out once for those who have the same long lists of both. */
export function missingFrom(names: readonly string[], resources: readonly XdsResource[]): readonly string[] {
  if (names.length < SHORT_LIST) return missing(names, resources);
  return ofPair(missingNames, resources, names, () => missing(names, resources));
}

function missing(names: readonly string[], resources: readonly XdsResource[]): readonly string[] {
  const there = byName(resources);
  return names.filter((name) => !there.has(name));
}

type Pairs<A extends object, B extends object, Value> = WeakMap<A, WeakMap<B, Value>>;

const SHORT_LIST = 32;
const indexes = new WeakMap<readonly XdsResource[], Index>();
const differences: Pairs<readonly XdsResource[], readonly XdsResource[], Difference> = new WeakMap();
const missingNames: Pairs<readonly XdsResource[], readonly string[], readonly string[]> = new WeakMap();

/** The resources of a list by their names. */
interface Index {
  get(name: string): XdsResource | undefined;
  has(name: string): boolean;
}

/** Of a list that consists of several, each of which has an index already. */
class JoinedIndex implements Index {
  constructor(private readonly parts: readonly Index[]) {}

  get(name: string): XdsResource | undefined {
    for (const part of this.parts) {
      const resource = part.get(name);
      if (resource) return resource;
    }
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
}

/** Lists never change, so that an index made once serves every client that was sent the list. */
function byName(list: readonly XdsResource[]): Index {
  let index = indexes.get(list);
  if (!index) {
    const parts = partsOf(list);
    index = parts.length > 1 ? new JoinedIndex(parts.map(byName)) : new Map(list.map((resource) => [resource.name, resource]));
    indexes.set(list, index);
  }
  return index;
}

function differenceOf(from: readonly XdsResource[], to: readonly XdsResource[]): Difference {
  if (from.length === 0) return { changed: to, removed: [] };
  return ofPair(differences, from, to, () => {
    const [had, has] = [byName(from), byName(to)];
    const [old, now] = [partsOf(from), partsOf(to)];
    // A part that both have is the same in both.
    return {
      changed: now.flatMap((part) => (old.includes(part) ? [] : part.filter(({ name, version }) => had.get(name)?.version !== version))),
      removed: old.flatMap((part) => (now.includes(part) ? [] : part.flatMap(({ name }) => (has.has(name) ? [] : [name])))),
    };
  });
}

function ofPair<A extends object, B extends object, Value>(pairs: Pairs<A, B, Value>, a: A, b: B, make: () => Value): Value {
  let known = pairs.get(a);
  if (!known) pairs.set(a, (known = new WeakMap()));
  let value = known.get(b);
  if (value === undefined) known.set(b, (value = make()));
  return value;
}
