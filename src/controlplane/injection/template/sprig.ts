import { allMatches, compileRegex, expandGo, groupText, type Regex } from "../../../base/regex/index.ts";
import { createHash } from "node:crypto";
import { dump } from "js-yaml";
import { equal, fail } from "./builtins.ts";
import { goText, GoStruct, isMap, jsonOf, truthy } from "./data.ts";
import type { Functions } from "./evaluate.ts";

/*
 * The functions of sprig (https://masterminds.github.io/sprig/) that manifests use. What makes keys, reads the network
 * or depends on the time is left out: two runs must give the same pod.
 */

const text = (value: unknown): string => (value === undefined || value === null ? "" : goText(value));
const number = (value: unknown): number => {
  if (typeof value === "boolean") return value ? 1 : 0;
  const parsed = Number(value ?? 0);
  return Number.isNaN(parsed) ? 0 : parsed;
};
const whole = (value: unknown): number => Math.trunc(number(value));
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined || value === null ? [] : fail("expected a list"));
const mapOf = (value: unknown): Record<string, unknown> =>
  isMap(value) ? value : value instanceof GoStruct ? { ...value.json } : value === undefined || value === null ? {} : fail("expected a dictionary");
const regex = (source: unknown): Regex => compileRegex(text(source), "go");
/** More than any manifest counts to. */
const MAX_COUNT = 10_000;

const STRINGS: Functions = {
  trim: (value) => text(value).trim(),
  trimAll: (cut, value) => trimmed(text(value), text(cut), true, true),
  trimPrefix: (prefix, value) => (text(value).startsWith(text(prefix)) ? text(value).slice(text(prefix).length) : text(value)),
  trimSuffix: (suffix, value) => (text(suffix) !== "" && text(value).endsWith(text(suffix)) ? text(value).slice(0, -text(suffix).length) : text(value)),
  upper: (value) => text(value).toUpperCase(),
  lower: (value) => text(value).toLowerCase(),
  title: (value) => text(value).replace(/\b\p{L}/gu, (letter) => letter.toUpperCase()),
  untitle: (value) => text(value).replace(/\b\p{L}/gu, (letter) => letter.toLowerCase()),
  repeat: (count, value) => text(value).repeat(Math.min(Math.max(whole(count), 0), MAX_COUNT)),
  substr: (from, to, value) => text(value).slice(Math.max(whole(from), 0), whole(to) < 0 ? undefined : whole(to)),
  trunc: (count, value) => (whole(count) < 0 ? text(value).slice(whole(count)) : text(value).slice(0, whole(count))),
  nospace: (value) => text(value).replaceAll(/\s/g, ""),
  hasPrefix: (prefix, value) => text(value).startsWith(text(prefix)),
  hasSuffix: (suffix, value) => text(value).endsWith(text(suffix)),
  quote: (...values) =>
    values
      .filter((value) => value !== undefined && value !== null)
      .map((value) => JSON.stringify(goText(value)))
      .join(" "),
  squote: (...values) =>
    values
      .filter((value) => value !== undefined && value !== null)
      .map((value) => `'${goText(value)}'`)
      .join(" "),
  cat: (...values) =>
    values
      .filter((value) => value !== undefined && value !== null)
      .map(goText)
      .join(" "),
  replace: (from, to, value) => text(value).replaceAll(text(from), text(to)),
  plural: (one, many, count) => (whole(count) === 1 ? one : many),
  nindent: (spaces, value) => `\n${indented(whole(spaces), text(value))}`,
  toString: text,
  toStrings: (value) => listOf(value).map(text),
  join: (separator, value) => listOf(value).map(text).join(text(separator)),
  splitList: (separator, value) => text(value).split(text(separator)),
  split: (separator, value) =>
    Object.fromEntries(
      text(value)
        .split(text(separator))
        .map((part, index) => [`_${index}`, part]),
    ),
  splitn: (separator, count, value) => Object.fromEntries(splitAt(text(value), text(separator), whole(count)).map((part, index) => [`_${index}`, part])),
  snakecase: (value) => words(text(value)).join("_").toLowerCase(),
  kebabcase: (value) => words(text(value)).join("-").toLowerCase(),
  camelcase: (value) =>
    words(text(value))
      .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
      .join(""),
  b64enc: (value) => Buffer.from(text(value)).toString("base64"),
  b64dec: (value) => Buffer.from(text(value), "base64").toString("utf8"),
  sha1sum: (value) => createHash("sha1").update(text(value)).digest("hex"),
  sha256sum: (value) => createHash("sha256").update(text(value)).digest("hex"),
  regexMatch: (pattern, value) => regex(pattern).found(text(value)),
  regexFind: (pattern, value) => found(regex(pattern), text(value))[0] ?? "",
  regexFindAll: (pattern, value, count) => found(regex(pattern), text(value)).slice(0, whole(count) < 0 ? undefined : whole(count)),
  regexReplaceAll: (pattern, value, replacement) => replaced(regex(pattern), text(value), text(replacement)),
  regexReplaceAllLiteral: (pattern, value, replacement) => replaced(regex(pattern), text(value), text(replacement).replaceAll("$", "$$$$")),
  regexSplit: (pattern, value, count) => split(regex(pattern), text(value), whole(count)),
};

