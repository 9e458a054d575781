import type { KubeObject } from "../../../resources/types.ts";
import { type Analyzer, type Finding, goList, notFound } from "./findings.ts";
import { labelText, type Labels, namespaceOf, object, podIsAmbient, spec, stringMap, type World } from "./world.ts";

export const sidecarSelectors: Analyzer = {
  name: "sidecar.SelectorAnalyzer",
  description:
    "Validates that sidecars that define a workload selector match at least one pod, and that there aren't multiple sidecar resources that select overlapping pods",
  needs: ["Pod", "Namespace"],
  run(world) {
    const { missing, byPod, wide } = selections(
      world,
      world.kind("Sidecar"),
      (sidecar) => stringMap(object(spec(sidecar).workloadSelector).labels),
      ".spec.workloadSelector.labels",
    );
    const ineffective = new Map<KubeObject, Finding>();
    const findings = [...missing];
    for (const [pod, sidecars] of byPod) {
      for (const about of sidecars) {
        if (podIsAmbient(pod)) {
          if (!ineffective.has(about))
            ineffective.set(about, {
              code: "IST0167",
              about,
              message: "The policy has no impact: selected workload is in ambient mode, the policy has no impact.",
            });
        } else if (sidecars.length > 1) {
          findings.push({
            code: "IST0110",
            about,
            message: `The Sidecars ${names(sidecars)} in namespace ${JSON.stringify(namespaceOf(about))} select the same workload pod ${JSON.stringify(pod.metadata.name)}, which can lead to undefined behavior.`,
            path: ".metadata.name",
          });
        }
      }
    }
    for (const [namespace, sidecars] of wide) {
      for (const about of sidecars) {
        if (isAmbient(world.namespaceLabels(namespace))) {
          if (!ineffective.has(about))
            ineffective.set(about, { code: "IST0167", about, message: "The policy has no impact: namespace is in ambient mode, the policy has no impact." });
        } else if (sidecars.length > 1) {
          findings.push({
            code: "IST0111",
            about,
            message: `The Sidecars ${names(sidecars)} in namespace ${JSON.stringify(namespace)} have no workload selector, which can lead to undefined behavior.`,
          });
        }
      }
    }
    return [...findings, ...ineffective.values()];
  },
};

/** Which pods policies choose by their labels, those that choose none, and those without labels by namespace. */
export function selections(
  world: World,
  policies: readonly KubeObject[],
  labelsOf: (policy: KubeObject) => Labels,
  path: string,
): { missing: Finding[]; byPod: Map<KubeObject, KubeObject[]>; wide: Map<string, KubeObject[]> } {
  const missing: Finding[] = [];
  const byPod = new Map<KubeObject, KubeObject[]>();
  const wide = new Map<string, KubeObject[]>();
  for (const about of policies) {
    const labels = labelsOf(about);
    if (Object.keys(labels).length === 0) {
      wide.set(namespaceOf(about), [...(wide.get(namespaceOf(about)) ?? []), about]);
      continue;
    }
    const selector = labelText(labels);
    const pods = world.pods(labels, namespaceOf(about));
    if (pods.length === 0) missing.push(notFound(about, "selector", selector, `${path}.${selector.slice(0, selector.indexOf("="))}`));
    for (const pod of pods) byPod.set(pod, [...(byPod.get(pod) ?? []), about]);
  }
  return { missing, byPod, wide };
}

export function names(objects: readonly KubeObject[]): string {
  return goList(objects.map(({ metadata }) => metadata.name).sort());
}

function isAmbient(labels: Labels | undefined): boolean {
  return labels?.["istio-injection"] !== "enabled" && !labels?.["istio.io/rev"] && labels?.["istio.io/dataplane-mode"] === "ambient";
}
