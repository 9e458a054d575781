/**
 * Go's sort.Slice up to twelve elements, an insertion sort: with an order that does not compare everything (istioctl has
 * such) its result depends on the algorithm. Longer lists, which Go sorts in other ways, are sorted stably.
 */
export function goSort<T>(items: readonly T[], less: (a: T, b: T) => boolean): T[] {
  if (items.length > INSERTION_LIMIT) return items.toSorted((a, b) => (less(a, b) ? -1 : less(b, a) ? 1 : 0));
  const out = [...items];
  for (let at = 1; at < out.length; at++) {
    for (let index = at; index > 0 && less(out[index] as T, out[index - 1] as T); index--) {
      [out[index - 1], out[index]] = [out[index] as T, out[index - 1] as T];
    }
  }
  return out;
}

const INSERTION_LIMIT = 12;
