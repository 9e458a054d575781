import { forbidden } from "../http/status.ts";
import type { UserInfo } from "../types.ts";
import type { Authorizer } from "./authorizer.ts";

const IMPERSONATABLE = ["users", "groups", "serviceaccounts"] as const;

/** Whom a request acts for: the caller, or who the Impersonate-* headers name, if the caller may. Throws 403. */
export function impersonated(caller: UserInfo, header: (name: string) => string | undefined, authorizer: Authorizer): UserInfo {
  const username = header("impersonate-user");
  const groups = (header("impersonate-group") ?? "")
    .split(",")
    .map((group) => group.trim())
    .filter((group) => group !== "");
  if (!username) {
    if (groups.length > 0 || header("impersonate-uid"))
      throw forbidden({ group: "", plural: "users", kind: "User" }, "", "requested groups or uid without impersonating a user");
    return caller;
  }
  check(caller, authorizer, "users", username);
  for (const group of groups) check(caller, authorizer, "groups", group);
  const uid = header("impersonate-uid");
  const all = username === "system:anonymous" ? ["system:unauthenticated"] : [...groups, ...serviceAccountGroups(username), "system:authenticated"];
  return { username, ...(uid ? { uid } : {}), groups: [...new Set(all)] };
}

/** The groups that every service account is in. */
export function serviceAccountGroups(username: string): string[] {
  const match = /^system:serviceaccount:([^:]+):[^:]+$/.exec(username);
  return match ? ["system:serviceaccounts", `system:serviceaccounts:${match[1]}`] : [];
}

function check(caller: UserInfo, authorizer: Authorizer, kind: (typeof IMPERSONATABLE)[number], name: string): void {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  const asked =
    kind === "users" && account
      ? { resource: "serviceaccounts", namespace: account[1] ?? "", name: account[2] ?? "" }
      : { resource: kind, namespace: "", name };
  const { allowed } = authorizer.authorize({ user: caller, verb: "impersonate", resource: { group: "", version: "v1", subresource: "", ...asked } });
  if (allowed) return;
  const where = asked.namespace ? `in the namespace ${JSON.stringify(asked.namespace)}` : "at the cluster scope";
  throw forbidden(
    { group: "", plural: asked.resource, kind: asked.resource },
    asked.name,
    `User ${JSON.stringify(caller.username)} cannot impersonate resource ${JSON.stringify(asked.resource)} in API group "" ${where}`,
  );
}
