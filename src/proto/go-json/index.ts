/**
 * go-json reads plain data as protobuf messages, as Go's reader of JSON does, and says in its words what cannot be read.
 * Istio's tools and its webhook tell mistakes that way, and people search for these words. Types come from tables of
 * Istio's own messages or from the generated ones of Envoy.
 */
export { ReadProblem } from "./go-scalars.ts";
export { istioMessage } from "./istio.ts";
export { checkPatchValue, type PatchVerdict } from "./patch-value.ts";
export { readMessage } from "./read.ts";
