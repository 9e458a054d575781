import { fromBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { StatsConfigSchema } from "../../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import { RouteConfigurationSchema } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { DataPlane } from "../data-plane.ts";
import type { AccessLogSink, SocketFactory } from "../types.ts";
import { SecretStore } from "../xds/index.ts";
import { sendSamples } from "./merge-stats.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

export interface WorkerDeps {
  readonly sockets: SocketFactory;
  readonly accessLog: (path: string) => AccessLogSink;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** The life of a worker process: it does what the first process says, and ends with it. Never resolves. */
export function runWorker(deps: WorkerDeps): Promise<never> {
  const { clock } = deps;
  const secrets = new SecretStore();
  let plane: DataPlane | undefined;
  const say = (message: FromWorker): void => void process.send?.(message);
  const take = (message: ToWorker): void => {
    if (message.kind === "start") {
      const statsConfig = message.statsConfig && fromBinary(StatsConfigSchema, message.statsConfig);
      plane = new DataPlane({ ...deps, node: message.node, secrets, statsConfig, overload: message.overload, reusePort: true });
      return;
    }
    if (!plane) throw new Error(`${message.kind} before start`);
    switch (message.kind) {
      case "secret":
        if (message.secret) secrets.set(message.name, message.secret, "", clock.now());
        else secrets.remove(message.name);
        return;
      case "cluster":
        return plane.setCluster(fromBinary(ClusterSchema, message.bytes));
      case "endpoints":
        return plane.setEndpoints(fromBinary(ClusterLoadAssignmentSchema, message.bytes));
      case "listener":
        return plane.setListener(fromBinary(ListenerSchema, message.bytes));
      case "routes":
        return plane.setRouteConfiguration(fromBinary(RouteConfigurationSchema, message.bytes));
      case "extension":
        return plane.setExtension(message.name, fromBinary(AnySchema, message.bytes));
      case "remove":
        if (message.what === "cluster") plane.removeCluster(message.name);
        else if (message.what === "listener") plane.removeListener(message.name);
        else if (message.what === "routes") plane.removeRouteConfiguration(message.name);
        else plane.removeExtension(message.name);
        return;
      case "drain":
        void plane.drain(message.deadlineMs).then(() => say({ kind: "drained" }));
        return;
      case "drain listeners":
        return plane.drainListeners(message.options);
      case "fail health checks":
        return plane.failHealthChecks(message.failed);
      case "reset counters":
        return plane.resetCounters();
      case "stats":
        if (message.what === "clusters") return say({ kind: "clusters", id: message.id, clusters: plane.clusters() });
        return say({ kind: "stats", id: message.id, samples: sendSamples(plane.stats.samples()) });
    }
  };
  process.on("message", (message) => {
    try {
      take(message as ToWorker);
    } catch (error) {
      // The first process has taken it: whatever is wrong is wrong here only, and must be seen.
      say({ kind: "fault", message: errorText(error) });
    }
  });
  // Without the first process nobody governs this one.
  process.on("disconnect", () => process.exit(0));
  // Signals to the whole group are the first process's to handle: it drains us.
  process.on("SIGTERM", () => {});
  process.on("SIGINT", () => {});
  return new Promise(() => {});
}
