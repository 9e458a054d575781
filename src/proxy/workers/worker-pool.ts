import { toBinary } from "@bufbuild/protobuf";
import { AnySchema, type Any } from "@bufbuild/protobuf/wkt";
import type { Cluster } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterSchema } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { ClusterLoadAssignment } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { Listener } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { ListenerSchema } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { StatsConfigSchema } from "../../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import type { RouteConfiguration } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { RouteConfigurationSchema } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { DataPlane, type DataPlaneApi, type DataPlaneFactory } from "../data-plane.ts";
import { statText, type StatLine } from "../telemetry/stat-line.ts";
import { renderPrometheus } from "../telemetry/stats.ts";
import type { ClusterSnapshot, DataPlaneDeps, DrainOptions, ListenerSnapshot, ReferencedNames } from "../types.ts";
import { mergeClusters } from "./merge-clusters.ts";
import { mergeSamples } from "./merge-stats.ts";
import type { Asked, FromWorker, ResourceMessage, SentSample, ToWorker } from "./messages.ts";

export interface WorkerOptions {
  /** Processes in all, this one included. */
  readonly count: number;
  /** Starts a program that calls `runWorker`. */
  readonly command: readonly string[];
  readonly env?: { readonly [name: string]: string | undefined };
}

/** A worker that has no answer by then is counted as it was. */
const STATS_TIMEOUT_MS = 1000;
/** A worker that died is started again after this: one that dies at once must not fill the machine with starts. */
const RESTART_MS = 1000;
/** The order in which a late worker gets what there is. */
const REPLAY: readonly ResourceMessage["kind"][] = ["secret", "cluster", "endpoints", "extension", "routes", "listener"];

/** A data plane in so many processes; with one it is the ordinary one. */
export function workerDataPlanes(options: WorkerOptions): DataPlaneFactory {
  return (deps) => (options.count > 1 ? new WorkerPool(deps, options) : new DataPlane(deps));
}

/** What this process's data plane has taken goes to the workers too; what it refuses reaches none. */
class WorkerPool implements DataPlaneApi {
  readonly #own: DataPlane;
  readonly #workers: Worker[];
  readonly #resources = new Map<string, ResourceMessage>();
  readonly #watches = new Map<string, () => void>();
  #stopped = false;
  #healthFailed = false;

  constructor(
    private readonly deps: DataPlaneDeps,
    options: WorkerOptions,
  ) {
    this.#own = new DataPlane({ ...deps, reusePort: true });
    this.#workers = Array.from({ length: options.count - 1 }, () => new Worker(options, deps, () => this.#replay()));
  }

  setCluster(cluster: Cluster): void {
    this.#own.setCluster(cluster);
    this.#put({ kind: "cluster", name: cluster.name, bytes: toBinary(ClusterSchema, cluster) });
    this.#watchSecrets();
  }

  removeCluster(name: string): void {
    this.#own.removeCluster(name);
    this.#drop("cluster", name);
  }

  setEndpoints(assignment: ClusterLoadAssignment): void {
    this.#own.setEndpoints(assignment);
    this.#put({ kind: "endpoints", name: assignment.clusterName, bytes: toBinary(ClusterLoadAssignmentSchema, assignment) });
  }

  setListener(listener: Listener): void {
    this.#own.setListener(listener);
    this.#put({ kind: "listener", name: listener.name, bytes: toBinary(ListenerSchema, listener) });
    this.#watchSecrets();
  }

  removeListener(name: string): void {
    this.#own.removeListener(name);
    this.#drop("listener", name);
  }

  setRouteConfiguration(routes: RouteConfiguration): void {
    this.#own.setRouteConfiguration(routes);
    this.#put({ kind: "routes", name: routes.name, bytes: toBinary(RouteConfigurationSchema, routes) });
  }

  removeRouteConfiguration(name: string): void {
    this.#own.removeRouteConfiguration(name);
    this.#drop("routes", name);
  }

  setExtension(name: string, config: Any): void {
    this.#own.setExtension(name, config);
    this.#put({ kind: "extension", name, bytes: toBinary(AnySchema, config) });
  }

  removeExtension(name: string): void {
    this.#own.removeExtension(name);
    this.#drop("extension", name);
  }

  referenced(): ReferencedNames {
    return this.#own.referenced();
  }

  /** As of the last `refreshStats("clusters")`, for what the other processes have done. */
  clusters(): ClusterSnapshot[] {
    return mergeClusters(
      this.#own.clusters(),
      this.#workers.map((worker) => worker.clusters),
    );
  }

  listeners(): ListenerSnapshot[] {
    return this.#own.listeners();
  }

