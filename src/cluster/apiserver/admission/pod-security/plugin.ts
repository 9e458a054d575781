import type { KubeObject } from "../../../../resources/index.ts";
import type { Store } from "../../../store/index.ts";
import { forbidden, invalid } from "../../http/status.ts";
import { equalJson } from "../../json.ts";
import type { AdmissionPlugin, Attributes } from "../types.ts";
import { compareLevels, isSame, type LevelVersion, levelText, policyOf, violations, violationText } from "./levels.ts";
import type { ContainerShape, PodTemplate } from "./types.ts";

/** Writes to a pod that can change nothing of what the standards look at. */
const IGNORED_SUBRESOURCES = new Set(["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"]);
/** Where the kinds that make pods keep their template. */
const TEMPLATES: Record<string, readonly string[]> = {
  "/podtemplates": ["template"],
  "/replicationcontrollers": ["spec", "template"],
  "apps/daemonsets": ["spec", "template"],
  "apps/deployments": ["spec", "template"],
  "apps/replicasets": ["spec", "template"],
  "apps/statefulsets": ["spec", "template"],
  "batch/cronjobs": ["spec", "jobTemplate", "spec", "template"],
  "batch/jobs": ["spec", "template"],
};
/** As many pods of a namespace are looked at when its level rises: as the real server does. */
const MAX_PODS_CHECKED = 3_000;

/**
 * The Pod Security Standards: a namespace's labels say which level its pods must keep and of which their makers are warned.
 * https://kubernetes.io/docs/concepts/security/pod-security-admission/
 */
export function podSecurity(store: Store): AdmissionPlugin {
  return {
    validate(attributes: Attributes): void {
      const { resource, object, operation, subresource } = attributes;
      if (!object || (operation !== "CREATE" && operation !== "UPDATE")) return;
      if (resource.id === "/namespaces") {
        if (subresource === "") checkNamespace(store, attributes, object);
      } else if (resource.id === "/pods") {
        if (!IGNORED_SUBRESOURCES.has(subresource)) checkPod(store, attributes, object);
      } else {
        const path = TEMPLATES[resource.id];
        if (path && subresource === "") checkTemplate(store, attributes, at(object, path));
      }
    },
  };
}

function checkNamespace(store: Store, { resource, name, operation, old, warnings }: Attributes, namespace: KubeObject): void {
  const next = policyOf(namespace.metadata.labels);
  const previous = operation === "UPDATE" && old ? policyOf(old.metadata.labels) : undefined;
  if (next.errors.length > 0 && !(previous && equalJson(previous.errors, next.errors))) throw invalid(resource.definition, name, next.errors);
  if (!previous) return;
  const { enforce } = next.policy;
  const before = previous.policy.enforce;
  if (isSame(enforce, before) || (enforce.version === before.version && compareLevels(enforce, before) <= 0)) return;
  warnings.push(...warningsOfPods(store, name, enforce));
}

/** What the pods that are there break of a level that is new to their namespace: each kind of break once. */
function warningsOfPods(store: Store, namespace: string, level: LevelVersion): string[] {
  const pods = store.list("/pods", namespace).map(({ object }) => object);
  const broken = new Map<string, string[]>();
  for (const pod of onePerOwnerFirst(pods).slice(0, MAX_PODS_CHECKED)) {
    const reasons = violations(level, pod as PodTemplate)
      .map(({ reason }) => reason)
      .join(", ");
    if (reasons === "") continue;
    const names = broken.get(reasons);
    if (names) names.push(pod.metadata.name);
    else broken.set(reasons, [pod.metadata.name]);
  }
  const lines = [...broken].map(([reasons, names]) => {
    const others = names.length - 1;
    return `${names.sort()[0]}${others === 0 ? "" : ` (and ${others} other ${others === 1 ? "pod" : "pods"})`}: ${reasons}`;
  });
  return [
    ...(pods.length > MAX_PODS_CHECKED
      ? [`new PodSecurity enforce level only checked against the first ${MAX_PODS_CHECKED} of ${pods.length} existing pods`]
      : []),
    ...(lines.length > 0
      ? [`existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${JSON.stringify(levelText(level))}`]
      : []),
    ...lines.sort(),
  ];
}

/** Pods of one owner are alike: one of each is looked at before the rest. */
function onePerOwnerFirst(pods: KubeObject[]): KubeObject[] {
  const seen = new Set<string>();
  const [first, rest]: [KubeObject[], KubeObject[]] = [[], []];
  for (const pod of pods) {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
    (owner !== undefined && seen.has(owner) ? rest : first).push(pod);
    if (owner !== undefined) seen.add(owner);
  }
  return [...first, ...rest];
}

function checkPod(store: Store, attributes: Attributes, pod: KubeObject): void {
  const { operation, old, namespace, resource, name, warnings } = attributes;
  const { policy, errors } = policyOf(labelsOf(store, namespace));
  if (errors.length === 0 && policy.enforce.level === "privileged" && policy.warn.level === "privileged") return;
  if (operation === "UPDATE" && old && !isSignificant(pod as PodTemplate, old as PodTemplate)) return;
  const broken = violations(policy.enforce, pod as PodTemplate);
  if (broken.length > 0)
    throw forbidden(resource.definition, name, `violates PodSecurity ${JSON.stringify(levelText(policy.enforce))}: ${violationText(broken)}`);
  warn(policy.warn, pod as PodTemplate, warnings);
}

function checkTemplate(store: Store, { namespace, warnings }: Attributes, template: PodTemplate | undefined): void {
  if (template) warn(policyOf(labelsOf(store, namespace)).policy.warn, template, warnings);
}

function warn(level: LevelVersion, pod: PodTemplate, warnings: string[]): void {
  const broken = violations(level, pod);
  if (broken.length > 0) warnings.push(`would violate PodSecurity ${JSON.stringify(levelText(level))}: ${violationText(broken)}`);
}

function labelsOf(store: Store, namespace: string): Record<string, string> | undefined {
  return store.get("/namespaces", "", namespace)?.metadata.labels;
}

/** Of a pod that is there, only images and new containers can change what it may do. */
function isSignificant(pod: PodTemplate, old: PodTemplate): boolean {
  const differs = (a: ContainerShape[] = [], b: ContainerShape[] = []) => a.length !== b.length || a.some(({ image }, index) => image !== b[index]?.image);
  if (differs(pod.spec?.containers, old.spec?.containers) || differs(pod.spec?.initContainers, old.spec?.initContainers)) return true;
  const before = new Map((old.spec?.ephemeralContainers ?? []).map(({ name, image }) => [name, image]));
  return (pod.spec?.ephemeralContainers ?? []).some(({ name, image }) => !before.has(name) || before.get(name) !== image);
}

function at(object: unknown, path: readonly string[]): PodTemplate | undefined {
  let value = object;
  for (const key of path) value = (value as Record<string, unknown> | undefined)?.[key];
  return value as PodTemplate | undefined;
}
