import { type KubeObject, type LabelSelector, selectorMatches } from "../../../resources/index.ts";
import type { Store } from "../../store/index.ts";
import { isObject } from "../json.ts";
import type { UserInfo } from "../types.ts";
import { type Action, type Authorizer, type Decision, isSuperuser } from "./authorizer.ts";

export interface PolicyRule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

const GROUP = "rbac.authorization.k8s.io";
export const CLUSTER_ROLES = `${GROUP}/clusterroles`;
export const CLUSTER_ROLE_BINDINGS = `${GROUP}/clusterrolebindings`;
export const ROLES = `${GROUP}/roles`;
export const ROLE_BINDINGS = `${GROUP}/rolebindings`;
const RESOURCES = [CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS];

/** Users with their namespaces whose rules are kept: more than a cluster of one machine has. */
const MAX_KEPT = 1024;

/** Decides by Role, ClusterRole and binding objects. What no rule allows is refused. */
export class RbacAuthorizer implements Authorizer {
  /** What holds for a user in a namespace, until any role or binding changes. */
  #kept = new Map<string, readonly PolicyRule[]>();
  #keptAt = -1;

  constructor(private readonly store: Store) {}

  authorize(action: Action): Decision {
    if (isSuperuser(action.user)) return ALLOWED;
    for (const rule of this.rulesFor(action.user, action.resource?.namespace ?? "")) if (allows(rule, action)) return ALLOWED;
    return { allowed: false, reason: "" };
  }

  /** By which binding somebody may do what they may: the answer to a review. "" for a superuser, who needs none. */
  explain(action: Action): string {
    if (isSuperuser(action.user)) return "";
    const namespace = action.resource?.namespace ?? "";
    const bindings = [...this.store.list(CLUSTER_ROLE_BINDINGS), ...(namespace === "" ? [] : this.store.list(ROLE_BINDINGS, namespace))];
    for (const { object } of bindings) {
      const subject = subjectFor(object, action.user, object.metadata.namespace ?? "");
      if (!subject || !this.rulesOfBinding(object).some((rule) => allows(rule, action))) continue;
      const { roleRef } = object as KubeObject & { roleRef: { kind: string; name: string } };
      const name = object.metadata.namespace ? `${object.metadata.name}/${object.metadata.namespace}` : object.metadata.name;
      const who = subject.kind === "ServiceAccount" ? `${subject.name}/${subject.namespace ?? object.metadata.namespace}` : subject.name;
      return `RBAC: allowed by ${object.kind} ${JSON.stringify(name)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${subject.kind} ${JSON.stringify(who)}`;
    }
    return "";
  }

  /** All rules that hold for a user, cluster-wide and in one namespace. */
  rulesFor(user: UserInfo, namespace: string): readonly PolicyRule[] {
    // Each only grows, so that no two states of all have the same sum.
    const now = RESOURCES.reduce((sum, resource) => sum + this.store.changes(resource), 0);
    if (now !== this.#keptAt || this.#kept.size >= MAX_KEPT) {
      this.#kept.clear();
      this.#keptAt = now;
    }
    const key = JSON.stringify([namespace, user.username, user.groups]);
    let rules = this.#kept.get(key);
    if (!rules) this.#kept.set(key, (rules = this.#collect(user, namespace)));
    return rules;
  }

  #collect(user: UserInfo, namespace: string): PolicyRule[] {
    const everywhere = this.store.list(CLUSTER_ROLE_BINDINGS).filter(({ object }) => appliesTo(object, user, ""));
    const here = namespace === "" ? [] : this.store.list(ROLE_BINDINGS, namespace).filter(({ object }) => appliesTo(object, user, namespace));
    return [...everywhere, ...here].flatMap(({ object }) => this.rulesOfBinding(object));
  }

  /** The rules of the role that a binding names; none if it does not exist. */
  rulesOfBinding(binding: KubeObject): PolicyRule[] {
    const role = this.roleOfBinding(binding);
    return role ? this.rulesOfRole(role) : [];
  }

  roleOfBinding(binding: KubeObject): KubeObject | undefined {
    const { roleRef } = binding as KubeObject & { roleRef?: { kind?: string; name?: string } };
    if (!roleRef?.name) return undefined;
    const role =
      roleRef.kind === "Role" ? this.store.get(ROLES, binding.metadata.namespace ?? "", roleRef.name) : this.store.get(CLUSTER_ROLES, "", roleRef.name);
    return role?.object;
  }

  /** A role's own rules and those of the roles it aggregates, which may aggregate in turn. */
  rulesOfRole(role: KubeObject, seen: Set<string> = new Set()): PolicyRule[] {
    const { aggregationRule, rules } = role as KubeObject & { aggregationRule?: { clusterRoleSelectors?: LabelSelector[] }; rules?: PolicyRule[] };
    const own = Array.isArray(rules) ? rules : [];
    if (!aggregationRule) return own;
    seen.add(role.metadata.name);
    const aggregated = this.store
      .list(CLUSTER_ROLES)
      .filter(
        ({ name, object }) => !seen.has(name) && aggregationRule.clusterRoleSelectors?.some((selector) => selectorMatches(selector, object.metadata.labels)),
      )
      .flatMap(({ object }) => this.rulesOfRole(object, seen));
    return [...own, ...aggregated];
  }
}

