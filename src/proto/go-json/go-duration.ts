const UNITS = new Set(["ns", "us", "µs", "μs", "ms", "s", "m", "h"]);

/** As Go's package of times quotes: what is not plain is told by its bytes. */
function quoted(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) =>
    byte === 0x22 || byte === 0x5c
      ? `\\${String.fromCharCode(byte)}`
      : byte < 0x20 || byte >= 0x80
        ? `\\x${byte.toString(16).padStart(2, "0")}`
        : String.fromCharCode(byte),
  );
  return `"${bytes.join("")}"`;
}

/** What Go says of a text that is no duration; undefined of one that is. */
export function durationProblem(text: string): string | undefined {
  const invalid = `time: invalid duration ${quoted(text)}`;
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return undefined;
  if (rest === "") return invalid;
  while (rest !== "") {
    const [amount = ""] = /^\d*(?:\.\d*)?/.exec(rest) ?? [];
    if (!/\d/.test(amount)) return invalid;
    rest = rest.slice(amount.length);
    const [unit = ""] = /^[^.\d]*/.exec(rest) ?? [];
    if (unit === "") return `time: missing unit in duration ${quoted(text)}`;
    if (!UNITS.has(unit)) return `time: unknown unit ${quoted(unit)} in duration ${quoted(text)}`;
    rest = rest.slice(unit.length);
  }
  return undefined;
}
