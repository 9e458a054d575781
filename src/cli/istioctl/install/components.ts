import { consoleManifests } from "../../../console/index.ts";
import { installValues, meshManifests } from "../../../controlplane/install/index.ts";
import { VERSION } from "../../../base/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { prometheusManifests } from "../../../telemetry/manifests.ts";
import type { InstallSettings } from "./settings.ts";

/** Istio's names of the parts of an installation, and the two that come as addons there. */
export type ComponentName = "Base" | "Pilot" | "IngressGateways" | "EgressGateways" | "Kiali" | "Prometheus";

/** Objects that are applied and waited for together. */
export interface ComponentSet {
  readonly name: ComponentName;
  readonly objects: KubeObject[];
}

/** What people read while it is installed. */
export const COMPONENT_TEXTS: Record<ComponentName, { readonly title: string; readonly icon: string; readonly after: readonly ComponentName[] }> = {
  Base: { title: "Istio core", icon: "⛵️", after: [] },
  Pilot: { title: "Istiod", icon: "🧠", after: ["Base"] },
  IngressGateways: { title: "Ingress gateways", icon: "🛬", after: ["Pilot"] },
  EgressGateways: { title: "Egress gateways", icon: "🛫", after: ["Pilot"] },
  Kiali: { title: "Kiali", icon: "🔭", after: ["Pilot"] },
  Prometheus: { title: "Prometheus", icon: "📈", after: ["Pilot"] },
};

/** By this label the objects of an installation are found again. */
export const COMPONENT_LABEL = "operator.istio.io/component";

/** The parts that the settings want, in an order in which they can be applied. The namespace is not among them. */
export function componentSets(settings: InstallSettings): ComponentSet[] {
  const { components } = settings;
  const values = installValues(settings.values);
  const mesh = meshManifests(settings.values).filter(({ kind }) => kind !== "Namespace");
  const of = (name: ComponentName): KubeObject[] => mesh.filter((object) => componentOf(object) === name);
  const sets: (ComponentSet | false)[] = [
    components.base && { name: "Base", objects: of("Base") },
    components.pilot && { name: "Pilot", objects: of("Pilot") },
    components.ingress && { name: "IngressGateways", objects: of("IngressGateways") },
    components.egress && { name: "EgressGateways", objects: of("EgressGateways") },
    components.console && { name: "Kiali", objects: fromHub(consoleManifests({ version: values.version }), values.hub) },
    components.metrics && { name: "Prometheus", objects: fromHub(prometheusManifests({ version: values.version }), values.hub) },
  ];
  return sets.filter((set) => set !== false).map(({ name, objects }) => ({ name, objects: objects.map((object) => owned(object, name, values)) }));
}

/** Which part an object of the mesh belongs to: what holds for all revisions is the base. */
function componentOf({ kind, metadata }: KubeObject): ComponentName {
  const app = metadata.labels?.app;
  if (app === "istio-ingressgateway") return "IngressGateways";
  if (app === "istio-egressgateway") return "EgressGateways";
  if (kind === "CustomResourceDefinition" || metadata.name === "istiod-default-validator" || (kind === "ServiceAccount" && app === "istio-reader"))
    return "Base";
  return "Pilot";
}

/** The addons' images lie beside the control plane's. */
function fromHub(objects: readonly KubeObject[], hub: string): KubeObject[] {
  return objects.map((object) => {
    const template = (object.spec as { template?: { spec?: { containers?: { image: string }[] } } } | undefined)?.template;
    if (object.kind !== "Deployment" || !template) return object;
    const containers = (template.spec?.containers ?? []).map((container) => ({ ...container, image: container.image.replace(/^chainmail\//, `${hub}/`) }));
    return { ...object, spec: { ...(object.spec as object), template: { ...template, spec: { ...template.spec, containers } } } };
  });
}

function owned(object: KubeObject, name: ComponentName, { namespace, revision }: { namespace: string; revision: string }): KubeObject {
  const labels = {
    ...object.metadata.labels,
    "install.operator.istio.io/owning-resource-namespace": namespace,
    "istio.io/rev": revision,
    [COMPONENT_LABEL]: name,
    "operator.istio.io/managed": "Reconcile",
    "operator.istio.io/version": VERSION,
  };
  return { ...object, metadata: { ...object.metadata, labels } };
}
