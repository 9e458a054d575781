import { hostname } from "node:os";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Cluster } from "../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { ClusterLoadAssignment } from "../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { Listener } from "../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import type { RouteConfiguration } from "../proto/gen/envoy/config/route/v3/route_pb.ts";
import { SharedExporters } from "./export/index.ts";
import { ExtensionStore } from "./filters/extension-store.ts";
import { ListenerManager } from "./listener/listener-manager.ts";
import { compileRoutes } from "./listener/routes.ts";
import type * as OverloadRoom from "./overload/index.ts";
import { checkConstraints } from "./constraints/index.ts";
import type { RouteTable } from "./router/route-table.ts";
import { preciseWall } from "./precise-wall.ts";
import type { Services } from "./services.ts";
import { sharedAccessLogs } from "./telemetry/access-log-sinks.ts";
import { CoreStats } from "./telemetry/core-stats.ts";
import { IstioMetrics } from "./telemetry/istio-metrics.ts";
import { fromNodeMetadata, PeerExchange } from "./telemetry/peer-metadata.ts";
import { PlaintextConnections } from "./telemetry/plaintext-connections.ts";
import { RefusedConnections } from "./telemetry/refused-connections.ts";
import { publishManagerStats } from "./telemetry/server-stats.ts";
import { StatNaming } from "./telemetry/stat-names.ts";
import { statText, type StatLine } from "./telemetry/stat-line.ts";
import { StatsRegistry } from "./telemetry/stats.ts";
import { ContextCache } from "./tls/contexts.ts";
import { PeerCertificates } from "./tls/peer.ts";
import type { ClusterSnapshot, DataPlaneDeps, DrainOptions, ListenerSnapshot, ReferencedNames } from "./types.ts";
import { ClusterManager } from "./upstream/cluster-manager.ts";

export * from "./types.ts";

/** What the xDS client, the agent and the admin pages see of a data plane. */
export type DataPlaneApi = Pick<
  DataPlane,
  | "setCluster"
  | "removeCluster"
  | "setEndpoints"
  | "setListener"
  | "removeListener"
  | "setRouteConfiguration"
  | "removeRouteConfiguration"
  | "referenced"
  | "clusters"
  | "listeners"
  | "prometheus"
  | "drain"
  | "stop"
> & {
  /** Where statistics are elsewhere: fetches them, for the functions that show them. `clusters`: those of hosts. */
  refreshStats?(what?: "stats" | "clusters"): Promise<void>;
} & Partial<Pick<DataPlane, "failHealthChecks" | "setExtension" | "removeExtension" | "dottedStats" | "drainListeners" | "resetCounters">>;

export type DataPlaneFactory = (deps: DataPlaneDeps) => DataPlaneApi;

export const createDataPlane: DataPlaneFactory = (deps) => new DataPlane(deps);

/** Idle connections and lasting TCP connections are looked at so often; their time-outs are minutes. */
const TICK_MS = 1000;
/** Idle upstream connections are looked at every so many ticks. */
const SWEEP_TICKS = 5;

/**
 * One proxy's data plane: resources go in already decoded and take effect before the call returns (or as soon as what
 * they wait for is there), or throw `InvalidResource` and leave what was in force.
 */
export class DataPlane {
  readonly stats = new StatsRegistry();
  readonly #services: Services;
  readonly #clusters = new ClusterManager();
  readonly #listeners: ListenerManager;
  readonly #core: CoreStats;
  readonly #extensions = new ExtensionStore();
  readonly #health = { failed: false };
  readonly #routes = new Map<string, RouteTable>();
  readonly #secretWatches = new Map<string, () => void>();
  #cancelTick: (() => void) | undefined;
  #ticks = 0;
  #stopped = false;

