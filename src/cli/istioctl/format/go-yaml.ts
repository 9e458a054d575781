/**
 * YAML as Go's yaml.v2 writes a JSON value: sorted keys with numbers in them by value, sequences not indented, quotes where
 * the plain text would read as something else. `istioctl … -o yaml` goes through it. With a `width`, texts are broken at
 * the first single space past that column; without one, as most commands have it, never.
 */
export function goYaml(value: unknown, width = Number.POSITIVE_INFINITY): string {
  return folded(`${emit(value, 0, false)}\n`.replace(/^\n/, ""), width);
}

/** Stands in a text for a space at which it may be broken, with the indentation of what follows; no text can hold it. */
const FOLD = "\0";

function foldable(text: string, indent: number): string {
  return text.replace(/(?<=[^ ]) (?=[^ ])/g, `${FOLD}${indent + 2};`);
}

function folded(text: string, width: number): string {
  let out = "";
  let column = 0;
  for (const part of text.split(/(\0\d+;)/)) {
    if (!part.startsWith(FOLD)) {
      const end = part.lastIndexOf("\n");
      column = end < 0 ? column + part.length : part.length - end - 1;
      out += part;
    } else if (column > width) {
      column = Number(part.slice(FOLD.length, -1));
      out += `\n${" ".repeat(column)}`;
    } else {
      column++;
      out += " ";
    }
  }
  return out;
}

/** Block text of a value at an indentation; starts with a line break unless it fits behind a key or dash. */
function emit(value: unknown, indent: number, inSequence: boolean): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const pad = " ".repeat(indent);
    return value.map((item, index) => `${index === 0 && inSequence ? "" : `\n${pad}`}- ${nested(item, indent + 2)}`).join("");
  }
  if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value).sort(compareKeys);
    if (keys.length === 0) return "{}";
    const pad = " ".repeat(indent);
    return keys
      .map((key, index) => {
        const child = (value as Record<string, unknown>)[key];
        const lead = index === 0 && inSequence ? "" : `\n${pad}`;
        return `${lead}${scalarText(key, 0, true)}:${underKey(child, indent)}`;
      })
      .join("");
  }
  return scalar(value, indent);
}

/** Behind a dash: collections begin on the same line. */
function nested(value: unknown, indent: number): string {
  return typeof value === "object" && value !== null ? emit(value, indent, true) : scalar(value, indent - 2);
}

function underKey(value: unknown, indent: number): string {
  if (typeof value !== "object" || value === null) return ` ${scalar(value, indent)}`;
  // A sequence stands at the indentation of its key.
  const text = emit(value, Array.isArray(value) ? indent : indent + 2, false);
  return text.startsWith("\n") ? text : ` ${text}`;
}

function scalar(value: unknown, indent: number): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return scalarText(value, indent, false);
  if (typeof value === "number" && !Number.isInteger(value)) return goFloat(value);
  return String(value);
}

/** strconv's 'g' format. */
function goFloat(value: number): string {
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

function scalarText(text: string, indent: number, isKey: boolean): string {
  const { plain, single, block } = analyse(text);
  if (text.includes("\n") && block && !isKey) return literal(text, indent);
  if (!text.includes("\n") && !resolvesToOther(text)) {
    const written = plain ? text : single ? `'${text.replaceAll("'", "''")}'` : undefined;
    // Keys stand on one line.
    if (written !== undefined) return isKey ? written : foldable(written, indent);
  }
  return isKey ? doubleQuoted(text) : foldable(doubleQuoted(text), indent);
}

function literal(text: string, indent: number): string {
  const pad = " ".repeat(indent + 2);
  const hint = /^[ \n]/.test(text) ? "2" : "";
  const chomp = text.endsWith("\n") ? (text.endsWith("\n\n") || text === "\n" ? "+" : "") : "-";
  const body = text.endsWith("\n") ? text.slice(0, -1) : text;
  return `|${hint}${chomp}${body
    .split("\n")
    .map((line) => (line === "" ? "\n" : `\n${pad}${line}`))
    .join("")}`;
}

const ESCAPES: Record<string, string> = {
  "\0": "\\0",
  "\x07": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
  "\x1b": "\\e",
  '"': '\\"',
  "\\": "\\\\",
  "\u0085": "\\N",
  "\u00a0": "\\_",
  "\u2028": "\\L",
  "\u2029": "\\P",
};

function doubleQuoted(text: string): string {
  let out = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const escape = ESCAPES[character];
    if (escape) out += escape;
    else if (isPrintable(code)) out += character;
    else out += code <= 0xff ? `\\x${hex(code, 2)}` : code <= 0xffff ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  }
  return `"${out}"`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, "0");
}

