/** The life of an object that is written over and over: made, changed twice, removed. What it is tells how far it came. */

export const NAMESPACE = "durability";
/** Enough that several writes are always under way at once. */
export const WORKERS = 8;

/** Step 0 is before the first; each fourth step removes the object. */
export function isAbsent(step: number): boolean {
  return step % 4 === 0;
}
