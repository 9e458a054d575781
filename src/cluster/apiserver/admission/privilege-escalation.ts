import type { KubeObject } from "../../../resources/index.ts";
import { isSuperuser } from "../auth/authorizer.ts";
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, covers, type PolicyRule, ROLE_BINDINGS, ROLES, type RbacAuthorizer } from "../auth/rbac.ts";
import { forbidden, notFound } from "../http/status.ts";
import { equalJson } from "../json.ts";
import type { AdmissionPlugin, Attributes } from "./types.ts";

/** Nobody gives away by a role or a binding what they do not have, unless a rule lets them (verbs escalate and bind). */
export function privilegeEscalation(rbac: RbacAuthorizer): AdmissionPlugin {
  return {
    validate(attributes: Attributes): void {
      const { resource, object, old, user, operation } = attributes;
      if (!object || operation === "DELETE" || isSuperuser(user)) return;
      if (resource.id === ROLES || resource.id === CLUSTER_ROLES) {
        const rules = rbac.rulesOfRole(object);
        if (old && equalJson(rules, rbac.rulesOfRole(old))) return;
        check(rbac, attributes, "escalate", object.metadata.name, rules);
      } else if (resource.id === ROLE_BINDINGS || resource.id === CLUSTER_ROLE_BINDINGS) {
        if (old && equalJson((old as KubeObject).subjects, object.subjects)) return;
        const { roleRef } = object as KubeObject & { roleRef?: { kind?: string; name?: string } };
        const { definition } = resource;
        if (!rbac.roleOfBinding(object)) throw notFound(definition, roleRef?.name ?? "");
        check(rbac, attributes, "bind", roleRef?.name ?? "", rbac.rulesOfBinding(object), roleRef?.kind === "Role" ? "roles" : "clusterroles");
      }
    },
  };
}

/** A rule on one line, as the real server writes it. */
function compact({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }: PolicyRule): string {
  const parts = Object.entries({ APIGroups: apiGroups, Resources: resources, NonResourceURLs: nonResourceURLs, ResourceNames: resourceNames, Verbs: verbs });
  return `{${parts.flatMap(([name, values]) => (values?.length ? [`${name}:[${values.map((value) => JSON.stringify(value)).join(" ")}]`] : [])).join(", ")}}`;
}

function check(
  rbac: RbacAuthorizer,
  { user, namespace, resource, name }: Attributes,
  verb: string,
  role: string,
  rules: PolicyRule[],
  roleResource = resource.definition.plural,
): void {
  const { group } = resource.definition;
  const action = { user, verb, resource: { group, version: "v1", resource: roleResource, subresource: "", namespace, name: role } };
  if (rbac.authorize(action).allowed) return;
  const owned = [...rbac.rulesFor(user, namespace)];
  const missing = rules.filter((rule) => !covers(owned, rule));
  if (missing.length === 0) return;
  const shown = missing.map(compact).join("\n");
  throw forbidden(
    resource.definition,
    name,
    `user ${JSON.stringify(user.username)} (groups=[${user.groups.map((one) => JSON.stringify(one)).join(" ")}]) is attempting to grant RBAC permissions not currently held:\n${shown}`,
  );
}
