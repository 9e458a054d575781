import type { StatScope } from "../../telemetry/stat-scope.ts";

export interface RbacCounters {
  enforced(allowed: boolean): void;
  shadow(allowed: boolean): void;
}

/** `rbac.allowed` and the like in a scope, each kind of rules under its own prefix if it has one. */
export function rbacCounters(stats: StatScope, rulesPrefix: string, shadowPrefix: string): RbacCounters {
  const counter = (prefix: string, stat: string) => stats.counter(prefix === "" ? `rbac.${stat}` : `rbac.${prefix.replace(/\.$/, "")}.${stat}`);
  const allowed = counter(rulesPrefix, "allowed");
  const denied = counter(rulesPrefix, "denied");
  const shadowAllowed = counter(shadowPrefix, "shadow_allowed");
  const shadowDenied = counter(shadowPrefix, "shadow_denied");
  return {
    enforced: (good) => (good ? allowed : denied).inc(),
    shadow: (good) => (good ? shadowAllowed : shadowDenied).inc(),
  };
}
