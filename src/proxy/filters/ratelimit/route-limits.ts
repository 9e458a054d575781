import type { RateLimit } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import type { Route } from "../../router/route-table.ts";

/** Whether a virtual host's limits count beside the route's: only without own ones, always, or never. */
export type HostLimits = "override" | "include" | "ignore";

export const HOST_LIMITS: readonly HostLimits[] = ["override", "include", "ignore"];

/** The rate limits that apply on a route, as Envoy puts them together. */
export function limitsOf(route: Route | undefined, host: HostLimits): readonly RateLimit[] {
  if (!route) return [];
  const { own, host: ofHost, includeHost } = route.rateLimits;
  if (host === "ignore") return own;
  return own.length === 0 || host === "include" || includeHost ? [...own, ...ofHost] : own;
}
