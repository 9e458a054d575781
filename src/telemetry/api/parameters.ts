import { numberOrDuration } from "../promql/literals.ts";
import { parsePromql } from "../promql/parse.ts";
import { PromqlError } from "../promql/promql-error.ts";
import type { Matcher } from "../store/matchers.ts";

const FORM = "application/x-www-form-urlencoded";
/** A query has its own limit; this bounds the body that it comes in. */
const MAX_FORM_BYTES = 128 << 10;

/** The parameters of a URL, and of a form where one was posted. Throws PromqlError. */
export async function parametersOf(request: Request, url: URL): Promise<URLSearchParams> {
  if (request.method !== "POST" || !request.headers.get("content-type")?.startsWith(FORM)) return url.searchParams;
  if (Number(request.headers.get("content-length") ?? 0) > MAX_FORM_BYTES) throw new PromqlError("the form is too large");
  const body = await request.text();
  if (body.length > MAX_FORM_BYTES) throw new PromqlError("the form is too large");
  const parameters = new URLSearchParams(body);
  for (const [name, value] of url.searchParams) parameters.append(name, value);
  return parameters;
}

/** Unix seconds with fractions, or RFC 3339; the result is in whole ms. Throws PromqlError where it is neither, or missing without a fallback. */
export function timeParameter(parameters: URLSearchParams, name: string, fallback?: number): number {
  const value = parameters.get(name) ?? "";
  if (value === "" && fallback !== undefined) return fallback;
  const seconds = value.trim() === "" ? NaN : Number(value);
  const ms = Number.isNaN(seconds) ? (/^\d{4}-\d{2}-\d{2}T/.test(value) ? Date.parse(value) : NaN) : seconds * 1000;
  if (!Number.isFinite(ms)) throw new PromqlError(`invalid parameter ${JSON.stringify(name)}: cannot parse ${JSON.stringify(value)} to a valid timestamp`);
  return Math.round(ms);
}

/** Seconds or a duration, in whole ms. Throws PromqlError. */
export function durationParameter(parameters: URLSearchParams, name: string): number {
  const value = parameters.get(name) ?? "";
  try {
    const ms = numberOrDuration(value) * 1000;
    if (Number.isFinite(ms)) return ms > 0 ? Math.max(1, Math.round(ms)) : ms;
  } catch (thrown) {
    if (!(thrown instanceof PromqlError)) throw thrown;
  }
  throw new PromqlError(`invalid parameter ${JSON.stringify(name)}: cannot parse ${JSON.stringify(value)} to a valid duration`);
}

/** The selectors of `match[]`. Throws PromqlError. */
export function selectorsOf(parameters: URLSearchParams): Matcher[][] {
  return parameters.getAll("match[]").map((selector) => {
    const expr = inParameter("match[]", () => parsePromql(selector));
    if (expr.kind !== "vector")
      throw new PromqlError(`invalid parameter "match[]": 1:1: parse error: expected a series selector, got ${JSON.stringify(selector)}`);
    return expr.matchers;
  });
}

/** Says of a mistake which parameter it is in, as Prometheus does. */
export function inParameter<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof PromqlError && thrown.code === "PROMQL_BAD_DATA" && thrown.message.includes("parse error"))
      throw new PromqlError(`invalid parameter ${JSON.stringify(name)}: ${thrown.message}`);
    throw thrown;
  }
}

/** The first so many, where the asker set a limit. */
export function limited<T>(items: T[], parameters: URLSearchParams): T[] {
  const limit = Number(parameters.get("limit") ?? 0);
  return Number.isInteger(limit) && limit > 0 ? items.slice(0, limit) : items;
}
