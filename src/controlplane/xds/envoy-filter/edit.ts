import type { Operation } from "./patches.ts";

/**
 * Puts something into a list, or takes it out. `fits` undefined: the patch names no item, so that inserting goes to the
 * ends, and nothing is replaced or removed.
 */
export function edit<Item>(list: readonly Item[], operation: Operation, fits: ((item: Item) => boolean) | undefined, make: () => Item): Item[] {
  const at = fits ? list.findIndex(fits) : -1;
  switch (operation) {
    case "ADD":
      return [...list, make()];
    case "INSERT_FIRST":
      return [make(), ...list];
    case "INSERT_AFTER":
      if (!fits) return [...list, make()];
      return at < 0 ? [...list] : list.toSpliced(at + 1, 0, make());
    case "INSERT_BEFORE":
      if (!fits) return [make(), ...list];
      return at < 0 ? [...list] : list.toSpliced(at, 0, make());
    case "REPLACE":
      return at < 0 ? [...list] : list.with(at, make());
    case "REMOVE":
      return fits ? list.filter((item) => !fits(item)) : [...list];
    default:
      return [...list];
  }
}
