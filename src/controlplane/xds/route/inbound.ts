import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RouteConfigurationSchema } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";

const NO_LIMIT = { seconds: 0n };

/** The routes of a port of the workload: all to the application, as long as it takes. */
export function inboundRoutes(cluster: string, port: number, operation: string, grpc: boolean): MessageInitShape<typeof RouteConfigurationSchema> {
  return {
    name: cluster,
    validateClusters: false,
    virtualHosts: [
      {
        name: `inbound|http|${port}`,
        domains: ["*"],
        routes: [
          {
            name: "default",
            match: { pathSpecifier: { case: "prefix", value: "/" } },
            decorator: { operation },
            action: {
              case: "route",
              value: {
                clusterSpecifier: { case: "cluster", value: cluster },
                timeout: NO_LIMIT,
                maxStreamDuration: { maxStreamDuration: NO_LIMIT, grpcTimeoutHeaderMax: NO_LIMIT },
                // A connection that the application has just closed is no failed request; streams of gRPC cannot be repeated.
                ...(!grpc && { retryPolicy: { retryOn: "reset-before-request", numRetries: 2 } }),
              },
            },
          },
        ],
      },
    ],
  };
}
