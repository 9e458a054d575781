import type { Init } from "../../../proto/index.ts";
import type { RouteAction_HashPolicySchema } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import type { ConsistentHash, Destination, TrafficPolicy } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import type { EffectiveRule } from "../scope/destination-rules.ts";

/** The hash by which a rule keeps requests to one port of its service at one host. */
export function hashOfService(rule: EffectiveRule | undefined, port: number): ConsistentHash | undefined {
  const policy = rule?.spec.trafficPolicy;
  return hashOfPort(policy, port) ?? policy?.loadBalancer?.consistentHash;
}

/** The same for a route's destination: its subset's port, its subset, the port, the rule. */
export function hashOfDestination(rule: EffectiveRule | undefined, destination: Destination): ConsistentHash | undefined {
  const policy = rule?.spec.trafficPolicy;
  const subset = rule?.spec.subsets?.find(({ name }) => name === (destination.subset ?? ""))?.trafficPolicy;
  const port = destination.port?.number;
  return hashOfPort(subset, port) ?? subset?.loadBalancer?.consistentHash ?? hashOfPort(policy, port) ?? policy?.loadBalancer?.consistentHash;
}

export function hashPolicy(hash: ConsistentHash | undefined): Init<typeof RouteAction_HashPolicySchema> | undefined {
  if (!hash) return undefined;
  if (hash.httpHeaderName !== undefined) return { policySpecifier: { case: "header", value: { headerName: hash.httpHeaderName } } };
  if (hash.httpCookie) {
    const { name, path = "", attributes = [] } = hash.httpCookie;
    const ttl = parseDuration(hash.httpCookie.ttl);
    return {
      policySpecifier: {
        case: "cookie",
        value: { name, path, ...(ttl && { ttl }), attributes: attributes.map((attribute) => ({ name: attribute.name, value: attribute.value ?? "" })) },
      },
    };
  }
  if (hash.useSourceIp !== undefined) return { policySpecifier: { case: "connectionProperties", value: { sourceIp: hash.useSourceIp } } };
  if (hash.httpQueryParameterName !== undefined) return { policySpecifier: { case: "queryParameter", value: { name: hash.httpQueryParameterName } } };
  return undefined;
}

function hashOfPort(policy: TrafficPolicy | undefined, port: number | undefined): ConsistentHash | undefined {
  if (port === undefined) return undefined;
  return policy?.portLevelSettings?.find((settings) => settings.port?.number === port)?.loadBalancer?.consistentHash;
}
