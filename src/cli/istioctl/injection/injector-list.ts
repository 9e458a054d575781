import { SYSTEM_NAMESPACES } from "../../../controlplane/injection/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { tabwriter } from "../format/tabwriter.ts";
import { hooksOf, revisionOf, selects } from "./webhooks.ts";

/** What the tables are made from. */
export interface InjectorWorld {
  readonly namespaces: readonly KubeObject[];
  /** Webhook configurations labelled app=sidecar-injector. */
  readonly configurations: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  /** ConfigMaps with a revision, where the injected image is told. */
  readonly configMaps: readonly KubeObject[];
}

/** Namespaces whose pods may have sidecars: not the cluster's own, the control plane's or an ambient one. */
export function injectableNamespaces(namespaces: readonly KubeObject[], istioNamespace: string): KubeObject[] {
  return namespaces
    .filter(
      ({ metadata }) => !SYSTEM_NAMESPACES.has(metadata.name) && metadata.name !== istioNamespace && metadata.labels?.["istio.io/dataplane-mode"] !== "ambient",
    )
    .sort(byName);
}

/** Both tables of `x injector list`. */
export function injectorTables(world: InjectorWorld): string {
  return `${namespaceTable(world)}\n${hookTable(world)}`;
}

function namespaceTable({ namespaces, configurations, pods }: InjectorWorld): string {
  const rows = namespaces.flatMap((namespace) => {
    const revision = injectedRevision(namespace, configurations);
    const counts = podCounts(
      pods.filter((pod) => pod.metadata.namespace === namespace.metadata.name),
      revision,
    );
    if (counts.size === 0 && revision !== "") counts.set(revision, { pods: 0, disabled: 0, stale: 0 });
    return [...counts].map(([podRevision, count]) => [namespace.metadata.name, revision, countText(podRevision, count)]);
  });
  return rows.length === 0 ? "No Istio injected namespaces present.\n" : tabwriter([["NAMESPACE", "ISTIO-REVISION", "POD-REVISIONS"], ...rows], 1);
}

function hookTable({ namespaces, configurations, configMaps }: InjectorWorld): string {
  if (configurations.length === 0) return "No Istio injection hooks present.\n";
  const images = new Map(
    configMaps.map((map) => [map.metadata.labels?.["istio.io/rev"] ?? "", proxyImage(map)] as const).filter(([, image]) => image !== undefined),
  );
  const rows = [...configurations].sort(byName).flatMap((configuration) => {
    const revision = revisionOf(configuration);
    const selectors = hooksOf(configuration).filter(
      ({ name }) => name === "rev.namespace.sidecar-injector.istio.io" || name === "namespace.sidecar-injector.istio.io",
    );
    const matching = selectors.flatMap(({ namespaceSelector }) => namespaces.filter(({ metadata }) => selects(namespaceSelector, metadata.labels ?? {})));
    const names = [...new Set(matching.map(({ metadata }) => metadata.name))];
    return (names.length > 0 ? names : ["DOES NOT AUTOINJECT"]).map((name) => [name, configuration.metadata.name, revision, images.get(revision) ?? ""]);
  });
  return tabwriter([["NAMESPACES", "INJECTOR-HOOK", "ISTIO-REVISION", "SIDECAR-IMAGE"], ...rows], 1);
}

/** The revision whose webhook takes the namespace; what it asks for in vain is MISSING. */
function injectedRevision({ metadata }: KubeObject, configurations: readonly KubeObject[]): string {
  const labels = metadata.labels ?? {};
  const taking = configurations.find((configuration) => hooksOf(configuration).some(({ namespaceSelector }) => selects(namespaceSelector, labels)));
  if (taking) return revisionOf(taking);
  const revision = labels["istio.io/rev"];
  if (revision) return `MISSING/${revision}`;
  const switched = labels["istio-injection"];
  return switched === undefined || switched === "disabled" ? "" : "MISSING/istio-injection";
}

interface Count {
  pods: number;
  disabled: number;
  stale: number;
}

/** Pods by the revision that injected them. */
function podCounts(pods: readonly KubeObject[], namespaceRevision: string): Map<string, Count> {
  const counts = new Map<string, Count>();
  for (const { metadata } of pods) {
    const revision = podRevision(metadata);
    const name = revision === "" ? "<non-Istio>" : revision;
    const count = counts.get(name) ?? { pods: 0, disabled: 0, stale: 0 };
    counts.set(name, count);
    count.pods++;
    const wish = metadata.labels?.["sidecar.istio.io/inject"] ?? metadata.annotations?.["sidecar.istio.io/inject"];
    if (wish?.toLowerCase() === "false") count.disabled++;
    else if (revision !== namespaceRevision) count.stale++;
  }
  return counts;
}

/** What the injector noted on the pod. */
function podRevision({ annotations = {} }: KubeObject["metadata"]): string {
  const noted = annotations["istio.io/rev"];
  if (noted !== undefined) return noted;
  try {
    const status: unknown = JSON.parse(annotations["sidecar.istio.io/status"] ?? "");
    return typeof status === "object" && status !== null && "revision" in status && typeof status.revision === "string" ? status.revision : "";
  } catch {
    // Anybody can write an annotation: what cannot be read says nothing.
    return "";
  }
}

function countText(revision: string, { pods, disabled, stale }: Count): string {
  if (pods === 0) return "<no pods>";
  return `${revision}: ${pods}${disabled > 0 ? ` (injection disabled: ${disabled})` : ""}${stale > 0 ? ` NEEDS RESTART: ${stale}` : ""}`;
}

/** The proxy's image as the injection webhook's values name it. */
export function proxyImage(configMap: KubeObject): string | undefined {
  const { values } = (configMap.data ?? {}) as Record<string, unknown>;
  if (typeof values !== "string") return undefined;
  let global: { hub?: unknown; tag?: unknown; proxy?: { image?: unknown } } | undefined;
  try {
    ({ global } = JSON.parse(values) as { global?: typeof global });
  } catch {
    return undefined;
  }
  const image = global?.proxy?.image;
  if (typeof image !== "string" || image === "") return undefined;
  if (image.includes("/")) return image;
  return `${String(global?.hub ?? "")}/${image}:${String(global?.tag ?? "")}`;
}

function byName(a: KubeObject, b: KubeObject): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
