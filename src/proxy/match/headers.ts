import type { HeaderMatcher } from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { utf8Bytes } from "../../base/regex/index.ts";
import type { RequestHead } from "../http/header-map.ts";
import { compileFullMatch, compileString, type TextMatch } from "./strings.ts";

export type RequestMatch = (request: RequestHead) => boolean;

/** Compiles a HeaderMatcher (its older forms too). Throws InvalidResource. */
export function compileHeader(matcher: HeaderMatcher): RequestMatch {
  const read = headerReader(matcher.name.toLowerCase());
  const { invertMatch: invert, treatMissingHeaderAsEmpty: emptyIfMissing } = matcher;
  const specifier = matcher.headerMatchSpecifier;
  if (specifier.case === undefined || specifier.case === "presentMatch") {
    const wanted = specifier.case === undefined ? true : specifier.value;
    // A missing header that counts as empty is there.
    return (request) => ((emptyIfMissing || read(request) !== undefined) === wanted) !== invert;
  }
  const test = valueTest(specifier);
  const name = matcher.name.toLowerCase();
  if (isPseudo(name)) return (request) => test(read(request) as string) !== invert;
  return ({ headers: { names, values } }) => {
    // Each of several values is judged by itself: joined, a value could be hidden behind another one.
    let at = names.indexOf(name);
    // As Envoy: of a missing header nothing can be said, inverted or not.
    if (at < 0) return emptyIfMissing && test("") !== invert;
    for (; at >= 0; at = names.indexOf(name, at + 1)) if (test(values[at] as string)) return !invert;
    return invert;
  };
}

function isPseudo(name: string): boolean {
  return name === ":method" || name === ":path" || name === ":authority" || name === "host" || name === ":scheme";
}

/** All of the matchers must hold. */
export function compileHeaders(matchers: readonly HeaderMatcher[]): RequestMatch | undefined {
  const tests = matchers.map(compileHeader);
  const [only] = tests;
  if (only === undefined) return undefined;
  return tests.length === 1 ? only : (request) => tests.every((test) => test(request));
}

/** Reads a header of a request, pseudo headers included; repeated ones are joined with commas. */
export function headerReader(name: string): (request: RequestHead) => string | undefined {
  switch (name) {
    case ":method":
      return (request) => request.method;
    case ":path":
      return (request) => request.path;
    case ":authority":
    case "host":
      return (request) => request.authority;
    case ":scheme":
      return (request) => request.scheme;
  }
  return (request) => request.headers.getJoined(name);
}

function valueTest(specifier: Exclude<HeaderMatcher["headerMatchSpecifier"], { case: undefined | "presentMatch" }>): TextMatch {
  switch (specifier.case) {
    case "exactMatch": {
      const value = utf8Bytes(specifier.value);
      return (text) => text === value;
    }
    case "prefixMatch": {
      const value = utf8Bytes(specifier.value);
      return (text) => text.startsWith(value);
    }
    case "suffixMatch": {
      const value = utf8Bytes(specifier.value);
      return (text) => text.endsWith(value);
    }
    case "containsMatch": {
      const value = utf8Bytes(specifier.value);
      return (text) => text.includes(value);
    }
    case "safeRegexMatch":
      return compileFullMatch(specifier.value);
    case "stringMatch":
      return compileString(specifier.value);
    case "rangeMatch": {
      const { start, end } = specifier.value;
      return (text) => /^[+-]?\d{1,18}$/.test(text) && BigInt(text) >= start && BigInt(text) < end;
    }
  }
}
