/** field.Error as Kubernetes writes it. https://github.com/kubernetes/apimachinery/blob/master/pkg/util/validation/field/errors.go */
import type { FieldError } from "../types.ts";

export function required(field: string, detail = ""): FieldError {
  return { type: "FieldValueRequired", field, message: withDetail("Required value", detail) };
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { type: "FieldValueInvalid", field, message: withDetail(`Invalid value: ${quote(value)}`, detail) };
}

export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  return { type: "FieldValueNotSupported", field, message: `Unsupported value: ${quote(value)}: supported values: ${supported.map(quote).join(", ")}` };
}

export function forbidden(field: string, detail: string): FieldError {
  return { type: "FieldValueForbidden", field, message: `Forbidden: ${detail}` };
}

export function duplicate(field: string, value: unknown): FieldError {
  return { type: "FieldValueDuplicate", field, message: `Duplicate value: ${quote(value)}` };
}

export function notFound(field: string, value: unknown): FieldError {
  return { type: "FieldValueNotFound", field, message: `Not found: ${quote(value)}` };
}

export function tooLong(field: string, limit: number): FieldError {
  return { type: "FieldValueTooLong", field, message: `Too long: may not be more than ${limit} bytes` };
}

export function immutable(field: string, value: unknown): FieldError {
  return invalid(field, value, "field is immutable");
}

/** Each of `problems` as an invalid value of `field`. */
export function invalids(field: string, value: unknown, problems: string[]): FieldError[] {
  return problems.map((problem) => invalid(field, value, problem));
}

export function oneOf(field: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  if (value === undefined || value === "") return [required(field)];
  return supported.includes(value) ? [] : [notSupported(field, value, supported)];
}

export function nonNegative(field: string, value: number | undefined): FieldError[] {
  return value !== undefined && value < 0 ? [invalid(field, value, "must be greater than or equal to 0")] : [];
}

/** Values seen before, by `field`. */
export class Unique {
  #seen = new Set<string>();
  check(field: string, value: string): FieldError[] {
    if (this.#seen.has(value)) return [duplicate(field, value)];
    this.#seen.add(value);
    return [];
  }
}

export function sameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** Keys in order, empty parts left out: what Kubernetes' semantic equality takes for the same. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(sorted);
  if (typeof value !== "object" || value === null) return value ?? undefined;
  const entries = Object.entries(value)
    .map(([key, item]): [string, unknown] => [key, sorted(item)])
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** As Go prints a value: texts quoted with its own escapes, everything else as JSON. */
function quote(value: unknown): string {
  if (value === undefined) return "null";
  const text = JSON.stringify(value);
  return typeof value === "string"
    ? text.replaceAll(/\\u00([01][0-9a-f])/g, (_, code: string) => (code === "07" ? "\\a" : code === "0b" ? "\\v" : `\\x${code}`))
    : text;
}

function withDetail(text: string, detail: string): string {
  return detail ? `${text}: ${detail}` : text;
}