const NUMBERS: Functions = {
  int: whole,
  int64: whole,
  float64: number,
  atoi: (value) => (/^[-+]?\d+$/.test(text(value)) ? Number(value) : 0),
  add: (...values) => values.reduce<number>((sum, value) => sum + whole(value), 0),
  add1: (value) => whole(value) + 1,
  sub: (a, b) => whole(a) - whole(b),
  mul: (...values) => values.reduce<number>((product, value) => product * whole(value), 1),
  div: (a, b) => (whole(b) === 0 ? fail("integer divide by zero") : Math.trunc(whole(a) / whole(b))),
  mod: (a, b) => (whole(b) === 0 ? fail("integer divide by zero") : whole(a) % whole(b)),
  max: (...values) => Math.max(...values.map(whole)),
  min: (...values) => Math.min(...values.map(whole)),
  ceil: (value) => Math.ceil(number(value)),
  floor: (value) => Math.floor(number(value)),
  round: (value, digits) => Math.round(number(value) * 10 ** whole(digits)) / 10 ** whole(digits),
  until: (count) => range(0, whole(count), whole(count) < 0 ? -1 : 1),
  untilStep: (from, to, step) => range(whole(from), whole(to), whole(step)),
};

const VALUES: Functions = {
  default: (fallback, value) => (truthy(value) ? value : fallback),
  empty: (value) => !truthy(value),
  coalesce: (...values) => values.find(truthy),
  ternary: (yes, no, condition) => (truthy(condition) ? yes : no),
  all: (...values) => values.every(truthy),
  any: (...values) => values.some(truthy),
  fail: (message) => fail(text(message)),
  kindOf: kind,
  kindIs: (wanted, value) => kind(value) === wanted,
  typeOf: kind,
  typeIs: (wanted, value) => kind(value) === wanted,
  deepEqual: (a, b) => Bun.deepEquals(jsonOf(a), jsonOf(b)),
  deepCopy: (value) => structuredClone(jsonOf(value)),
  toJson: (value) => JSON.stringify(sorted(jsonOf(value) ?? null)),
  toRawJson: (value) => JSON.stringify(sorted(jsonOf(value) ?? null)),
  toPrettyJson: (value) => JSON.stringify(sorted(jsonOf(value) ?? null), null, 2),
  fromJson: (value) => JSON.parse(text(value)) as unknown,
};

const COLLECTIONS: Functions = {
  list: (...values) => values,
  tuple: (...values) => values,
  first: (value) => listOf(value)[0],
  last: (value) => listOf(value).at(-1),
  rest: (value) => listOf(value).slice(1),
  initial: (value) => listOf(value).slice(0, -1),
  append: (value, item) => [...listOf(value), item],
  push: (value, item) => [...listOf(value), item],
  prepend: (value, item) => [item, ...listOf(value)],
  concat: (...values) => values.flatMap(listOf),
  reverse: (value) => listOf(value).toReversed(),
  uniq: (value) => listOf(value).filter((item, index, all) => all.findIndex((other) => Bun.deepEquals(other, item)) === index),
  without: (value, ...items) => listOf(value).filter((item) => !items.some((other) => Bun.deepEquals(other, item))),
  has: (item, value) => listOf(value).some((other) => typeof other === typeof item && equal(other, item)),
  compact: (value) => listOf(value).filter(truthy),
  sortAlpha: (value) => listOf(value).map(text).sort(),
  dict: (...pairs) =>
    Object.fromEntries(
      Array.from({ length: Math.ceil(pairs.length / 2) }, (_, index) => [text(pairs[index * 2]), index * 2 + 1 < pairs.length ? pairs[index * 2 + 1] : ""]),
    ),
  get: (map, key) => mapOf(map)[text(key)] ?? "",
  // These change the map that they are given, as sprig's do.
  set: (map, key, value) => Object.assign(mapOf(map), { [text(key)]: value }),
  unset: (map, key) => {
    delete mapOf(map)[text(key)];
    return map;
  },
  merge: (target, ...sources) => sources.reduce<Record<string, unknown>>((into, source) => merged(into, mapOf(source), false), mapOf(target)),
  mergeOverwrite: (target, ...sources) => sources.reduce<Record<string, unknown>>((into, source) => merged(into, mapOf(source), true), mapOf(target)),
  hasKey: (map, key) => Object.hasOwn(mapOf(map), text(key)),
  keys: (...maps) => maps.flatMap((map) => Object.keys(mapOf(map))),
  values: (map) => Object.values(mapOf(map)),
  pluck: (key, ...maps) => maps.flatMap((map) => (Object.hasOwn(mapOf(map), text(key)) ? [mapOf(map)[text(key)]] : [])),
  pick: (map, ...keys) => Object.fromEntries(Object.entries(mapOf(map)).filter(([key]) => keys.includes(key))),
  dig: (...args) => {
    const [map, fallback] = [args.at(-1), args.at(-2)];
    return args.slice(0, -2).reduce<unknown>((value, key) => (isMap(value) ? value[text(key)] : undefined), map) ?? fallback;
  },
};

