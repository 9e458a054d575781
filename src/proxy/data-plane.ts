import type { Cluster } from "../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { ClusterLoadAssignment } from "../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { Listener } from "../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import type { RouteConfiguration } from "../proto/gen/envoy/config/route/v3/route_pb.ts";
import type { ClusterSnapshot, DataPlaneDeps, ListenerSnapshot, ReferencedNames } from "./types.ts";

export * from "./types.ts";

/**
 * One proxy's data plane: resources go in already decoded and take effect before the call returns, or throw
 * `InvalidResource` and leave what was in force.
 */
export interface DataPlaneApi {
  setCluster(cluster: Cluster): void;
  removeCluster(name: string): void;
  setEndpoints(assignment: ClusterLoadAssignment): void;
  setListener(listener: Listener): void;
  removeListener(name: string): void;
  setRouteConfiguration(routes: RouteConfiguration): void;
  removeRouteConfiguration(name: string): void;
  /** Names that clusters and listeners (warming ones included) refer to. */
  referenced(): ReferencedNames;
  clusters(): ClusterSnapshot[];
  listeners(): ListenerSnapshot[];
  /** Envoy's and Istio's metrics in Prometheus text. */
  prometheus(): string;
  /** Stops accepting, asks clients to go, and resolves when all connections are gone or the deadline has forced them. */
  drain(deadlineMs: number): Promise<void>;
  /** Closes everything at once. */
  stop(): void;
}

export type DataPlaneFactory = (deps: DataPlaneDeps) => DataPlaneApi;
