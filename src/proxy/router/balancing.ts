import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { Host } from "../upstream/host.ts";
import type { LoadBalancerContext } from "../upstream/load-balancer.ts";
import { LB_METADATA, MetadataCriteria } from "../upstream/metadata-criteria.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import type { ForwardAction } from "./route-table.ts";

/** What a balancer is told of a request: its hash, the subset that its route and its own metadata mean, whom to avoid. */
export function balancingContext(
  action: ForwardAction,
  info: StreamInfo & { readonly overrideHost: LoadBalancerContext["override"] },
  hash: number | undefined,
  policy: RetryPolicy | undefined,
  tried: readonly Host[] | undefined,
): LoadBalancerContext {
  const criteria = MetadataCriteria.merged(action.criteria, info.dynamicMetadata?.get(LB_METADATA));
  // As Envoy: a retry goes wherever the balancer sends it.
  const override = info.attempts > 1 ? undefined : info.overrideHost;
  if (!policy || !tried) return { hash, criteria, override };
  return {
    override,
    hash,
    criteria,
    avoid: policy.avoidPreviousHosts ? tried : undefined,
    maxPicks: policy.maxHostPicks,
    avoidPriorities: policy.avoidPreviousPriorities ? new Set(tried.map((each) => each.spec.priority)) : undefined,
  };
}
