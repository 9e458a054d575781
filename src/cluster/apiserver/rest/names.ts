/** Names an object as it is told: bytes of randomness in, for tests to fix. */
export type RandomBytes = (count: number) => Uint8Array;

/** No vowels (no words), nothing that looks like another. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH = 5;
/** A name made from a prefix stays a DNS label. */
const MAX_GENERATED_BASE = 63 - SUFFIX_LENGTH;

export function randomSuffix(random: RandomBytes): string {
  return Array.from(random(SUFFIX_LENGTH), (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

export function generateName(prefix: string, random: RandomBytes): string {
  return prefix.slice(0, MAX_GENERATED_BASE) + randomSuffix(random);
}
