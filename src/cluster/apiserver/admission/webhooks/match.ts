import { type KubeObject, selectorMatches, type Webhook } from "../../../../resources/index.ts";
import type { Store } from "../../../store/index.ts";
import type { Catalogue, Resource } from "../../catalogue.ts";
import type { Attributes } from "../types.ts";

/** The parts of a webhook, and of an admission policy, that say which writes concern it. */
export type Matcher = Pick<Webhook, "rules" | "matchPolicy" | "namespaceSelector" | "objectSelector">;

/** Webhooks and policies are never asked about these: a broken one must not keep itself from being mended. */
const EXEMPT = new Set([
  "admissionregistration.k8s.io/mutatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "admissionregistration.k8s.io/validatingadmissionpolicybindings",
]);

/**
 * Whether a webhook is to be asked about a write, and in which version of the resource; conditions (CEL) are another
 * matter. Undefined when it is not.
 */
export function matchWebhook(webhook: Matcher, attributes: Attributes, catalogue: Catalogue, store: Store): Resource | undefined {
  if (EXEMPT.has(attributes.resource.id)) return undefined;
  const resource = matchRules(webhook, attributes, catalogue);
  if (!resource || !matchNamespace(webhook, attributes, store) || !matchObject(webhook, attributes)) return undefined;
  return resource;
}

function matchRules({ rules = [], matchPolicy }: Matcher, attributes: Attributes, catalogue: Catalogue): Resource | undefined {
  const { resource } = attributes;
  const { definition } = resource;
  const fits = (rule: NonNullable<Matcher["rules"]>[number], version: string) =>
    includes(rule.operations, attributes.operation) &&
    includes(rule.apiGroups, definition.group) &&
    includes(rule.apiVersions, version) &&
    matchResources(rule.resources, definition.plural, attributes.subresource) &&
    (rule.scope === undefined || rule.scope === "*" || (rule.scope === "Namespaced") === (attributes.namespace !== ""));
  if (rules.some((rule) => fits(rule, resource.version))) return resource;
  if (matchPolicy === "Exact") return undefined;
  // The same object in another version: it is shown to the webhook in the one that it knows.
  for (const { name } of definition.versions) {
    if (rules.some((rule) => fits(rule, name))) return catalogue.find(definition.group, name, definition.plural);
  }
  return undefined;
}

function matchResources(resources: readonly string[] | undefined, plural: string, subresource: string): boolean {
  return (
    resources?.some((pattern) => {
      const [name = "", sub = ""] = pattern.split("/");
      if (pattern === "*/*") return true;
      if (name !== "*" && name !== plural) return false;
      return sub === "*" ? subresource !== "" : sub === subresource;
    }) ?? false
  );
}

function matchNamespace({ namespaceSelector }: Matcher, { namespace, resource, object, old }: Attributes, store: Store): boolean {
  if (isEmptySelector(namespaceSelector)) return true;
  if (resource.id === "/namespaces") return selectorMatches(namespaceSelector, (object ?? old)?.metadata.labels);
  if (namespace === "") return true;
  return selectorMatches(namespaceSelector, store.get("/namespaces", "", namespace)?.metadata.labels);
}

function matchObject({ objectSelector }: Matcher, { object, old }: Attributes): boolean {
  if (isEmptySelector(objectSelector)) return true;
  return [object, old].some((one: KubeObject | undefined) => one !== undefined && selectorMatches(objectSelector, one.metadata.labels));
}

function isEmptySelector(selector: Matcher["objectSelector"]): boolean {
  return !selector || (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);
}

function includes(list: readonly string[] | undefined, value: string): boolean {
  return list?.some((item) => item === "*" || item === value) ?? false;
}
