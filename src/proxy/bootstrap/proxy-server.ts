import { create, type JsonObject } from "@bufbuild/protobuf";
import { type Clock, type Logger, VERSION } from "../../base/index.ts";
import type { NameTable } from "../../proto/gen/istio/nds/nds_pb.ts";
import { NodeSchema, type Node } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { DataPlaneApi, DataPlaneFactory } from "../data-plane.ts";
import type { DrainOptions } from "../types.ts";
import { GrpcClient, type ConnectFd, type HeaderList } from "../grpc/index.ts";
import type { AccessLogSink, NodeIdentity, SocketFactory } from "../types.ts";
import { AdsClient, ConfigApplier, DeltaProtocol, readSecret, resourceName, SecretStore, SotwProtocol, XdsStore } from "../xds/index.ts";
import { BootstrapError, type ProxyBootstrap } from "./bootstrap.ts";
import { dialCluster } from "./dial-cluster.ts";
import { LayeredSecrets } from "./layered-secrets.ts";

export interface ProxyServerDeps {
  readonly bootstrap: ProxyBootstrap;
  readonly createDataPlane: DataPlaneFactory;
  readonly sockets: SocketFactory;
  readonly accessLog: (path: string) => AccessLogSink;
  /** Secrets that come from beside the control plane, such as the workload's certificate. */
  readonly localSecrets?: SecretStore;
  /** Names that `localSecrets` will hold, there yet or not. */
  readonly localSecretNames?: readonly string[];
  /** Metadata for the stream beside the bootstrap's own, read anew for each. */
  readonly streamMetadata?: () => HeaderList;
  /** How sockets to the control plane are made. */
  readonly connect?: ConnectFd;
  /** See ConfigApplier. */
  readonly nameTable?: (table: NameTable) => void;
  /** See ConfigApplier. */
  readonly onTaken?: (bytes: number) => void;
  readonly concurrency: number;
  readonly drainTimeMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Where the state of the control plane is told; default `log`. */
  readonly adsLog?: Logger;
}

export type ServerState = "LIVE" | "DRAINING" | "PRE_INITIALIZING" | "INITIALIZING";

/** One proxy: data plane, its control-plane client and what the admin pages show of both. */
export class ProxyServer {
  readonly deps: ProxyServerDeps;
  readonly dataPlane: DataPlaneApi;
  readonly store = new XdsStore();
  /** Secrets that came over ADS. */
  readonly adsSecrets = new SecretStore();
  /** Secrets of the bootstrap. */
  readonly staticSecrets = new SecretStore();
  readonly ads: AdsClient | undefined;
  readonly startedAt: number;
  #draining = false;
  #healthFailed = false;
  #onLive: (() => void)[] = [];