  /** As of the last `refreshStats`. */
  prometheus(): string {
    return renderPrometheus(this.#samples());
  }

  dottedStats(): { readonly lines: StatLine[]; readonly others: string } {
    const samples = this.#samples();
    const lines = samples.flatMap(({ dotted, kind, metric }) => (dotted === undefined ? [] : [{ name: dotted, kind, value: statText(metric) }]));
    return { lines, others: renderPrometheus(samples.filter(({ dotted }) => dotted === undefined)) };
  }

  async refreshStats(what: Asked = "stats"): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.refresh(what)));
  }

  failHealthChecks(failed: boolean): void {
    this.#own.failHealthChecks(failed);
    this.#healthFailed = failed;
    for (const worker of this.#workers) worker.send({ kind: "fail health checks", failed });
  }

  resetCounters(): void {
    this.#own.resetCounters();
    for (const worker of this.#workers) worker.send({ kind: "reset counters" });
  }

  drainListeners(options: DrainOptions): void {
    this.#own.drainListeners(options);
    for (const worker of this.#workers) worker.send({ kind: "drain listeners", options });
  }

  async drain(deadlineMs: number): Promise<void> {
    await Promise.all([this.#own.drain(deadlineMs), ...this.#workers.map((worker) => worker.drain(deadlineMs))]);
  }

  stop(): void {
    this.#stopped = true;
    for (const unwatch of this.#watches.values()) unwatch();
    for (const worker of this.#workers) worker.stop();
    this.#own.stop();
  }

  #samples() {
    return mergeSamples(
      this.#own.stats.samples(),
      this.#workers.map((worker) => worker.samples),
    );
  }

  #put(message: ResourceMessage): void {
    this.#resources.set(`${message.kind} ${message.name}`, message);
    for (const worker of this.#workers) worker.send(message);
  }

  #drop(what: "cluster" | "listener" | "routes" | "extension", name: string): void {
    this.#resources.delete(`${what} ${name}`);
    for (const worker of this.#workers) worker.send({ kind: "remove", what, name });
  }

  /** Secrets that some resource names, and every change of them. */
  #watchSecrets(): void {
    const { secrets } = this.deps;
    for (const name of this.#own.referenced().secrets) {
      if (this.#watches.has(name)) continue;
      const tell = (): void => {
        if (!this.#stopped) this.#put({ kind: "secret", name, secret: secrets.get(name) });
      };
      this.#watches.set(name, secrets.watch(name, tell));
      tell();
    }
  }

  *#replay(): IterableIterator<ToWorker> {
    if (this.#healthFailed) yield { kind: "fail health checks", failed: true };
    for (const kind of REPLAY) for (const message of this.#resources.values()) if (message.kind === kind) yield message;
  }
}

/** One more process. */
class Worker {
  samples: readonly SentSample[] = [];
  clusters: readonly ClusterSnapshot[] = [];
  #process: Bun.Subprocess | undefined;
  #asked = 0;
  #answered: (() => void) | undefined;
  #drained: (() => void) | undefined;
  #stopped = false;

  constructor(
    private readonly options: WorkerOptions,
    private readonly deps: DataPlaneDeps,
    private readonly replay: () => Iterable<ToWorker>,
  ) {
    this.#start();
  }

  send(message: ToWorker): void {
    this.#process?.send(message);
  }

  refresh(what: Asked): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.deps.clock.after(STATS_TIMEOUT_MS, () => this.#answered?.());
      this.#answered = () => {
        cancel();
        this.#answered = undefined;
        resolve();
      };
      this.send({ kind: "stats", id: ++this.#asked, what });
    });
  }

  drain(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#stopped = true;
      this.#drained = resolve;
      if (this.#process) this.send({ kind: "drain", deadlineMs });
      else resolve();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#process?.kill("SIGKILL");
    this.#drained?.();
  }

  #start(): void {
    const { node, statsConfig, overload, log, clock } = this.deps;
    const child = Bun.spawn({
      cmd: [...this.options.command],
      env: { ...process.env, ...this.options.env },
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      serialization: "advanced",
      ipc: (message) => this.#receive(message as FromWorker),
      onExit: (_child, code, signal) => {
        this.#process = undefined;
        this.#drained?.();
        this.#answered?.();
        if (this.#stopped) return;
        log.error("a worker has ended, another is started", { code: String(code ?? signal) });
        clock.after(RESTART_MS, () => {
          if (!this.#stopped) this.#start();
        });
      },
    });
    this.#process = child;
    this.send({ kind: "start", node, statsConfig: statsConfig && toBinary(StatsConfigSchema, statsConfig), overload });
    for (const message of this.replay()) this.send(message);
  }

  #receive(message: FromWorker): void {
    if (message.kind === "fault") this.deps.log.error("a worker cannot take what was accepted", { error: message.message });
    else if (message.kind === "drained") this.#drained?.();
    else if (message.id === this.#asked) {
      if (message.kind === "clusters") this.clusters = message.clusters;
      else this.samples = message.samples;
      this.#answered?.();
    }
  }
}
