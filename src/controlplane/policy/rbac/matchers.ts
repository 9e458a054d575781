import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HeaderMatcherSchema } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import type { MetadataMatcherSchema } from "../../../proto/gen/envoy/type/matcher/v3/metadata_pb.ts";
import type { StringMatcherSchema } from "../../../proto/gen/envoy/type/matcher/v3/string_pb.ts";
import type { ValueMatcherSchema } from "../../../proto/gen/envoy/type/matcher/v3/value_pb.ts";

export type StringMatcher = MessageInitShape<typeof StringMatcherSchema>;
export type ValueMatcher = MessageInitShape<typeof ValueMatcherSchema>;
export type HeaderMatcher = MessageInitShape<typeof HeaderMatcherSchema>;
export type MetadataMatcher = MessageInitShape<typeof MetadataMatcherSchema>;

/** Where the filter jwt_authn leaves the claims of a token. */
export const JWT_FILTER = "envoy.filters.http.jwt_authn";
export const JWT_PAYLOAD = "payload";

export const exact = (value: string, ignoreCase = false): StringMatcher => ({ matchPattern: { case: "exact", value }, ignoreCase });
export const prefix = (value: string, ignoreCase = false): StringMatcher => ({ matchPattern: { case: "prefix", value }, ignoreCase });
export const suffix = (value: string, ignoreCase = false): StringMatcher => ({ matchPattern: { case: "suffix", value }, ignoreCase });
export const regex = (value: string): StringMatcher => ({ matchPattern: { case: "safeRegex", value: { regex: value } } });
export const anything = (): StringMatcher => regex(".+");

/**
 * A value of a policy: `*` at an end is a wildcard, alone it means present. `before` goes in front of what is matched.
 * A wildcard at the front of a value with something before it can only be a regular expression.
 */
export function wildcardMatcher(value: string, before = ""): StringMatcher {
  if (value === "*") return anything();
  if (value.startsWith("*")) return before === "" ? suffix(value.slice(1)) : regex(`${before}.*${quoteRegex(value.slice(1))}`);
  if (value.endsWith("*")) return prefix(before + value.slice(0, -1));
  return exact(before + value);
}

export function headerMatcher(name: string, value: string, ignoreCase = false): HeaderMatcher {
  if (value === "*") return { name, headerMatchSpecifier: { case: "presentMatch", value: true } };
  const matcher = value.startsWith("*")
    ? suffix(value.slice(1), ignoreCase)
    : value.endsWith("*")
      ? prefix(value.slice(0, -1), ignoreCase)
      : exact(value, ignoreCase);
  return { name, headerMatchSpecifier: { case: "stringMatch", value: matcher } };
}

export const stringValue = (value: StringMatcher): ValueMatcher => ({ matchPattern: { case: "stringMatch", value } });
export const listWith = (value: ValueMatcher): ValueMatcher => ({ matchPattern: { case: "listMatch", value: { matchPattern: { case: "oneOf", value } } } });

export function anyOf(matchers: ValueMatcher[]): ValueMatcher {
  const [only] = matchers;
  return matchers.length === 1 && only ? only : { matchPattern: { case: "orMatch", value: { valueMatchers: matchers } } };
}

export function metadata(filter: string, path: readonly string[], value: ValueMatcher): MetadataMatcher {
  return { filter, path: path.map((key) => ({ segment: { case: "key" as const, value: key } })), value };
}

/** A claim that is the value itself or a list that has it. */
export function claimMatcher(claims: readonly string[], value: ValueMatcher): MetadataMatcher {
  return metadata(JWT_FILTER, [JWT_PAYLOAD, ...claims], { matchPattern: { case: "orMatch", value: { valueMatchers: [listWith(value), value] } } });
}

/** Escapes what has a meaning in RE2, as Go's regexp.QuoteMeta does. */
export function quoteRegex(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}
