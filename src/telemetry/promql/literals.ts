import { PromqlError } from "./promql-error.ts";

const UNIT_SECONDS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_536_000 };
/** Each unit once, from large to small. */
const DURATION = /^(?:(\d+)(y))?(?:(\d+)(w))?(?:(\d+)(d))?(?:(\d+)(h))?(?:(\d+)(m))?(?:(\d+)(s))?(?:(\d+)(ms))?$/;

/** `1.5`, `0x1f`, `Inf`, `NaN`, or a duration such as `1h30m`, in seconds. Throws PromqlError. */
export function numberOrDuration(text: string): number {
  const parts = text === "" ? null : DURATION.exec(text);
  if (parts) {
    let seconds = 0;
    for (let i = 1; i < parts.length; i += 2) if (parts[i] !== undefined) seconds += Number(parts[i]) * UNIT_SECONDS[parts[i + 1]!]!;
    return seconds;
  }
  const [, sign, size = ""] = /^([+-]?)(.*)$/s.exec(text)!;
  const factor = sign === "-" ? -1 : 1;
  if (/^inf$/i.test(size)) return factor * Infinity;
  if (/^nan$/i.test(size)) return NaN;
  const value = Number(size.replaceAll("_", ""));
  if (size.trim() === "" || Number.isNaN(value)) throw new PromqlError(`not a valid duration string: ${JSON.stringify(text)}`);
  return factor * value;
}

const ESCAPES: Record<string, string> = { a: "\u0007", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "\\": "\\" };

/** The text of a quoted string; escapes are Go's. Throws PromqlError. */
export function unquote(text: string): string {
  const quote = text[0]!;
  if (text.length < 2 || !text.endsWith(quote)) throw new PromqlError("unterminated quoted string");
  const inner = text.slice(1, -1);
  if (quote === "`" || !inner.includes("\\")) return inner;
  return inner.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gsu,
    (_, hex?: string, short?: string, long?: string, octal?: string, char?: string) => {
      const digits = hex ?? short ?? long;
      if (digits !== undefined || octal !== undefined) {
        const code = digits !== undefined ? Number.parseInt(digits, 16) : Number.parseInt(octal!, 8);
        if (code > 0x10ffff) throw new PromqlError("escape sequence is an invalid Unicode code point");
        return String.fromCodePoint(code);
      }
      const known = char === quote ? quote : ESCAPES[char!];
      if (known === undefined)
        throw new PromqlError(`unknown escape sequence U+${char!.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")} '${char}'`);
      return known;
    },
  );
}
