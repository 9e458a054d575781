import { type CharClass, toClass } from "./char-class.ts";

/** A class and everything that differs from its characters in case only, as Unicode's simple case folding has it. */
export function folded(set: CharClass): CharClass {
  const out = [...set];
  for (let index = 0; index < set.length; index += 2) {
    const [first, last] = [set[index] ?? 0, set[index + 1] ?? 0];
    for (let character = first; character <= Math.min(last, LAST_CASED); character++) {
      for (const other of othersOf(character)) out.push(other, other);
    }
  }
  return toClass(out);
}

/** Nothing beyond has a case (Unicode 16: the letters of Adlam are the last). */
const LAST_CASED = 0x1e943;
const LAST_ASCII = 0x7f;
/** Beside the two cases of a letter: the Kelvin sign and the long s. */
const ASCII_OTHERS: Readonly<Record<string, number>> = { k: 0x212a, s: 0x17f };

function othersOf(character: number): readonly number[] {
  if (character <= LAST_ASCII) {
    const lower = String.fromCharCode(character).toLowerCase();
    if (lower < "a" || lower > "z") return [];
    const more = ASCII_OTHERS[lower];
    return [lower.charCodeAt(0), lower.toUpperCase().charCodeAt(0), ...(more === undefined ? [] : [more])];
  }
  return orbits().get(character) ?? [];
}

let known: ReadonlyMap<number, readonly number[]> | undefined;

/** Made when an expression first asks for more than ASCII: few do. A table of Unicode, which never changes. */
function orbits(): ReadonlyMap<number, readonly number[]> {
  if (known) return known;
  const byKey = new Map<number, number[]>();
  for (let character = 0x41; character <= LAST_CASED; character++) {
    const key = single(single(character, "toUpperCase"), "toLowerCase");
    // Turkish letters without a dot and with one are alone.
    if (character === 0x130 || character === 0x131) continue;
    const group = byKey.get(key);
    if (group) group.push(character);
    else byKey.set(key, [character]);
  }
  known = new Map([...byKey.values()].filter((group) => group.length > 1).flatMap((group) => group.map((character) => [character, group] as const)));
  return known;
}

/** The character in another case, or itself where that is several. */
function single(character: number, change: "toUpperCase" | "toLowerCase"): number {
  const text = String.fromCodePoint(character)[change]();
  const first = text.codePointAt(0) ?? character;
  return text.length === (first > 0xffff ? 2 : 1) ? first : character;
}