const ALLOWED: Decision = { allowed: true, reason: "" };

function appliesTo(binding: KubeObject, user: UserInfo, bindingNamespace: string): boolean {
  return subjectFor(binding, user, bindingNamespace) !== undefined;
}

/** The subject of a binding that means a user. */
function subjectFor(binding: KubeObject, user: UserInfo, bindingNamespace: string): Subject | undefined {
  const { subjects } = binding as KubeObject & { subjects?: Subject[] };
  if (!Array.isArray(subjects)) return undefined;
  return subjects.find((subject) => {
    if (!isObject(subject)) return false;
    switch (subject.kind) {
      case "User":
        return subject.name === user.username;
      case "Group":
        return user.groups.includes(subject.name);
      case "ServiceAccount":
        return user.username === `system:serviceaccount:${subject.namespace ?? bindingNamespace}:${subject.name}`;
      default:
        return false;
    }
  });
}

export function allows(rule: PolicyRule, { verb, resource, path }: Action): boolean {
  if (!includes(rule.verbs, verb)) return false;
  if (path !== undefined) return rule.nonResourceURLs?.some((pattern) => matchesPath(pattern, path)) ?? false;
  if (!resource) return false;
  return (
    includes(rule.apiGroups, resource.group) &&
    matchesResource(rule.resources, resource.resource, resource.subresource) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(resource.name))
  );
}

function includes(list: readonly string[] | undefined, value: string): boolean {
  return list !== undefined && (list.includes("*") || list.includes(value));
}

function matchesResource(resources: readonly string[] | undefined, resource: string, subresource: string): boolean {
  if (!resources) return false;
  const full = subresource ? `${resource}/${subresource}` : resource;
  return resources.includes("*") || resources.includes(full) || (subresource !== "" && resources.includes(`*/${subresource}`));
}

function matchesPath(pattern: string, path: string): boolean {
  return pattern === "*" || pattern === path || (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1)));
}

/**
 * Whether rules that somebody has cover a rule that they want to give away: each verb on each resource and name must be
 * theirs.
 */
export function covers(owned: readonly PolicyRule[], wanted: PolicyRule): boolean {
  const single = (rule: PolicyRule) =>
    owned.some(
      (own) =>
        coversList(own.verbs, rule.verbs) &&
        coversList(own.apiGroups, rule.apiGroups) &&
        (rule.resources ?? []).every((resource) => {
          const [name = "", sub = ""] = resource.split("/");
          return matchesResource(own.resources, name, sub) || (own.resources ?? []).includes(resource);
        }) &&
        (!own.resourceNames?.length || (rule.resourceNames?.length ? coversList(own.resourceNames, rule.resourceNames) : false)) &&
        (rule.nonResourceURLs ?? []).every((url) => own.nonResourceURLs?.some((pattern) => matchesPath(pattern, url)) ?? false),
    );
  const count =
    (wanted.verbs?.length ?? 0) * (wanted.apiGroups?.length ?? 1) * (wanted.resources?.length ?? 1) * Math.max(1, wanted.resourceNames?.length ?? 1);
  return count <= MAX_ATOMS && atoms(wanted).every(single);
}

/** A rule that stands for more combinations than any real one is not worth the time. */
const MAX_ATOMS = 20_000;

/** A rule split into rules of one verb, group, resource or path each. */
function atoms(rule: PolicyRule): PolicyRule[] {
  const result: PolicyRule[] = [];
  for (const verb of rule.verbs ?? []) {
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const base = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (rule.resourceNames?.length) for (const name of rule.resourceNames) result.push({ ...base, resourceNames: [name] });
        else result.push(base);
      }
    }
    for (const url of rule.nonResourceURLs ?? []) result.push({ verbs: [verb], nonResourceURLs: [url] });
  }
  return result;
}

function coversList(own: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean {
  return (wanted ?? []).every((value) => includes(own, value));
}
