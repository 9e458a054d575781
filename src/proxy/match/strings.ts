import type { RegexMatcher } from "../../proto/gen/envoy/type/matcher/v3/regex_pb.ts";
import type { StringMatcher } from "../../proto/gen/envoy/type/matcher/v3/string_pb.ts";
import type { RegexMatcher as XdsRegexMatcher } from "../../proto/gen/xds/type/matcher/v3/regex_pb.ts";
import type { StringMatcher as XdsStringMatcher } from "../../proto/gen/xds/type/matcher/v3/string_pb.ts";
import { utf8Bytes } from "../../base/regex/index.ts";
import { InvalidResource } from "../types.ts";
import { compilePattern } from "./regex.ts";

export type TextMatch = (text: string) => boolean;

/**
 * Compiles a StringMatcher, for texts whose characters are bytes, as headers and paths are kept. Throws InvalidResource for a
 * bad regular expression or one without a pattern.
 */
export function compileString(matcher: StringMatcher | XdsStringMatcher): TextMatch {
  const pattern = matcher.matchPattern;
  const fold = matcher.ignoreCase;
  switch (pattern.case) {
    case "exact":
      return foldable(fold, pattern.value, (text, value) => text === value);
    case "prefix":
      return foldable(fold, given(pattern.value, "Prefix"), (text, value) => text.startsWith(value));
    case "suffix":
      return foldable(fold, given(pattern.value, "Suffix"), (text, value) => text.endsWith(value));
    case "contains":
      return foldable(fold, given(pattern.value, "Contains"), (text, value) => text.includes(value));
    case "safeRegex":
      return compileFullMatch(pattern.value);
    case "custom":
    case undefined:
      throw new InvalidResource("INVALID_MATCHER", `StringMatcherValidationError.MatchPattern: ${pattern.case ?? "value is required"}`);
  }
}

/** A regular expression that must match the whole text. */
export function compileFullMatch({ regex }: RegexMatcher | XdsRegexMatcher): TextMatch {
  return compilePattern(regex).fits;
}

function given(value: string, field: string): string {
  if (value === "") throw new InvalidResource("INVALID_MATCHER", `StringMatcherValidationError.${field}: value length must be at least 1 characters`);
  return value;
}

function foldable(fold: boolean, text: string, test: (text: string, value: string) => boolean): TextMatch {
  const value = utf8Bytes(text);
  if (!fold) return (each) => test(each, value);
  const lower = value.toLowerCase();
  return (each) => test(each.toLowerCase(), lower);
}
