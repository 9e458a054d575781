import type { LabelSelector, Pod } from "../../resources/index.ts";
import { selectorMatches } from "../registry/index.ts";
import type { InjectionValues } from "./values.ts";

/** Namespaces of the cluster's own: a broken sidecar there could take the cluster down. */
export const SYSTEM_NAMESPACES: ReadonlySet<string> = new Set(["kube-system", "kube-public", "kube-node-lease", "local-path-storage"]);

/**
 * Whether this pod gets a sidecar. Namespace labels have been weighed by the webhook's selectors already; what is left
 * is the pod's own word (the label before the annotation) and where a sidecar can never work.
 */
export function injectionRequired(pod: Pod, namespace: string, values: InjectionValues): boolean {
  if (pod.spec?.hostNetwork || SYSTEM_NAMESPACES.has(namespace)) return false;
  const word = pod.metadata.labels?.["sidecar.istio.io/inject"] ?? pod.metadata.annotations?.["sidecar.istio.io/inject"] ?? "";
  switch (word.toLowerCase()) {
    case "y":
    case "yes":
    case "true":
    case "on":
      return true;
    case "":
      break;
    default:
      return false;
  }
  const labels = pod.metadata.labels ?? {};
  const { neverInjectSelector } = values.sidecarInjectorWebhook;
  return !neverInjectSelector.some((selector) => matches(selector, labels));
}

/** An empty selector is skipped: it would mean every pod, which nobody writes a selector for. */
function matches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length > 0 && selectorMatches(selector, labels);
}
