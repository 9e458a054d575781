import type { RegexMatcher } from "../../proto/gen/envoy/type/matcher/v3/regex_pb.ts";
import type { StringMatcher } from "../../proto/gen/envoy/type/matcher/v3/string_pb.ts";
import type { RegexMatcher as XdsRegexMatcher } from "../../proto/gen/xds/type/matcher/v3/regex_pb.ts";
import type { StringMatcher as XdsStringMatcher } from "../../proto/gen/xds/type/matcher/v3/string_pb.ts";
import { InvalidResource } from "../types.ts";
import { compileLinear, mayBacktrack, parseRegex } from "../../base/regex/index.ts";

export type TextMatch = (text: string) => boolean;

/** Compiles a StringMatcher. Throws InvalidResource for a bad regular expression or one without a pattern. */
export function compileString(matcher: StringMatcher | XdsStringMatcher): TextMatch {
  const pattern = matcher.matchPattern;
  const fold = matcher.ignoreCase;
  switch (pattern.case) {
    case "exact":
      return foldable(fold, pattern.value, (text, value) => text === value);
    case "prefix":
      return foldable(fold, pattern.value, (text, value) => text.startsWith(value));
    case "suffix":
      return foldable(fold, pattern.value, (text, value) => text.endsWith(value));
    case "contains":
      return foldable(fold, pattern.value, (text, value) => text.includes(value));
    case "safeRegex":
      return compileFullMatch(pattern.value);
    case "custom":
    case undefined:
      throw new InvalidResource("INVALID_MATCHER", `StringMatcherValidationError.MatchPattern: ${pattern.case ?? "value is required"}`);
  }
}

/** A regular expression that must match the whole text. */
export function compileFullMatch(matcher: RegexMatcher | XdsRegexMatcher): TextMatch {
  const { regex } = matcher;
  const expression = toRegExp(regex, "full");
  const node = parseRegex(regex);
  if (!node || !(mayBacktrack(node) || NOT_JAVASCRIPT.test(regex))) return (text) => expression.test(text);
  const linear = compileLinear(node);
  if (!linear) throw new InvalidResource("INVALID_REGEX", `invalid regex ${JSON.stringify(shortened(regex))}: its program size is larger than the maximum`);
  return linear;
}

/** Classes of POSIX and of Unicode, which JavaScript reads as something else. */
const NOT_JAVASCRIPT = /\[:\^?\w+:\]|\\[pP]/;

function shortened(regex: string): string {
  return regex.length > 60 ? `${regex.slice(0, 57)}...` : regex;
}

/**
 * RE2's syntax as Envoy writes it, in JavaScript's. Both know the same constructs except inline flags at the start,
 * `(?P<name>` and `\z`; a dot does not match a newline in either.
 */
export function toRegExp(source: string, mode: "full" | "search"): RegExp {
  let flags = "";
  const body = source
    .replace(/^\(\?([imsU]+)\)/, (_, inline: string) => {
      flags = inline.replace("U", "");
      return "";
    })
    .replace(/\(\?P</g, "(?<")
    .replace(/\\z/g, "$")
    .replace(/\\A/g, "^");
  try {
    return new RegExp(mode === "full" ? `^(?:${body})$` : body, mode === "full" ? flags : `${flags}g`);
  } catch (cause) {
    throw new InvalidResource("INVALID_REGEX", `invalid regex ${JSON.stringify(source)}: ${(cause as Error).message}`, { cause });
  }
}

function foldable(fold: boolean, value: string, test: (text: string, value: string) => boolean): TextMatch {
  if (!fold) return (text) => test(text, value);
  const lower = value.toLowerCase();
  return (text) => test(text.toLowerCase(), lower);
}
