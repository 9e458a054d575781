import type { LabelSelector } from "../../../resources/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { styledTable } from "../format/styled-table.ts";
import { hooksOf, isIstioConfiguration, revisionOf, selects, type InjectionHook, type Labels } from "./webhooks.ts";

/** What one injection webhook does with a pod, and why. */
export interface InjectionVerdict {
  readonly webhook: string;
  readonly revision: string;
  readonly injected: boolean;
  readonly reason: string;
}

/** The verdicts of all of Istio's webhooks, by name. */
export function injectionVerdicts(configurations: readonly KubeObject[], pod: Labels, namespace: Labels): InjectionVerdict[] {
  return configurations
    .filter(isIstioConfiguration)
    .map((configuration) => ({ webhook: configuration.metadata.name, revision: revisionOf(configuration), ...verdict(hooksOf(configuration), pod, namespace) }))
    .sort((a, b) => (a.webhook < b.webhook ? -1 : 1));
}

const GREEN = 32;
const RED = 31;

export function verdictTable(verdicts: readonly InjectionVerdict[]): string {
  if (verdicts.length === 0) return "ERROR: no Istio injection hooks present.\n";
  const rows = verdicts.map(({ webhook, revision, injected, reason }) => [
    webhook,
    revision,
    injected ? { text: "\u2714", color: GREEN } : { text: "\u2718", color: RED },
    reason,
  ]);
  const many = verdicts.filter(({ injected }) => injected).length > 1;
  return `${styledTable([["WEBHOOK", "REVISION", "INJECTED", "REASON"], ...rows])}${many ? "ERROR: multiple webhooks will inject, which can lead to errors" : ""}`;
}

function verdict(hooks: readonly InjectionHook[], pod: Labels, namespace: Labels): { injected: boolean; reason: string } {
  for (const hook of hooks) {
    const inNamespace = match(hook.namespaceSelector, namespace);
    const inPod = match(hook.objectSelector, pod);
    if (inNamespace.matched && inPod.matched) {
      const everywhere = inNamespace.label.includes("kubernetes.io/metadata.name") ? " (Automatic injection is enabled in all namespaces)." : "";
      if (inNamespace.label && inPod.label)
        return { injected: true, reason: `Namespace label ${inNamespace.label} matches, and pod label ${inPod.label} matches` };
      if (inNamespace.label) return { injected: true, reason: `Namespace label ${inNamespace.label} matches${everywhere}` };
      if (inPod.label) return { injected: true, reason: `Pod label ${inPod.label} matches` };
    } else if (inNamespace.matched) {
      const prevented = preventing(hook.objectSelector, pod);
      if (prevented) return { injected: false, reason: `Pod has ${prevented} label, preventing injection` };
    } else if (inPod.matched) {
      const switched = namespace["istio-injection"];
      if (switched !== undefined && switched !== "enabled")
        return { injected: false, reason: `Namespace has istio-injection=${switched} label, preventing injection` };
    }
  }
  if (hooks.some(({ namespaceSelector, objectSelector }) => neverMatches(namespaceSelector) && neverMatches(objectSelector)))
    return { injected: false, reason: "The injection webhook is deactivated, and will never match labels." };
  const wanted = (pick: (hook: InjectionHook) => LabelSelector | undefined): string =>
    hooks
      .flatMap((hook) =>
        (pick(hook)?.matchExpressions ?? [])
          .filter(({ operator }) => operator === "In")
          .flatMap(({ key, values = [] }) => values.map((value) => `${key}=${value}`)),
      )
      .join(", ");
  return {
    injected: false,
    reason: `No matching namespace labels (${wanted((hook) => hook.namespaceSelector)}) or pod labels (${wanted((hook) => hook.objectSelector)})`,
  };
}

/** Whether labels match, and the first label that the selector asks about. */
function match(selector: LabelSelector | undefined, labels: Labels): { matched: boolean; label: string } {
  if (!selects(selector, labels)) return { matched: false, label: "" };
  const asked = selector?.matchExpressions?.find(({ key, operator }) => (operator === "In" || operator === "NotIn") && labels[key] !== undefined);
  return { matched: true, label: asked ? `${asked.key}=${labels[asked.key]}` : "" };
}

/** The label that a selector does not let pass. */
function preventing(selector: LabelSelector | undefined, labels: Labels): string | undefined {
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const value = labels[key];
    if (value !== undefined && (operator === "DoesNotExist" || (operator === "NotIn" && values.includes(value)))) return `${key}=${value}`;
  }
  return undefined;
}

/** How a webhook is switched off and kept: by a label that nothing has. */
function neverMatches(selector: LabelSelector | undefined): boolean {
  return (
    selector?.matchLabels?.["istio.io/deactivated"] === "never-match" &&
    Object.keys(selector.matchLabels).length === 1 &&
    (selector.matchExpressions ?? []).length === 0
  );
}