export const SPRIG: Functions = withMust({ ...STRINGS, ...NUMBERS, ...VALUES, ...COLLECTIONS });

/** Most functions exist a second time, to fail where the first ones shrug; here all of them fail. */
function withMust(functions: Functions): Functions {
  const must = Object.entries(functions).map(([name, call]) => [`must${name.slice(0, 1).toUpperCase()}${name.slice(1)}`, call] as const);
  return { ...Object.fromEntries(must), ...functions };
}

/** As sigs.k8s.io/yaml writes it: keys in order, lists not indented. */
export function yamlText(value: unknown): string {
  return dump(jsonOf(value) ?? null, { sortKeys: true, lineWidth: -1, seqNoIndent: true, noRefs: true });
}

export function indented(spaces: number, value: string): string {
  const pad = " ".repeat(Math.min(Math.max(spaces, 0), MAX_COUNT));
  return pad + value.replaceAll("\n", `\n${pad}`);
}

function trimmed(value: string, cut: string, start: boolean, end: boolean): string {
  let [from, to] = [0, value.length];
  while (start && from < to && cut.includes(value[from] ?? "")) from++;
  while (end && to > from && cut.includes(value[to - 1] ?? "")) to--;
  return value.slice(from, to);
}

function splitAt(value: string, separator: string, count: number): string[] {
  const parts = value.split(separator);
  return count > 0 && parts.length > count ? [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)] : parts;
}

function words(value: string): string[] {
  return value
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

function range(from: number, to: number, step: number): number[] {
  if (step === 0 || (to - from) / step < 0) return [];
  return Array.from({ length: Math.min(Math.ceil((to - from) / step), MAX_COUNT) }, (_, index) => from + index * step);
}

function kind(value: unknown): string {
  if (value === undefined || value === null) return "invalid";
  if (Array.isArray(value)) return "slice";
  if (value instanceof GoStruct) return "struct";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  return typeof value === "boolean" ? "bool" : typeof value === "string" ? "string" : "map";
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

function merged(into: Record<string, unknown>, from: Record<string, unknown>, overwrite: boolean): Record<string, unknown> {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key];
    if (isMap(old) && isMap(value)) merged(old, value, overwrite);
    else if (overwrite || !truthy(old)) into[key] = value;
  }
  return into;
}

function found(pattern: Regex, value: string): string[] {
  return allMatches(pattern, value).map((match) => groupText(value, match, 0));
}

function replaced(pattern: Regex, value: string, template: string): string {
  let out = "";
  let at = 0;
  for (const match of allMatches(pattern, value)) {
    const group = (name: string): string =>
      groupText(value, match, /^\d+$/.test(name) ? Number(name) : pattern.names.lastIndexOf(name) + 1 || Number.POSITIVE_INFINITY);
    out += value.slice(at, match[0]) + expandGo(template, group);
    at = match[1] ?? at;
  }
  return out + value.slice(at);
}

/** Go's Split: the last of `count` parts is all the rest. */
function split(pattern: Regex, value: string, count: number): string[] {
  if (count === 0) return [];
  if (value === "") return [""];
  const out: string[] = [];
  let [from, to] = [0, 0];
  for (const match of allMatches(pattern, value)) {
    if (count > 0 && out.length === count - 1) break;
    to = match[0] ?? 0;
    if (match[1] !== 0) out.push(value.slice(from, to));
    from = match[1] ?? 0;
  }
  return to === value.length ? out : [...out, value.slice(from)];
}
