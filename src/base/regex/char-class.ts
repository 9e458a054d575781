/**
 * A set of characters as ranges: [first, last, first, last, …], ascending, no two of which touch. Characters are code points,
 * or single bytes where an expression is about bytes.
 */
export type CharClass = readonly number[];

/** The last code point there is. */
export const MAX_CODE_POINT = 0x10ffff;

/** Any ranges in any order as a class. */
export function toClass(ranges: readonly number[]): CharClass {
  const pairs: [number, number][] = [];
  for (let index = 0; index < ranges.length; index += 2) pairs.push([ranges[index] ?? 0, ranges[index + 1] ?? 0]);
  pairs.sort(([a], [b]) => a - b);
  const out: number[] = [];
  for (const [first, last] of pairs) {
    const end = out.length - 1;
    const before = out[end];
    if (before !== undefined && first <= before + 1) out[end] = Math.max(before, last);
    else out.push(first, last);
  }
  return out;
}

/** All characters up to `max` that are not in it. */
export function negated(set: CharClass, max: number): CharClass {
  const out: number[] = [];
  let next = 0;
  for (let index = 0; index < set.length; index += 2) {
    const first = set[index] ?? 0;
    if (first > max) break;
    if (first > next) out.push(next, first - 1);
    next = (set[index + 1] ?? 0) + 1;
  }
  if (next <= max) out.push(next, max);
  return out;
}

/** What of a class is at most `max`. */
export function upTo(set: CharClass, max: number): CharClass {
  if ((set.at(-1) ?? 0) <= max) return set;
  const out: number[] = [];
  for (let index = 0; index < set.length && (set[index] ?? 0) <= max; index += 2) out.push(set[index] ?? 0, Math.min(set[index + 1] ?? 0, max));
  return out;
}

export function contains(set: CharClass, character: number): boolean {
  let [low, high] = [0, set.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (character > (set[middle * 2 + 1] ?? 0)) low = middle + 1;
    else high = middle;
  }
  return low * 2 < set.length && (set[low * 2] ?? 0) <= character;
}
