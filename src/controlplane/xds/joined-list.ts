import type { XdsResource } from "./types.ts";

type List = readonly XdsResource[];

const parts = new WeakMap<List, readonly List[]>();

/**
 * One list of several. What it consists of is remembered: proxies that do not see the same have parts in common, and what
 * is worked out for a part serves them all. No name may be in two of them.
 */
export function joinLists(lists: readonly List[]): List {
  const joined = lists.flat();
  parts.set(joined, lists.flatMap(partsOf));
  return joined;
}

/** The lists that a list was made of, in their order; itself where it is of one piece. */
export function partsOf(list: List): readonly List[] {
  return parts.get(list) ?? [list];
}
