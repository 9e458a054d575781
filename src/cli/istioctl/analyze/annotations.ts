import type { KubeObject } from "../../../resources/types.ts";
import { annotationProblem } from "./annotation-values.ts";
import type { Analyzer, Finding } from "./findings.ts";
import { isIstioAnnotation, ISTIO_ANNOTATIONS, OWN_ANNOTATIONS } from "./istio-annotations.ts";
import { list, spec, type World } from "./world.ts";

/** Kinds whose annotations are looked at. */
const KINDS = ["Namespace", "Service", "Pod", "Deployment"];

export const kubernetesAnnotations: Analyzer = {
  name: "annotations.K8sAnalyzer",
  description: "Checks for misplaced and invalid Istio annotations in Kubernetes resources",
  needs: ["Namespace", "Service", "Pod"],
  run: (world) => annotated(world).flatMap(({ about, name, value }) => annotationFindings(about, name, value)),
};

/** Not among `analyze`'s own: precheck runs it. */
export const alphaAnnotations: Analyzer = {
  name: "annotations.AlphaAnalyzer",
  description: "Checks for alpha Istio annotations in Kubernetes resources",
  needs: ["Namespace", "Service", "Pod"],
  run: (world) =>
    annotated(world).flatMap(({ about, name }): Finding[] => {
      if (!ISTIO_ANNOTATIONS[name]?.alpha || OWN_ANNOTATIONS.has(name)) return [];
      // Without istio-init somebody else set up capture, and notes here how.
      if (WRITTEN_BY_CNI.has(name) && about.kind === "Pod" && !list(spec(about).initContainers).some((container) => container.name === "istio-init")) return [];
      return [{ code: "IST0136", about, message: `Annotation ${JSON.stringify(name)} is part of an alpha-phase feature and may be incompletely supported.` }];
    }),
};

const WRITTEN_BY_CNI = new Set([
  "sidecar.istio.io/interceptionMode",
  "traffic.sidecar.istio.io/includeInboundPorts",
  "traffic.sidecar.istio.io/excludeInboundPorts",
  "traffic.sidecar.istio.io/includeOutboundIPRanges",
]);
const INJECT = "sidecar.istio.io/inject";

function annotated(world: World): { about: KubeObject; name: string; value: string }[] {
  return KINDS.flatMap((kind) => world.kind(kind)).flatMap((about) =>
    Object.entries(about.metadata.annotations ?? {})
      .filter(([name]) => isIstioAnnotation(name) && !OWN_ANNOTATIONS.has(name))
      .map(([name, value]) => ({ about, name, value })),
  );
}

function annotationFindings(about: KubeObject, name: string, value: string): Finding[] {
  const definition = ISTIO_ANNOTATIONS[name];
  if (!definition) return [{ code: "IST0108", about, message: `Unknown annotation: ${name}` }];
  const findings: Finding[] = [];
  // Beside the label of the same name the annotation has no say.
  if (definition.deprecated && !(name === INJECT && about.metadata.labels?.[INJECT] !== undefined)) {
    const instead = name === INJECT ? ` in favor of the "${INJECT}" label` : "";
    findings.push({
      code: "IST0135",
      about,
      message: `Annotation ${JSON.stringify(name)} has been deprecated${instead} and may not work in future Istio versions.`,
    });
  }
  if (definition.on.includes("Any")) return findings;
  const problem = annotationProblem(name, value);
  if (!definition.on.includes(about.kind))
    findings.push({ code: "IST0107", about, message: `Misplaced annotation: ${name} can only be applied to ${definition.on.join(", ")}` });
  else if (problem !== undefined) findings.push({ code: "IST0125", about, message: `Invalid annotation ${name}: ${problem}` });
  return findings;
}