  constructor(private readonly deps: DataPlaneDeps) {
    const { metadata } = deps.node;
    const version = metadata["ISTIO_VERSION"];
    this.#core = new CoreStats(new StatNaming(deps.statsConfig), () => this.#clusters.stats());
    this.stats.addSource(() => this.#core.samples());
    this.#services = {
      ...deps,
      core: this.#core,
      accessLog: sharedAccessLogs(deps.accessLog),
      stats: this.stats,
      refused: new RefusedConnections(this.stats),
      plaintext: new PlaintextConnections(this.stats),
      contexts: new ContextCache(),
      peers: new PeerCertificates(),
      clusters: this.#clusters,
      exchange: new PeerExchange(deps.node),
      istio: new IstioMetrics(this.stats, fromNodeMetadata(metadata), typeof version === "string" ? version : ""),
      overload:
        deps.overload &&
        new (require("./overload/index.ts") as typeof OverloadRoom).Overload(deps.overload, {
          clock: deps.clock,
          core: this.#core,
          memory: () => process.memoryUsage.rss(),
          shrink: () => void Bun.gc(false),
        }),
      extensions: this.#extensions,
      exporters: new SharedExporters(),
      hostname: hostname(),
      health: this.#health,
      onFault: (error) => deps.log.error("a connection was ended by a fault in the proxy", { error: error.message, stack: error.stack ?? "" }),
      monotonic: () => performance.now(),
      wall: preciseWall(() => deps.clock.now()),
    };
    this.#clusters.attach(this.#services);
    this.#listeners = new ListenerManager(
      this.#services,
      { source: (name) => ({ current: () => this.#routes.get(name) }) },
      {
        hasRoutes: (name) => this.#routes.has(name),
        hasSecret: (name) => deps.secrets.get(name) !== undefined,
        hasExtension: (name) => this.#extensions.has(name),
      },
    );
    publishManagerStats(this.stats, this.#listeners, this.#clusters);
    this.#tick();
  }

  /** Filters that answer health checks say so, until told otherwise. */
  failHealthChecks(failed: boolean): void {
    this.#health.failed = failed;
  }

  setCluster(cluster: Cluster): void {
    checkConstraints(cluster);
    this.#clusters.set(cluster);
  }

  removeCluster(name: string): void {
    this.#clusters.remove(name);
  }

  setEndpoints(assignment: ClusterLoadAssignment): void {
    checkConstraints(assignment);
    this.#clusters.assign(assignment);
  }

  setListener(listener: Listener): void {
    checkConstraints(listener);
    this.#listeners.set(listener);
    this.#watchSecrets();
  }

  removeListener(name: string): void {
    this.#listeners.remove(name);
    this.#watchSecrets();
  }

  setRouteConfiguration(routes: RouteConfiguration): void {
    checkConstraints(routes);
    const table = compileRoutes(routes, this.#services, false);
    this.#routes.set(routes.name, table);
    this.#listeners.recheck();
  }

  removeRouteConfiguration(name: string): void {
    this.#routes.delete(name);
  }

  /** A filter configuration by its filter's name. */
  setExtension(name: string, config: Any): void {
    this.#extensions.set(name, config);
    this.#listeners.recheck();
  }

  removeExtension(name: string): void {
    this.#extensions.remove(name);
  }

  /** Names that clusters and listeners (warming ones included) refer to. */
  referenced(): ReferencedNames {
    const clusters = this.#clusters.references();
    const listeners = this.#listeners.references();
    return { eds: clusters.eds, rds: listeners.rds, secrets: [...new Set([...clusters.secrets, ...listeners.secrets])], extensions: listeners.extensions };
  }

  clusters(): ClusterSnapshot[] {
    return this.#clusters.snapshots();
  }

  listeners(): ListenerSnapshot[] {
    return this.#listeners.snapshots();
  }

  /** Envoy's and Istio's metrics in Prometheus text. */
  prometheus(): string {
    return this.stats.prometheus();
  }

  /** Envoy's statistics under their dotted names, and all others in Prometheus text. */
  dottedStats(): { readonly lines: StatLine[]; readonly others: string } {
    const lines = [...this.#core.samples()].map(({ dotted = "", kind, metric }) => ({ name: dotted, kind, value: statText(metric) }));
    return { lines, others: this.stats.prometheus(false) };
  }

  /** Sets every counter to zero, as Envoy's /reset_counters does; gauges and histograms stay. */
  resetCounters(): void {
    this.#core.resetCounters();
    this.stats.resetCounters();
  }

  /** Listeners stop accepting, now or after a time in which each connection is asked to go after its request. */
  drainListeners({ inboundOnly, acceptForMs }: DrainOptions): void {
    const { clock } = this.deps;
    if (acceptForMs === undefined) this.#listeners.stopAccepting(inboundOnly);
    else {
      this.#listeners.askToGo(inboundOnly);
      if (Number.isFinite(acceptForMs)) clock.after(acceptForMs, () => this.#listeners.stopAccepting(inboundOnly));
    }
  }

  /** Stops accepting, asks clients to go, and resolves when all connections are gone or the deadline has forced them. */
  drain(deadlineMs: number): Promise<void> {
    const { clock } = this.deps;
    const end = clock.now() + deadlineMs;
    this.#listeners.drain();
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#stopped || this.#listeners.totals().connections === 0 || clock.now() >= end) {
          this.#listeners.close();
          resolve();
        } else clock.after(DRAIN_LOOK_MS, look);
      };
      look();
    });
  }

  /** Closes everything at once. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTick?.();
    for (const unwatch of this.#secretWatches.values()) unwatch();
    this.#secretWatches.clear();
    this.#listeners.close();
    this.#clusters.close();
    this.#services.overload?.stop();
    this.#services.exporters.stop();
  }

  #tick(): void {
    this.#cancelTick = this.deps.clock.after(TICK_MS, () => {
      this.#listeners.tick(this.#services.monotonic());
      if (++this.#ticks % SWEEP_TICKS === 0) this.#clusters.sweep();
      this.#tick();
    });
  }

  /** A listener may wait for a secret: look again when one comes. */
  #watchSecrets(): void {
    const wanted = new Set(this.#listeners.references().secrets);
    for (const [name, unwatch] of this.#secretWatches) {
      if (wanted.has(name)) continue;
      unwatch();
      this.#secretWatches.delete(name);
    }
    for (const name of wanted) {
      if (!this.#secretWatches.has(name))
        this.#secretWatches.set(
          name,
          this.deps.secrets.watch(name, () => this.#listeners.recheck()),
        );
    }
  }
}

/** While draining, connections are counted so often. */
const DRAIN_LOOK_MS = 50;
