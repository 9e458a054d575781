import { type CharClass, MAX_CODE_POINT, toClass } from "./char-class.ts";

const WORD: CharClass = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
const DIGIT: CharClass = [0x30, 0x39];

/** Perl's: `\d`, `\s`, `\w`, of ASCII only. */
export const PERL_CLASSES: Readonly<Record<string, CharClass>> = { d: DIGIT, s: [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20], w: WORD };

/** POSIX's, within brackets: `[[:alpha:]]`. */
export const POSIX_CLASSES: Readonly<Record<string, CharClass>> = {
  alnum: [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a],
  alpha: [0x41, 0x5a, 0x61, 0x7a],
  ascii: [0x00, 0x7f],
  blank: [0x09, 0x09, 0x20, 0x20],
  cntrl: [0x00, 0x1f, 0x7f, 0x7f],
  digit: DIGIT,
  graph: [0x21, 0x7e],
  lower: [0x61, 0x7a],
  print: [0x20, 0x7e],
  punct: [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e],
  space: [0x09, 0x0d, 0x20, 0x20],
  upper: [0x41, 0x5a],
  word: WORD,
  xdigit: [0x30, 0x39, 0x41, 0x46, 0x61, 0x66],
};

/** General categories, whose names have one or two letters. RE2 knows no groups of them but the first letters. */
const CATEGORY = /^(?:C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/;
/** How scripts are written; whether there is one of that name, the table of Unicode in the runtime knows. */
const SCRIPT = /^[A-Z][a-z]+(?:_[A-Z]?[a-z]+)*$/;

/**
 * A category, a script, or `Any`; undefined for none. Go has more: other names, in any spelling
 * (https://pkg.go.dev/regexp/syntax, since 1.25).
 */
export function unicodeClass(name: string, dialect: "re2" | "go"): CharClass | undefined {
  if (name === "Any") return [0, MAX_CODE_POINT];
  if (dialect === "re2") return CATEGORY.test(name) ? property(name) : SCRIPT.test(name) ? property(`Script=${name}`) : undefined;
  const plain = name.replaceAll(/[ _-]/g, "").toLowerCase();
  if (plain === "any") return [0, MAX_CODE_POINT];
  if (plain === "ascii") return [0, 0x7f];
  if (plain === "assigned") return property("Assigned");
  const spellings = [capitalized(name), capitalized(plain), plain.toUpperCase(), ...scriptSpellings(name)];
  for (const each of spellings) {
    const found = property(each) ?? property(`Script=${each}`);
    if (found) return found;
  }
  return undefined;
}

/** `old_italic` is `Old_Italic` in Unicode. */
function scriptSpellings(name: string): string[] {
  return [name.split(/[ _-]/).map(capitalized).join("_")];
}

function capitalized(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1).toLowerCase();
}

const computed = new Map<string, CharClass | undefined>();

/** The characters of a property: the runtime's own table of Unicode, read once for each that somebody names. */
function property(name: string): CharClass | undefined {
  if (computed.has(name)) return computed.get(name);
  const found = characters(name);
  computed.set(name, found);
  return found;
}

/** So many characters are looked at together: a text of all of Unicode at once would take megabytes. */
const BLOCK = 0x4000;

function characters(name: string): CharClass | undefined {
  let runs: RegExp;
  try {
    runs = new RegExp(`\\p{${name}}+`, "gu");
  } catch {
    // No such property.
    return undefined;
  }
  const ranges: number[] = [];
  for (let from = 0; from <= MAX_CODE_POINT; from += BLOCK) {
    // Halves of pairs are no characters.
    const block: number[] = [];
    for (let character = from; character < from + BLOCK && character <= MAX_CODE_POINT; character++)
      if (character < 0xd800 || character > 0xdfff) block.push(character);
    const text = String.fromCodePoint(...block);
    for (const match of text.matchAll(runs)) {
      for (const letter of match[0]) {
        const character = letter.codePointAt(0) ?? 0;
        const end = ranges.length - 1;
        if (ranges[end] === character - 1) ranges[end] = character;
        else ranges.push(character, character);
      }
    }
  }
  return toClass(ranges);
}
