/** Words and walks that the checks share. */
import type { ContainerShape, PodTemplate, SecurityContext } from "./types.ts";

/** Init containers first, as the standards name them. */
export function containersOf({ spec = {} }: PodTemplate): ContainerShape[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

export function namesOf(pod: PodTemplate, isBad: (container: ContainerShape) => boolean): string[] {
  return containersOf(pod)
    .filter(isBad)
    .map(({ name }) => name);
}

/** `containers "a", "b"`. */
export function named(what: string, names: readonly string[]): string {
  return `${plural(what, names.length)} ${quoted(names)}`;
}

export function plural(what: string, count: number): string {
  return count === 1 ? what : `${what}s`;
}

export function uses(count: number): string {
  return count === 1 ? "uses" : "use";
}

export function quoted(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(", ");
}

/** Each once, in order. */
export function distinct(values: Iterable<string>): string[] {
  return [...new Set(values)].sort();
}

/** Who sets what: `pod`, `container "a"` or both; empty when nobody does. */
export function setters(pod: PodTemplate, isBad: (context: SecurityContext) => boolean): string {
  const byPod = pod.spec?.securityContext && isBad(pod.spec.securityContext);
  const names = namesOf(pod, ({ securityContext }) => securityContext !== undefined && isBad(securityContext));
  return [...(byPod ? ["pod"] : []), ...(names.length > 0 ? [named("container", names)] : [])].join(" and ");
}

/** Of the pod and all its containers. */
export function contextsOf(pod: PodTemplate): SecurityContext[] {
  return [pod.spec?.securityContext, ...containersOf(pod).map(({ securityContext }) => securityContext)].filter((context) => context !== undefined);
}
