import { compileRegex, parseRewrite, type Regex, RegexProblem, replaceAll, utf8Bytes } from "../../base/regex/index.ts";
import type { RegexMatchAndSubstitute } from "../../proto/gen/envoy/type/matcher/v3/regex_pb.ts";
import { InvalidResource } from "../types.ts";

export type TextRewrite = (text: string) => string;

/** Envoy's default of the runtime key `re2.max_program_size.error_level`. Istio's bootstraps say 32768. */
export const DEFAULT_MAX_PROGRAM_SIZE = 100;

let maxProgramSize = 32_768;

/** Sets how large expressions may be, for the whole process, as Envoy's runtime does: before the first resource is taken. */
export function limitProgramSize(size: number): void {
  maxProgramSize = size;
}

/** An expression of a configuration. Throws InvalidResource in Envoy's words for one that RE2 does not take, or is too large. */
export function compilePattern(source: string): Regex {
  if (source === "") throw new InvalidResource("INVALID_REGEX", "RegexMatcherValidationError.Regex: value length must be at least 1 characters");
  const regex = compiled(source);
  if (!source.includes("{") && source.length * MOST_PER_CHARACTER <= maxProgramSize) return regex;
  const { programSize } = regex;
  if (programSize <= maxProgramSize) return regex;
  throw new InvalidResource(
    "INVALID_REGEX",
    `regex '${source.length > MAX_SHOWN ? `${source.slice(0, MAX_SHOWN - 3)}...` : source}' RE2 program size of ${programSize} > max program size of ${maxProgramSize} set for the error level threshold. Increase configured max program size if necessary.`,
  );
}

/** `\\PL` makes about sixty steps; without counts, nothing makes more for each of its characters. */
const MOST_PER_CHARACTER = 64;
/** A longer expression than anybody reads. */
const MAX_SHOWN = 200;

function compiled(source: string): Regex {
  try {
    return compileRegex(source, "re2");
  } catch (cause) {
    if (!(cause instanceof RegexProblem)) throw cause;
    throw new InvalidResource("INVALID_REGEX", cause.message, { cause });
  }
}

/** RE2's substitution (`\1`) over every match. A template with groups that the expression has not changes nothing. */
export function compileSubstitute(config: RegexMatchAndSubstitute): TextRewrite {
  if (!config.pattern) throw new InvalidResource("INVALID_REGEX", "RegexMatchAndSubstituteValidationError.Pattern: value is required");
  const regex = compilePattern(config.pattern.regex);
  const rewrite = parseRewrite(utf8Bytes(config.substitution), regex.names.length);
  return (text) => (rewrite ? replaceAll(regex, text, rewrite) : text);
}
