import type { KubeObject } from "../../../resources/types.ts";
import { goYaml } from "../format/go-yaml.ts";
import { componentSets } from "./components.ts";
import type { InstallSettings } from "./settings.ts";

/** All objects as YAML, in an order in which `kubectl apply -f` can take them. */
export function manifestText(settings: InstallSettings): string {
  const objects = componentSets(settings).flatMap((set) => set.objects);
  return objects
    .map((object, index) => ({ object, index, rank: rank(object) }))
    .sort(
      (a, b) =>
        a.rank - b.rank ||
        compare(groupOf(a.object), groupOf(b.object)) ||
        compare(a.object.kind, b.object.kind) ||
        compare(a.object.metadata.name, b.object.metadata.name) ||
        a.index - b.index,
    )
    .map(({ object }) => `${goYaml(object)}\n---\n`)
    .join("");
}

/** Definitions, then who may do what, then what pods read, pods, and last the addresses that lead to them. */
function rank({ kind }: KubeObject): number {
  switch (kind) {
    case "CustomResourceDefinition":
      return -1000;
    case "ServiceAccount":
    case "ClusterRole":
      return 1;
    case "ClusterRoleBinding":
      return 2;
    case "ValidatingWebhookConfiguration":
      return 3;
    case "ConfigMap":
      return 100;
    case "Service":
      return 10_000;
    default:
      return 1000;
  }
}

function groupOf({ apiVersion }: KubeObject): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
