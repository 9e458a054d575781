import type { KubeObject } from "../../resources/index.ts";

/** By code units, which for the ASCII of Kubernetes' names is the order of Go's strings. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Milliseconds since the epoch; 0 when unknown. */
export function createdAt(object: KubeObject): number {
  return Date.parse(object.metadata.creationTimestamp ?? "") || 0;
}

/** Oldest first, then by name and namespace: the order in which rules of one kind win. */
export function compareAge(a: KubeObject, b: KubeObject): number {
  return createdAt(a) - createdAt(b) || compareText(ageKey(a), ageKey(b));
}

function ageKey({ metadata }: KubeObject): string {
  return `${metadata.name}.${metadata.namespace ?? ""}`;
}
