import type { MessageInitShape } from "@bufbuild/protobuf";
import type { VirtualHostSchema } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import type { ConsistentHash, HttpRetry } from "../../../resources/index.ts";
import type { MeshConfig } from "../../registry/index.ts";
import { ANY_NAME, ANY_NAME_CLUSTER } from "../forward-proxy.ts";
import { BLACK_HOLE } from "../names.ts";
import type { ProxyHeaders } from "../proxy-headers.ts";
import { hashPolicy } from "./hash.ts";
import { retryPolicy } from "./retry.ts";
import { timeouts, type Route } from "./virtual-service.ts";

export type VirtualHost = MessageInitShape<typeof VirtualHostSchema>;

/** The status for hosts that nobody may call. */
const REFUSED = 502;
/** Envoy's own limit of 4 KB for answers in a route would refuse what Kubernetes lets people write. */
export const MAX_DIRECT_RESPONSE = 1_048_576;

const EVERYTHING = { pathSpecifier: { case: "prefix" as const, value: "/" } };

/** The route of a service that no VirtualService speaks of. */
export function defaultRoute(cluster: string, operation: string, mesh: MeshConfig, hash: ConsistentHash | undefined): Route {
  const policy = hashPolicy(hash);
  const retry = retryPolicy(mesh.defaultHttpRetryPolicy as HttpRetry | undefined, false);
  return {
    name: "default",
    match: EVERYTHING,
    decorator: { operation },
    action: {
      case: "route",
      value: {
        clusterSpecifier: { case: "cluster", value: cluster },
        ...timeouts(undefined),
        ...(retry && { retryPolicy: retry }),
        ...(policy && { hashPolicy: [policy] }),
      },
    },
  };
}

/** What happens to requests for hosts that are not of the mesh. `cluster` is where they go. */
export function catchAllHost(cluster: string, headers: ProxyHeaders): VirtualHost {
  const allowed = cluster !== BLACK_HOLE;
  const name = !allowed ? "block_all" : cluster === ANY_NAME_CLUSTER ? ANY_NAME : "allow_any";
  return {
    name,
    domains: ["*"],
    routes: [
      {
        name,
        match: EVERYTHING,
        action: allowed
          ? {
              case: "route",
              value: { clusterSpecifier: { case: "cluster", value: cluster }, ...timeouts(undefined), appendXForwardedHost: headers.forwardedHost },
            }
          : { case: "directResponse", value: { status: REFUSED } },
      },
    ],
    includeRequestAttemptCount: headers.includeRequestAttemptCount,
  };
}