function isPrintable(code: number): boolean {
  return (
    code === 0x0a ||
    (code >= 0x20 && code <= 0x7e) ||
    (code >= 0xa1 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd && code !== 0xfeff) ||
    code >= 0x10000
  );
}

/** Which styles a scalar allows, by libyaml's analysis. */
function analyse(text: string): { plain: boolean; single: boolean; block: boolean } {
  if (text === "") return { plain: true, single: true, block: false };
  const characters = [...text];
  let indicators = text.startsWith("---") || text.startsWith("...");
  let special = false;
  let breakSpace = false;
  let spaceBreak = false;
  let lineBreaks = false;
  const isBlank = (character: string | undefined): boolean => character === undefined || character === " " || character === "\t" || character === "\n";
  characters.forEach((character, index) => {
    const previous = characters[index - 1];
    const blankAfter = isBlank(characters[index + 1]);
    if (index === 0) {
      if ("#,[]{}&*!|>'\"%@`".includes(character)) indicators = true;
      if ((character === "?" || character === ":" || character === "-") && blankAfter) indicators = true;
    } else if ((character === ":" && blankAfter) || (character === "#" && isBlank(previous))) indicators = true;
    if (!isPrintable(character.codePointAt(0) ?? 0)) special = true;
    if (character === "\n") lineBreaks = true;
    if (character === " " && previous === "\n") breakSpace = true;
    if (character === "\n" && previous === " ") spaceBreak = true;
  });
  const last = characters.at(-1);
  const edge = isBlank(characters[0]) || isBlank(last);
  const broken = spaceBreak || special;
  return { plain: !edge && !breakSpace && !broken && !lineBreaks && !indicators, single: !breakSpace && !broken, block: last !== " " && !broken };
}

const WORDS = new Set(
  ["", "~", "null", "Null", "NULL", "<<", ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"].concat([
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "true",
    "True",
    "TRUE",
    "on",
    "On",
    "ON",
    "n",
    "N",
    "no",
    "No",
    "NO",
    "false",
    "False",
    "FALSE",
    "off",
    "Off",
    "OFF",
  ]),
);

/** Whether a YAML 1.1 reader would take the plain text for something else than a string. */
function resolvesToOther(text: string): boolean {
  if (WORDS.has(text)) return true;
  if (!/^[-+.0-9]/.test(text)) return false;
  const digits = text.replaceAll("_", "");
  if (/^[-+]?(0[bB][01]+|0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|[1-9]\d*)$/.test(digits)) return true;
  if (/^[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?$/.test(digits) || /^[-+]?[0-9]+\.([eE][-+]?[0-9]+)?$/.test(digits)) return true;
  if (/^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$/.test(text)) return true;
  return isTimestamp(text);
}

/** The forms that yaml.v2 reads as times. */
function isTimestamp(text: string): boolean {
  const match = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt ](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?(?:Z|[-+]\d{2}:\d{2})?)?$/.exec(text);
  if (!match) return false;
  const [, , month, day, hour = "0", minute = "0", second = "0"] = match.map(Number);
  return Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= 31 && Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
}

/** yaml.v2's order of keys: letters after other characters, runs of digits by their number. */
function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  return lessKey([...a], [...b]) ? -1 : 1;
}

function lessKey(a: readonly string[], b: readonly string[]): boolean {
  let digits = false;
  for (let at = 0; at < a.length && at < b.length; at++) {
    const [x = "", y = ""] = [a[at], b[at]];
    if (x === y) {
      digits = isDigit(x);
      continue;
    }
    const [xLetter, yLetter] = [isLetter(x), isLetter(y)];
    if (xLetter && yLetter) return x < y;
    if (xLetter || yLetter) return digits ? xLetter : yLetter;
    const leadingZeros = (x === "0" || y === "0") && precededByNonZero(a, at);
    const [xNumber, xEnd] = readNumber(a, at, leadingZeros);
    const [yNumber, yEnd] = readNumber(b, at, leadingZeros);
    if (xNumber !== yNumber) return xNumber < yNumber;
    if (xEnd !== yEnd) return xEnd < yEnd;
    return x < y;
  }
  return a.length < b.length;
}

function precededByNonZero(characters: readonly string[], at: number): boolean {
  for (let index = at - 1; index >= 0 && isDigit(characters[index] ?? ""); index--) if (characters[index] !== "0") return true;
  return false;
}

function readNumber(characters: readonly string[], at: number, carry: boolean): [number: number, end: number] {
  let value = carry ? 1 : 0;
  let end = at;
  for (; end < characters.length && isDigit(characters[end] ?? ""); end++) value = value * 10 + Number(characters[end]);
  return [value, end];
}

function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}

function isLetter(character: string): boolean {
  return /\p{L}/u.test(character);
}
