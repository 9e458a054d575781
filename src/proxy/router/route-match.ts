import type { QueryParameterMatcher, RouteMatch as RouteMatchProto } from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { FractionalPercent_DenominatorType, type FractionalPercent } from "../../proto/gen/envoy/type/v3/percent_pb.ts";
import type { RequestHead } from "../http/header-map.ts";
import { compileHeaders } from "../match/headers.ts";
import { compileFullMatch, compileString, type TextMatch } from "../match/strings.ts";
import { compileUriTemplate } from "../match/uri-template.ts";
import { compileMetadata } from "../match/values.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { InvalidResource } from "../types.ts";

/** `path` is the request's without its query; `random` in [0, 1) is the same for the whole request. */
export type RouteMatch = (request: RequestHead, path: string, info: StreamInfo, random: number) => boolean;

/** How a route's path is matched, for rewrites of the matched part. */
export type PathMatcher =
  | { readonly kind: "prefix" | "separated" | "exact"; readonly value: string; readonly test: TextMatch }
  | { readonly kind: "regex" | "connect"; readonly test: TextMatch };

export function compilePath(proto: RouteMatchProto): PathMatcher {
  const specifier = proto.pathSpecifier;
  const fold = proto.caseSensitive === false;
  const folded = (test: TextMatch): TextMatch => (fold ? (text) => test(text.toLowerCase()) : test);
  switch (specifier.case) {
    case "prefix": {
      const value = fold ? specifier.value.toLowerCase() : specifier.value;
      return { kind: "prefix", value: specifier.value, test: value === "/" ? () => true : folded((path) => path.startsWith(value)) };
    }
    case "path": {
      const value = fold ? specifier.value.toLowerCase() : specifier.value;
      return { kind: "exact", value: specifier.value, test: folded((path) => path === value) };
    }
    case "pathSeparatedPrefix": {
      const value = fold ? specifier.value.toLowerCase() : specifier.value;
      return {
        kind: "separated",
        value: specifier.value,
        test: folded((path) => path.startsWith(value) && (path.length === value.length || path[value.length] === "/")),
      };
    }
    case "safeRegex":
      return { kind: "regex", test: compileFullMatch(specifier.value) };
    case "pathMatchPolicy":
      return { kind: "regex", test: compileUriTemplate(specifier.value) };
    case "connectMatcher":
      return { kind: "connect", test: () => false };
  }
  throw new InvalidResource("INVALID_ROUTE", `RouteMatchValidationError.PathSpecifier: ${specifier.case ?? "value is required"}`);
}

/** Compiles all conditions of a route. Throws InvalidResource. */
export function compileRouteMatch(proto: RouteMatchProto, path: PathMatcher): RouteMatch {
  const tests: RouteMatch[] = [];
  if (path.kind === "connect") tests.push((request) => request.method === "CONNECT" || request.upgrade !== undefined);
  else tests.push((request, text) => (request.method !== "CONNECT" || text !== "") && path.test(text));
  const headers = compileHeaders(proto.headers);
  if (headers) tests.push((request) => headers(request));
  for (const parameter of proto.queryParameters) tests.push(compileQueryParameter(parameter));
  if (proto.grpc) tests.push((request) => isGrpc(request));
  if (proto.tlsContext) {
    const { presented, validated } = proto.tlsContext;
    tests.push((_request, _path, { downstream }) => {
      const shown = downstream.tls?.peer !== undefined;
      return (presented === undefined || presented === shown) && (validated === undefined || validated === shown);
    });
  }
  for (const matcher of proto.dynamicMetadata) {
    const test = compileMetadata(matcher);
    tests.push((_request, _path, info) => test((filter) => info.dynamicMetadata?.get(filter)));
  }
  if (proto.runtimeFraction?.defaultValue) {
    const share = fraction(proto.runtimeFraction.defaultValue);
    tests.push((_request, _path, _info, random) => random < share);
  }
  const [only] = tests;
  return tests.length === 1 && only ? only : (request, text, info, random) => tests.every((test) => test(request, text, info, random));
}

/** A FractionalPercent as a number in [0, 1]. */
export function fraction(percent: FractionalPercent | undefined): number {
  const of = {
    [FractionalPercent_DenominatorType.HUNDRED]: 100,
    [FractionalPercent_DenominatorType.TEN_THOUSAND]: 10_000,
    [FractionalPercent_DenominatorType.MILLION]: 1_000_000,
  };
  return percent ? percent.numerator / (of[percent.denominator] ?? 100) : 0;
}

/** As Envoy decides: by the content type. */
export function isGrpc(request: RequestHead): boolean {
  return isGrpcType(request.headers.get("content-type") ?? "");
}

export function isGrpcType(contentType: string): boolean {
  return contentType.startsWith("application/grpc") && (contentType.length === 16 || contentType[16] === "+" || contentType[16] === ";");
}

export function pathWithoutQuery(path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}

export function compileQueryParameter(matcher: QueryParameterMatcher): RouteMatch {
  const { name } = matcher;
  const specifier = matcher.queryParameterMatchSpecifier;
  if (specifier.case === "stringMatch") {
    const test = compileString(specifier.value);
    return (request) => {
      const value = queryParameter(request.path, name);
      return value !== undefined && test(value);
    };
  }
  const wanted = specifier.case === "presentMatch" ? specifier.value : true;
  return (request) => (queryParameter(request.path, name) !== undefined) === wanted;
}

/** The first value of a query parameter, as it stands (Envoy does not decode it either). */
export function queryParameter(path: string, name: string): string | undefined {
  const start = path.indexOf("?");
  if (start < 0) return undefined;
  for (const part of path
    .slice(start + 1)
    .split("#", 1)[0]
    ?.split("&") ?? []) {
    const equals = part.indexOf("=");
    if ((equals < 0 ? part : part.slice(0, equals)) === name) return equals < 0 ? "" : part.slice(equals + 1);
  }
  return undefined;
}
