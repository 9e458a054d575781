import { GoStruct, goText, isMap, truthy } from "./data.ts";
import type { Functions } from "./evaluate.ts";
import { TemplateError } from "./template-error.ts";

/** The functions of Go's text/template itself; and, or are the evaluator's. */
export const BUILTINS: Functions = {
  not: (value) => !truthy(value),
  eq: (first, ...others) => others.some((other) => equal(first, other)),
  ne: (a, b) => !equal(a, b),
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  len: (value) => lengthOf(value),
  index: (value, ...keys) => keys.reduce(indexed, value),
  slice: (value, from = 0, to = undefined) =>
    typeof value === "string" || Array.isArray(value) ? value.slice(Number(from), to === undefined ? undefined : Number(to)) : fail("can't slice that"),
  print: (...args) => args.map(goText).join(""),
  println: (...args) => `${args.map(goText).join(" ")}\n`,
  printf: (format, ...args) => printf(String(format), args),
  html: (...args) =>
    args
      .map(goText)
      .join("")
      .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`),
  urlquery: (...args) => encodeURIComponent(args.map(goText).join("")).replaceAll("%20", "+"),
};

export function fail(message: string): never {
  throw new TemplateError(message);
}

export function equal(a: unknown, b: unknown): boolean {
  if (a === null || a === undefined || b === null || b === undefined) return (a ?? undefined) === (b ?? undefined);
  // A number's text and the number are different kinds to Go.
  if (typeof a !== typeof b) return fail("incompatible types for comparison");
  return a === b || Bun.deepEquals(a, b);
}

function compare(a: unknown, b: unknown): number {
  if (typeof a !== typeof b || (typeof a !== "number" && typeof a !== "string")) return fail("incompatible types for comparison");
  return (a as string) < (b as string) ? -1 : a === b ? 0 : 1;
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isMap(value)) return Object.keys(value).length;
  return value === undefined || value === null ? 0 : fail("len of a value that has no length");
}

/** A key that a map of texts lacks gives "" as in Go, where it is the type's zero. */
function indexed(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    const at = Number(key);
    return at >= 0 && at < value.length ? value[at] : fail(`index out of range: ${at}`);
  }
  if (value === undefined || value === null) return "";
  if (value instanceof GoStruct) return value.get(String(key));
  if (!isMap(value)) return fail("can't index that");
  if (Object.hasOwn(value, String(key))) return value[String(key)];
  return Object.values(value).every((item) => typeof item === "string") ? "" : undefined;
}

/** The verbs that manifests use: %s %v %d %t %q %x %f %g %%, with flags and widths. */
export function printf(format: string, args: readonly unknown[]): string {
  let next = 0;
  const text = format.replace(
    /%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (_, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === "%") return "%";
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const shown = verbText(verb, args[next++], precision === undefined ? undefined : Number(precision), flags);
      const wide = Number(width ?? 0);
      if (flags.includes("-")) return shown.padEnd(wide);
      return flags.includes("0") && verb !== "s" ? shown.padStart(wide, "0") : shown.padStart(wide);
    },
  );
  return next < args.length
    ? `${text}%!(EXTRA ${args
        .slice(next)
        .map((extra) => `${goType(extra)}=${goText(extra)}`)
        .join(", ")})`
    : text;
}

function verbText(verb: string, value: unknown, precision: number | undefined, flags: string): string {
  switch (verb) {
    case "s":
    case "v":
      return precision === undefined ? goText(value) : goText(value).slice(0, precision);
    case "d":
      return typeof value === "number" || typeof value === "bigint"
        ? `${flags.includes("+") && value >= 0 ? "+" : ""}${value}`
        : `%!d(${goType(value)}=${goText(value)})`;
    case "t":
      return typeof value === "boolean" ? String(value) : `%!t(${goType(value)}=${goText(value)})`;
    case "q":
      return JSON.stringify(goText(value));
    case "x":
      return typeof value === "number" ? value.toString(16) : Buffer.from(goText(value)).toString("hex");
    case "f":
      return Number(value).toFixed(precision ?? 6);
    case "g":
      return String(Number(value));
    default:
      return `%!${verb}(${goType(value)}=${goText(value)})`;
  }
}

function goType(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  return typeof value === "boolean" ? "bool" : typeof value;
}
