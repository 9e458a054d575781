import type { LabelSelector, Namespace } from "../../resources/index.ts";
import { selectorMatches } from "./label-selector.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { MeshService } from "./service.ts";

/** `serviceEntryVisibility` of the mesh config. */
interface VisibilityRules {
  readonly defaultVisibility?: string;
  readonly applyToSidecars?: boolean;
  readonly policies?: readonly { readonly visibility?: string; readonly matchingRules?: readonly { readonly namespaceSelector?: LabelSelector }[] }[];
}

/** The services of a ServiceEntry as far as the mesh lets its namespace show them: rules only ever take away. */
export function capVisibility(services: readonly MeshService[], namespace: Namespace | undefined, mesh: MeshConfig): readonly MeshService[] {
  const rules = mesh["serviceEntryVisibility"] as VisibilityRules | undefined;
  if (!rules?.applyToSidecars) return services;
  const labels = namespace?.metadata.labels ?? {};
  // A rule without a selector is one that this version does not know: it fits nothing.
  const policy = rules.policies?.find(({ matchingRules = [] }) =>
    matchingRules.every(({ namespaceSelector }) => namespaceSelector !== undefined && selectorMatches(namespaceSelector, labels)),
  );
  const visibility = policy ? policy.visibility : rules.defaultVisibility;
  if (visibility !== "NAMESPACE" && visibility !== "NONE") return services;
  return services.map((service) => {
    const declared = service.exportTo ?? mesh.defaultServiceExportTo;
    const home = visibility === "NAMESPACE" && declared.some((target) => target === "*" || target === "." || target === service.namespace);
    return { ...service, exportTo: home ? ["."] : ["~"] };
  });
}
