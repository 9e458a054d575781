import { istioMessage, readMessage, ReadProblem } from "../../../proto/go-json/index.ts";
import type { KubeObject } from "../../../resources/types.ts";

/** An object with its spec as Istio reads it, or why it cannot be read as its kind. */
export type Structure = { readonly object: KubeObject; readonly problem?: undefined } | { readonly problem: string };

/**
 * Reads an object's spec as Istio's own message. Fields that the kind does not have are passed over where `lenient`, as
 * the analyzers do, which tell of them by other means; the words for a value of another type differ by who reads.
 */
export function readStructure(object: KubeObject, lenient: boolean): Structure {
  const message = istioMessage(object.apiVersion.split("/")[0] ?? "", object.kind);
  if (!message || object.spec === undefined) return { object };
  try {
    return { object: { ...object, spec: readMessage(object.spec, message, { allowUnknown: lenient }) } };
  } catch (error) {
    if (!(error instanceof ReadProblem)) throw error;
    const { message: text, mismatch } = error;
    return {
      problem: lenient && mismatch ? `json: cannot unmarshal ${mismatch.value} into Go struct field ${object.kind}.spec of type ${mismatch.goType}` : text,
    };
  }
}
