import type { UserInfo } from "../types.ts";

/** What somebody wants to do: to a resource, or to a path. */
export interface Action {
  user: UserInfo;
  verb: string;
  resource?: { group: string; version: string; resource: string; subresource: string; namespace: string; name: string };
  path?: string;
}

export interface Decision {
  allowed: boolean;
  /** Why, where there is more to say than that no rule allows it. */
  reason: string;
}

export interface Authorizer {
  authorize(action: Action): Decision;
}

/** Members may do everything, whatever the rules say. */
export const SUPERUSERS = "system:masters";

export function isSuperuser(user: UserInfo): boolean {
  return user.groups.includes(SUPERUSERS);
}
