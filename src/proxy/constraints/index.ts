/**
 * constraints holds configurations to what Envoy's API says of their values: required fields, lengths, ranges, patterns.
 * The rules are generated from the API's own annotations (`proto/gen/validation-rules.ts`), so that what Envoy refuses when
 * it reads a message is refused here, and in its words. What only a filter or cluster itself can tell is theirs.
 */
export { checkConstraints, readConfig } from "./constraints.ts";
