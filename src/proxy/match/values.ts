import type { MetadataMatcher } from "../../proto/gen/envoy/type/matcher/v3/metadata_pb.ts";
import type { ValueMatcher } from "../../proto/gen/envoy/type/matcher/v3/value_pb.ts";
import { utf8Bytes } from "../../base/regex/index.ts";
import { InvalidResource } from "../types.ts";
import { compileString } from "./strings.ts";

export type ValueMatch = (value: unknown) => boolean;

/** Compiles a ValueMatcher over plain JSON values. */
export function compileValue(matcher: ValueMatcher | undefined): ValueMatch {
  const pattern = matcher?.matchPattern;
  switch (pattern?.case) {
    case "nullMatch":
      return (value) => value === null;
    case "boolMatch":
      return (value) => value === pattern.value;
    case "presentMatch":
      return (value) => (value !== undefined) === pattern.value;
    case "stringMatch": {
      const test = compileString(pattern.value);
      return (value) => typeof value === "string" && test(utf8Bytes(value));
    }
    case "doubleMatch": {
      const match = pattern.value.matchPattern;
      if (match.case === "exact") return (value) => value === match.value;
      if (match.case === "range") return (value) => typeof value === "number" && value >= match.value.start && value < match.value.end;
      break;
    }
    case "listMatch": {
      const list = pattern.value.matchPattern;
      if (list.case !== "oneOf") break;
      const test = compileValue(list.value);
      return (value) => Array.isArray(value) && value.some(test);
    }
    case "orMatch": {
      const tests = pattern.value.valueMatchers.map(compileValue);
      return (value) => tests.some((test) => test(value));
    }
  }
  throw new InvalidResource("INVALID_MATCHER", "ValueMatcherValidationError.MatchPattern: value is required");
}

/** Looks a value up in `filter_metadata`-like objects and tests it. */
export function compileMetadata(matcher: MetadataMatcher): (fieldsOf: (filter: string) => { readonly [key: string]: unknown } | undefined) => boolean {
  const test = compileValue(matcher.value);
  const path = matcher.path.map((segment) => segment.segment.value ?? "");
  const { filter, invert } = matcher;
  return (fieldsOf) => {
    let value: unknown = fieldsOf(filter);
    for (const key of path) value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
    return test(value) !== invert;
  };
}

/** A value as text: equal values have the same, whatever the order of their fields. */
export function valueText(value: unknown): string {
  return (
    JSON.stringify(value, (_, each: unknown) =>
      typeof each === "object" && each !== null && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
    ) ?? "null"
  );
}
