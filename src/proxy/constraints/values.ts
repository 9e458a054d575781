import type { Duration } from "@bufbuild/protobuf/wkt";
import type { DurationRules, FieldRules, NumberRules, TextRules } from "./rules.ts";

/** What is wrong with a single value, in protoc-gen-validate's words. */
export function valueProblem(value: unknown, rules: FieldRules): string | undefined {
  switch (typeof value) {
    case "string":
      return rules.string && textProblem(value, rules.string);
    case "number":
    case "bigint": {
      if (rules.enum) return enumProblem(Number(value), rules.enum);
      const bounds = rules.uint32 ?? rules.uint64 ?? rules.int32 ?? rules.int64 ?? rules.double ?? rules.float;
      return bounds && rangeProblem(Number(value), bounds, Number, String);
    }
    case "boolean":
      return rules.bool?.const !== undefined && value !== rules.bool.const ? `value must equal ${rules.bool.const}` : undefined;
    case "object":
      if (value instanceof Uint8Array) return rules.bytes && lengthProblem(value.length, rules.bytes, "bytes");
      return rules.duration && rangeProblem(secondsOf(value as Duration), rules.duration, Number.parseFloat, String);
    default:
      return undefined;
  }
}

function textProblem(text: string, rules: TextRules): string | undefined {
  if (rules.ignore_empty && text === "") return undefined;
  const length = lengthProblem([...text].length, rules, "characters");
  if (length !== undefined) return length;
  if (rules.max_bytes !== undefined && Buffer.byteLength(text) > Number(rules.max_bytes)) return `value length must be at most ${rules.max_bytes} bytes`;
  if (rules.in && !rules.in.includes(text)) return `value must be in list [${rules.in.join(" ")}]`;
  // The patterns are the API's own.
  const pattern =
    rules.well_known_regex === undefined ? rules.pattern && new RegExp(rules.pattern, "u") : rules.strict === false ? LOOSE : STRICT[rules.well_known_regex];
  return pattern && !pattern.test(text) ? `value does not match regex pattern ${JSON.stringify(pattern.source)}` : undefined;
}

// oxlint-disable-next-line no-control-regex
const LOOSE = /^[^\u0000\u000a\u000d]*$/;
const STRICT = {
  HTTP_HEADER_NAME: /^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$/,
  // oxlint-disable-next-line no-control-regex
  HTTP_HEADER_VALUE: /^[^\u0000-\u0008\u000a-\u001f\u007f]*$/,
};

function lengthProblem(length: number, { min_len, max_len }: { readonly min_len?: string; readonly max_len?: string }, unit: string): string | undefined {
  if (min_len !== undefined && length < Number(min_len)) return `value length must be at least ${min_len} ${unit}`;
  return max_len !== undefined && length > Number(max_len) ? `value length must be at most ${max_len} ${unit}` : undefined;
}

function enumProblem(value: number, { defined_only, not_in }: NonNullable<FieldRules["enum"]>): string | undefined {
  if (defined_only && !defined_only.includes(value)) return "value must be one of the defined enum values";
  return not_in?.includes(value) ? `value must not be in list [${not_in.join(" ")}]` : undefined;
}

/** `number` reads a bound; `text` shows it. A value that is no number fits nothing. */
function rangeProblem<T extends NumberRules | DurationRules>(
  value: number,
  rules: T,
  number: (bound: string) => number,
  text: (bound: unknown) => string,
): string | undefined {
  const bound = (name: "lt" | "lte" | "gt" | "gte"): number | undefined => (rules[name] === undefined ? undefined : number(String(rules[name])));
  const [lt, lte, gt, gte] = [bound("lt"), bound("lte"), bound("gt"), bound("gte")];
  const low = (gt === undefined || value > gt) && (gte === undefined || value >= gte);
  const high = (lt === undefined || value < lt) && (lte === undefined || value <= lte);
  if (low && high) return undefined;
  const from = gt === undefined ? (gte === undefined ? undefined : `[${text(rules.gte)}`) : `(${text(rules.gt)}`;
  const to = lt === undefined ? (lte === undefined ? undefined : `${text(rules.lte)}]`) : `${text(rules.lt)})`;
  if (from !== undefined && to !== undefined) return `value must be inside range ${from}, ${to}`;
  if (from !== undefined) return `value must be greater than ${gt === undefined ? "or equal to " : ""}${text(rules.gt ?? rules.gte)}`;
  return `value must be less than ${lt === undefined ? "or equal to " : ""}${text(rules.lt ?? rules.lte)}`;
}

function secondsOf({ seconds, nanos }: Duration): number {
  return Number(seconds) + nanos / 1e9;
}
