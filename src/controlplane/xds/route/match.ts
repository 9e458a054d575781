import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Init } from "../../../proto/index.ts";
import type { HeaderMatcherSchema, QueryParameterMatcherSchema, RouteMatchSchema } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import type { MetadataMatcherSchema } from "../../../proto/gen/envoy/type/matcher/v3/metadata_pb.ts";
import type { StringMatcherSchema } from "../../../proto/gen/envoy/type/matcher/v3/string_pb.ts";
import type { HttpMatchRequest, StringMatch } from "../../../resources/index.ts";
import { claimMatcher, stringValue } from "../../policy/index.ts";
import { compareText } from "../../registry/index.ts";

export type RouteMatch = Init<typeof RouteMatchSchema>;
type HeaderMatcher = Init<typeof HeaderMatcherSchema>;
type StringMatcher = Init<typeof StringMatcherSchema>;
type MetadataMatcher = MessageInitShape<typeof MetadataMatcherSchema>;

/** Headers that are no headers of the request but claims of its token. */
const CLAIM_PREFIX = "@request.auth.claims";

/** The conditions of a route; without a match it takes everything. `bySegment`: a prefix ends at the border of an element. */
export function routeMatch(match: HttpMatchRequest | undefined, bySegment = false): RouteMatch {
  if (!match) return { pathSpecifier: { case: "prefix", value: "/" } };
  const headers: HeaderMatcher[] = [];
  const claims: MetadataMatcher[] = [];
  const byName = <Value>(record: Record<string, Value> | undefined): [string, Value][] => Object.entries(record ?? {}).sort(([a], [b]) => compareText(a, b));
  for (const [name, value] of byName(match.headers)) {
    const claim = claimOf(name, value, false);
    if (claim) claims.push(claim);
    else headers.push(headerMatch(name, value));
  }
  for (const [name, value] of byName(match.withoutHeaders)) {
    const claim = claimOf(name, value, true);
    if (claim) claims.push(claim);
    else headers.push({ ...headerMatch(name, value), invertMatch: true, ...(!isPresence(value) && { treatMissingHeaderAsEmpty: true }) });
  }
  headers.sort((a, b) => compareText(a.name ?? "", b.name ?? ""));
  for (const [name, value] of [
    [":method", match.method],
    [":authority", match.authority],
    [":scheme", match.scheme],
  ] as const)
    if (value) headers.push(headerMatch(name, value));
  return {
    pathSpecifier: pathOf(match.uri, bySegment),
    caseSensitive: match.ignoreUriCase !== true,
    headers,
    queryParameters: byName(match.queryParams).map(([name, value]) => queryMatch(name, value)),
    dynamicMetadata: claims,
  };
}

/** Undefined when the match has no pattern. */
export function stringMatcher(match: StringMatch): StringMatcher | undefined {
  if (match.exact !== undefined) return { matchPattern: { case: "exact", value: match.exact } };
  if (match.prefix !== undefined) return { matchPattern: { case: "prefix", value: match.prefix } };
  if (match.regex !== undefined) return { matchPattern: { case: "safeRegex", value: { regex: match.regex } } };
  return undefined;
}

/** Whether a route takes every request, so that those after it are never reached. */
export function isCatchAll(match: RouteMatch): boolean {
  const path = match.pathSpecifier;
  const all = (path?.case === "prefix" && path.value === "/") || (path?.case === "safeRegex" && path.value.regex === ".*");
  return all && !match.headers?.length && !match.queryParameters?.length && !match.dynamicMetadata?.length;
}

/** The path of a route as it stands in the names of traces. */
export function pathPattern(match: RouteMatch): string {
  const path = match.pathSpecifier;
  switch (path?.case) {
    case "prefix":
      return `${path.value}*`;
    case "path":
      return path.value;
    case "safeRegex":
      return path.value.regex ?? "";
    default:
      return "/*";
  }
}

function pathOf(uri: StringMatch | undefined, bySegment: boolean): NonNullable<RouteMatch["pathSpecifier"]> {
  if (uri?.exact !== undefined) return { case: "path", value: uri.exact };
  if (uri?.regex !== undefined) return { case: "safeRegex", value: { regex: uri.regex } };
  if (bySegment && uri?.prefix !== undefined && uri.prefix !== "/") return { case: "pathSeparatedPrefix", value: uri.prefix.replace(/\/$/, "") };
  return { case: "prefix", value: uri?.prefix ?? "/" };
}

function headerMatch(name: string, match: StringMatch): HeaderMatcher {
  const matcher = stringMatcher(match);
  return isPresence(match) || !matcher
    ? { name, headerMatchSpecifier: { case: "presentMatch", value: true } }
    : { name, headerMatchSpecifier: { case: "stringMatch", value: matcher } };
}

function queryMatch(name: string, match: StringMatch): Init<typeof QueryParameterMatcherSchema> {
  const matcher = stringMatcher(match);
  return isPresence(match) || !matcher
    ? { name, queryParameterMatchSpecifier: { case: "presentMatch", value: true } }
    : { name, queryParameterMatchSpecifier: { case: "stringMatch", value: matcher } };
}

/** A match without a pattern, or with a regular expression that is none but is often meant as "any". */
function isPresence(match: StringMatch): boolean {
  return match.regex === "*" || (match.exact === undefined && match.prefix === undefined && match.regex === undefined);
}

function claimOf(name: string, match: StringMatch, invert: boolean): MetadataMatcher | undefined {
  if (!name.toLowerCase().startsWith(CLAIM_PREFIX)) return undefined;
  const path = name.slice(CLAIM_PREFIX.length);
  const claims =
    path.startsWith(".") && path.length > 1
      ? path.slice(1).split(".")
      : path.startsWith("[") && path.endsWith("]") && path.length > 2
        ? path.slice(1, -1).split("][")
        : undefined;
  const matcher = stringMatcher(match);
  return claims && matcher ? { ...claimMatcher(claims, stringValue(matcher)), ...(invert && { invert: true }) } : undefined;
}
