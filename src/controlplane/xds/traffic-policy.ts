import type { PortTrafficPolicy, TrafficPolicy } from "../../resources/index.ts";
import type { EffectiveRule } from "./scope/destination-rules.ts";

/** The policy for one port: a port's own settings replace those of the whole destination, they do not add to them. */
export function policyForPort(policy: TrafficPolicy | undefined, port: number): { policy: TrafficPolicy | undefined; ownOfPort: boolean } {
  const own = policy?.portLevelSettings?.find((settings) => settings.port?.number === port);
  if (!own) return { policy, ownOfPort: false };
  const { port: _, ...settings }: PortTrafficPolicy = own;
  return { policy: settings, ownOfPort: true };
}

/** The policy of a subset for one port, over that of its rule. */
export function policyForSubset(rule: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, port: number): TrafficPolicy | undefined {
  const base = policyForPort(rule, port).policy;
  if (!subset) return base;
  const { policy, ownOfPort } = policyForPort(subset, port);
  if (!base || !policy) return policy ?? base;
  const { portLevelSettings: _, ...inherited } = base;
  const merged: TrafficPolicy = ownOfPort ? withoutPortFields(inherited) : { ...inherited };
  for (const field of ["connectionPool", "outlierDetection", "loadBalancer", "tls", "tunnel", "proxyProtocol", "retryBudget"] as const) {
    if (policy[field] !== undefined) Object.assign(merged, { [field]: policy[field] });
  }
  return merged;
}

/** The policy of a cluster: of its rule, or of one of the rule's subsets. */
export function policyOf(rule: EffectiveRule | undefined, subset: string, port: number): TrafficPolicy | undefined {
  const own = subset === "" ? undefined : rule?.spec.subsets?.find(({ name }) => name === subset)?.trafficPolicy;
  return policyForSubset(rule?.spec.trafficPolicy, own, port);
}

/** What the mesh gives to everybody who says nothing of it: whole blocks, not single fields. */
export function withMeshDefault(policy: TrafficPolicy | undefined, meshDefault: unknown): TrafficPolicy | undefined {
  const { connectionPool, outlierDetection } = (typeof meshDefault === "object" && meshDefault !== null ? meshDefault : {}) as TrafficPolicy;
  if ((!connectionPool || policy?.connectionPool) && (!outlierDetection || policy?.outlierDetection)) return policy;
  const { portLevelSettings: _, ...own } = policy ?? {};
  return { ...(connectionPool && { connectionPool }), ...(outlierDetection && { outlierDetection }), ...own };
}

function withoutPortFields(policy: TrafficPolicy): TrafficPolicy {
  const { connectionPool: _, outlierDetection: __, loadBalancer: ___, tls: ____, ...rest } = policy;
  return rest;
}