  /** Takes the static resources; throws BootstrapError when one is bad, since a proxy must not run with half of them. */
  constructor(deps: ProxyServerDeps) {
    this.deps = deps;
    const { bootstrap, clock, log, random } = deps;
    this.startedAt = clock.now();
    const local = deps.localSecrets ?? new SecretStore();
    for (const message of bootstrap.secrets) this.staticSecrets.set(message.name, readSecret(message), "", this.startedAt);
    this.dataPlane = deps.createDataPlane({
      node: bootstrap.node,
      secrets: new LayeredSecrets([local, this.staticSecrets, this.adsSecrets]),
      sockets: deps.sockets,
      clock,
      log,
      accessLog: deps.accessLog,
      random,
      statsConfig: bootstrap.statsConfig,
      overload: bootstrap.overload,
    });
    // Clusters of the proxy itself, as those of the control plane, carry no traffic and may be reached in other ways.
    const own = new Set([bootstrap.ads?.clusterName, ...bootstrap.clusters.filter(isPipe).map(({ name }) => name)]);
    this.#static(
      "cluster",
      bootstrap.clusters.filter(({ name }) => !own.has(name)),
      (cluster) => this.dataPlane.setCluster(cluster),
    );
    this.#static("listener", bootstrap.listeners, (listener) => this.dataPlane.setListener(listener));
    this.ads = bootstrap.ads && this.#adsClient(bootstrap.ads);
  }

  start(): void {
    this.ads?.start();
  }

  /** LIVE once the first configuration is complete; from then on until it drains, whatever the control plane does. */
  get state(): ServerState {
    if (this.#draining) return "DRAINING";
    return this.ads && !this.ads.live ? "PRE_INITIALIZING" : "LIVE";
  }

  /** Whether load balancers should send traffic here. */
  get healthy(): boolean {
    return !this.#healthFailed && this.state === "LIVE";
  }

  failHealthCheck(fail: boolean): void {
    this.#healthFailed = fail;
    this.dataPlane.failHealthChecks?.(fail);
  }

  /** Calls back once, when the proxy is LIVE. */
  whenLive(callback: () => void): void {
    if (this.state === "LIVE") callback();
    else this.#onLive.push(callback);
  }

  /** Load balancers shall look elsewhere; what comes nevertheless is still served. */
  announceDrain(): void {
    this.#draining = true;
  }

  /** See DataPlaneApi.drain; the state says so at once. */
  drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    return this.dataPlane.drain(deadlineMs);
  }

  /** Envoy's /drain_listeners; see DataPlaneApi.drainListeners. */
  drainListeners(options: DrainOptions): void {
    if (options.acceptForMs !== undefined) this.#draining = true;
    this.dataPlane.drainListeners?.(options);
  }

  /** What the configuration in force still waits for, by who waits. */
  unready(listenersOnly: boolean): { readonly name: string; readonly targets: readonly string[] }[] {
    const listeners = this.dataPlane
      .listeners()
      .flatMap(({ name, state }) => (state === "warming" ? [{ name: `listener ${name}`, targets: ["routes or secrets"] }] : []));
    if (listenersOnly || !this.ads) return listeners;
    const names = this.ads.unanswered();
    return names.length > 0 ? [{ name: "ADS", targets: names }, ...listeners] : listeners;
  }

  stop(): void {
    this.ads?.stop();
    this.dataPlane.stop();
  }

  #static<T extends { name: string }>(kind: string, resources: readonly T[], put: (resource: T) => void): void {
    for (const resource of resources) {
      try {
        put(resource);
      } catch (cause) {
        throw new BootstrapError(`static ${kind} ${resource.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      }
    }
  }

  #adsClient(config: NonNullable<ProxyBootstrap["ads"]>): AdsClient {
    const { bootstrap, clock, log, random, connect, streamMetadata, localSecretNames = [] } = this.deps;
    const cluster = bootstrap.clusters.find(({ name }) => name === config.clusterName);
    if (!cluster) throw new BootstrapError(`ads_config names the cluster ${config.clusterName}, which static_resources does not have`);
    const target = dialCluster(cluster, connect);
    const elsewhere = new Set([...localSecretNames, ...bootstrap.secrets.map(({ name }) => name)]);
    const applier = new ConfigApplier({
      dataPlane: this.dataPlane,
      store: this.store,
      secrets: this.adsSecrets,
      providedLocally: (name) => elsewhere.has(name),
      nameTable: this.deps.nameTable,
      onTaken: this.deps.onTaken,
      clock,
      log,
    });
    const node = nodeMessage(bootstrap.node);
    return new AdsClient({
      connect: () => GrpcClient.connect({ ...target, clock }),
      metadata: () => [...config.metadata, ...(streamMetadata?.() ?? [])],
      protocol: config.delta ? new DeltaProtocol(node, this.store) : new SotwProtocol(node, this.store, resourceName),
      applier,
      store: this.store,
      clock,
      random,
      log: this.deps.adsLog ?? log.child("xds"),
      onChange: () => this.#notify(),
    });
  }

  #notify(): void {
    if (this.#onLive.length === 0 || this.state !== "LIVE") return;
    for (const callback of this.#onLive.splice(0)) callback();
  }
}

/** The node with who we are, as it is sent and shown. */
export function nodeMessage(node: NodeIdentity): Node {
  const [majorNumber = 0, minorNumber = 0, patch = 0] = VERSION.split(".").map(Number);
  return create(NodeSchema, {
    id: node.id,
    cluster: node.cluster,
    metadata: node.metadata as JsonObject,
    locality: node.locality ?? {},
    userAgentName: "chainmail",
    userAgentVersionType: { case: "userAgentBuildVersion", value: { version: { majorNumber, minorNumber, patch } } },
  });
}

function isPipe(cluster: ProxyBootstrap["clusters"][number]): boolean {
  const host = cluster.loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier;
  return host?.case === "endpoint" && host.value.address?.address.case === "pipe";
}
