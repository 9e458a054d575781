import { isIP } from "node:net";
import { errorText } from "../../base/index.ts";
import { Cluster_DiscoveryType } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { HealthStatus } from "../../proto/gen/envoy/config/core/v3/health_check_pb.ts";
import type { ClusterLoadAssignment } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { LbEndpoint, LocalityLbEndpoints } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
import type { ConnectionInfo } from "../net/connection-info.ts";
import type { Services } from "../services.ts";
import type { FilterMetadata, UpstreamClusterInfo } from "../telemetry/stream-info.ts";
import { InvalidResource, type CircuitBreakerThresholds, type ClusterSnapshot, type SocketAddress } from "../types.ts";
import { readAddress, type ClusterConfig } from "./cluster-config.ts";
import type { ClusterStats } from "./cluster-stats.ts";
import { DnsWatch, systemResolve } from "./dns.ts";
import type * as HealthModule from "./health-check/health-checker.ts";
import { AlpnPool } from "./alpn-pool.ts";
import { Host, type HostSpec } from "./host.ts";
import { Http1Pool } from "./http1-pool.ts";
import { Http2Pool } from "./http2-pool.ts";
import type { PoolTarget } from "./pool-connections.ts";
import type { UpstreamPool } from "./pool.ts";
import { LoadBalancer, type LoadBalancerContext } from "./load-balancer.ts";
import type * as OutlierModule from "./outlier-detection.ts";
import { nameOf } from "./request-name.ts";
import { PrioritySet, type LocalityHosts } from "./priority-set.ts";
import { writeProxyHeader } from "./proxy-header.ts";
import { SlowStart } from "./slow-start.ts";
import type * as SubsetsModule from "./subsets.ts";
import { TcpTunnels } from "./tcp-tunnel.ts";
import { TRANSPORT_MATCH, TransportSockets, type UpstreamTransport } from "./transport.ts";

/** For which connection a pool is asked. */
export interface PoolWish {
  readonly alpn: readonly string[] | undefined;
  /** The HTTP version of the client. */
  readonly downstream: 1 | 2;
  /** Not HTTP: the bytes of a CONNECT that ends here. */
  readonly tunnel?: boolean;
  /** Host of the request, for clusters whose servers are asked for by it. */
  readonly authority: string;
  /** On whose behalf; undefined for the proxy's own calls. */
  readonly client: ConnectionInfo | undefined;
}

const NO_CONTEXT: LoadBalancerContext = {};

/** A cluster in force: its hosts, how one is chosen, and the connections to them. */
export class Cluster implements UpstreamClusterInfo, HealthModule.HealthCheckOwner {
  /** What circuit breakers count. */
  readonly load = { connections: 0, pending: 0, requests: 0, retries: 0 };
  readonly transports: TransportSockets;
  /** An EDS cluster is warm when its endpoints have come; others at once. */
  warm: boolean;
  readonly #priorities: PrioritySet;
  readonly #balancer: LoadBalancer;
  readonly #subsets: SubsetsModule.Subsets | undefined;
  readonly #hosts = new Map<string, Host>();
  #disposed = false;
  readonly #outlier: OutlierModule.OutlierDetector | undefined;
  readonly #slowStart: SlowStart | undefined;
  readonly #checkers: readonly HealthModule.HealthChecker[];
  /** Health checks whose first round is not over: until then nobody knows whom to send requests to. */
  #unchecked: number;
  #assigned = false;
  #localities: readonly LocalityHosts[] = [];
  #dns: DnsWatch[] = [];
  #resolved = new Map<string, readonly string[]>();
  /** Called when the cluster becomes warm later. */
  onWarm: (() => void) | undefined;

  /** Throws InvalidResource. */
  constructor(
    readonly config: ClusterConfig,
    readonly services: Services,
    readonly stats: ClusterStats,
  ) {
    this.transports = new TransportSockets(config.proto.transportSocket, config.proto.transportSocketMatches, services);
    if (config.http === "auto" && this.transports.all().some(({ kind }) => kind === "raw")) {
      this.transports.dispose();
      throw new InvalidResource(
        "INVALID_CLUSTER",
        `ALPN configured for cluster ${config.name} which has a non-ALPN transport socket: ${config.proto.transportSocket?.name ?? "none"}`,
      );
    }
    const priorities = { panicThreshold: config.panicThreshold, overprovisioning: 140, localityWeighted: config.lb.localityWeighted };
    this.#priorities = new PrioritySet(priorities);
    this.#slowStart = config.lb.slowStart && new SlowStart(config.lb.slowStart, services.monotonic);
    const balancing = { ...config.lb, random: services.random, slowStart: this.#slowStart };
    this.#balancer = new LoadBalancer(this.#priorities, balancing);
    this.#subsets = config.subsets && new (require("./subsets.ts") as typeof SubsetsModule).Subsets(config.subsets, priorities, balancing, stats);
    this.#checkers = config.healthChecks.map((check) => new (require("./health-check/health-checker.ts") as typeof HealthModule).HealthChecker(check, this));
    this.#outlier =
      config.outlier &&
      new (require("./outlier-detection.ts") as typeof OutlierModule).OutlierDetector(
        config.outlier,
        () => [...this.#priorities.hosts()],
        () => this.#refresh(),
        services.clock,
        services.random,
        stats,
      );
    this.#unchecked = this.#checkers.length;
    this.warm = (config.type === Cluster_DiscoveryType.STATIC && this.#unchecked === 0) || config.type === Cluster_DiscoveryType.ORIGINAL_DST;
    if (config.type === Cluster_DiscoveryType.STATIC && config.assignment) this.assign(config.assignment);
    if (config.type === Cluster_DiscoveryType.STRICT_DNS || config.type === Cluster_DiscoveryType.LOGICAL_DNS) this.#watchNames();
  }

  get name(): string {
    return this.config.name;
  }
  get observabilityName(): string {
    return this.config.observabilityName;
  }
  get metadata(): FilterMetadata {
    return this.config.metadata;
  }
  get connectTimeoutMs(): number {
    return this.config.connectTimeoutMs;
  }
  get bindAddress(): string | undefined {
    return this.config.bindAddress;
  }
  get limits(): CircuitBreakerThresholds {
    return this.config.limits.default;
  }
  get tracksRemaining(): boolean {
    return this.config.tracksRemaining;
  }
  get activeSubsets(): number {
    return this.#subsets?.active ?? 0;
  }
  get maxRequestsPerConnection(): number {
    return this.config.maxRequestsPerConnection;
  }

  /** A host by the balancer; undefined when none is usable. For original-destination clusters see `originalDestination`. */
  choose(context?: LoadBalancerContext): Host | undefined {
    if (context?.override) {
      const host = this.#overriding(context.override.address, context);
      if (host || context.override.strict) return host;
    }
    return this.#subsets ? this.#subsets.choose(context ?? NO_CONTEXT) : this.#balancer.choose(context);
  }

  /** The host that a request belongs to, while its health allows it and the request has not failed there. */
  #overriding(address: string, { avoid }: LoadBalancerContext): Host | undefined {
    for (const host of this.#hosts.values()) {
      if (host.text === address) return !host.unassigned && this.config.overrideStatus.has(host.status) && !avoid?.includes(host) ? host : undefined;
    }
    return undefined;
  }

  hosts(): Iterable<Host> {
    return this.#hosts.values();
  }

  get #resolvesNames(): boolean {
    return this.config.type === Cluster_DiscoveryType.STRICT_DNS || this.config.type === Cluster_DiscoveryType.LOGICAL_DNS;
  }

  get isOriginalDestination(): boolean {
    return this.config.type === Cluster_DiscoveryType.ORIGINAL_DST;
  }

  /** The host at the address that the client meant; made on first use. */
  originalDestination(meant: SocketAddress): Host {
    const address = { address: meant.address, port: this.config.lb.original.portOverride ?? meant.port };
    const key = `${address.address}|${address.port}`;
    let host = this.#hosts.get(key);
    if (!host) {
      host = new Host({ address, hostname: "", weight: 1, priority: 0, locality: undefined, health: HealthStatus.UNKNOWN, metadata: {} });
      host.gone = this.#disposed;
      this.#hosts.set(key, host);
    }
    host.lastUsed = this.services.monotonic();
    return host;
  }

  /**
   * The pool of connections to a host for one ALPN offer. The cluster's configuration decides on the HTTP version; where
   * it leaves that to the client, `downstream` counts. Upgrades go over either.
   */
  pool(host: Host, wish: PoolWish): UpstreamPool {
    const { http, autoSni, autoSanValidation } = this.config;
    const { alpn, client } = wish;
    const version = http === "http2" ? 2 : http === "downstream" ? wish.downstream : 1;
    const transport = this.transports.for(host.metadata);
    let key = `${wish.tunnel ? "tunnel" : version} ${transport.name} ${alpn === undefined || transport.kind === "raw" ? "" : alpn.join(",")}`;
    let name: string | undefined;
    if (transport.kind === "tls" && (autoSni || autoSanValidation)) {
      name = nameOf(wish.authority);
      key += ` ${name}`;
    }
    let preamble: Buffer | undefined;
    if (transport.proxyHeader !== undefined && client) {
      preamble = writeProxyHeader(transport.proxyHeader, client.remote, client.local);
      key += ` ${client.remoteText} ${client.localText}`;
    }
    let pool = host.pools.get(key);
    if (!pool) {
      const target: PoolTarget = { cluster: this, host, transport, alpn, key, preamble, name };
      if (wish.tunnel) pool = new TcpTunnels({ ...target, alpn: undefined, name: undefined });
      else if (http === "auto") pool = new AlpnPool(target);
      else pool = version === 2 ? new Http2Pool(target, undefined) : new Http1Pool(target, undefined);
      host.pools.set(key, pool);
      // Somebody chose the host before it went: he is served, and then nobody would come and close the connection.
      if (host.gone) pool.drain();
    }
    return pool;
  }

  /** How many retries may be under way: a share of the requests, where there is a budget. */
  maxRetries(): number {
    const { retryBudget } = this.config;
    if (!retryBudget) return this.limits.maxRetries;
    return Math.max(retryBudget.minimum, Math.floor(((this.load.requests + this.load.pending) * retryBudget.percent) / 100));
  }

  reportResponse(host: Host, status: number): void {
    if (status >= 500) host.rqError++;
    else host.rqSuccess++;
    this.#outlier?.onResponse(host, status);
  }

  reportFailure(host: Host): void {
    host.rqError++;
    this.#outlier?.onLocalFailure(host);
  }

  /** New endpoints. Hosts at known addresses keep their connections and counts. Throws InvalidResource. */
  assign(assignment: ClusterLoadAssignment): void {
    const keep = new Set<string>();
    const known = new Set(this.#hosts.keys());
    const localities = assignment.endpoints.map((locality) => this.#readLocality(locality, keep));
    const changed = new Set<number>();
    for (const [key, host] of this.#hosts) {
      host.unassigned = !keep.has(key);
      if (!host.unassigned && known.has(key)) continue;
      // As Envoy: health checks are believed before who assigns endpoints, which may have lost sight of a good one.
      if (host.unassigned && host.answers && this.#checkers.length > 0 && !this.config.dropsHealthyHosts) {
        localities.push({ priority: host.spec.priority, weight: 0, hosts: [host] });
        continue;
      }
      changed.add(host.spec.priority);
      if (host.unassigned) this.#drop(key, host);
    }
    const overprovisioning = assignment.policy?.overprovisioningFactor;
    this.stats.membership_change += changed.size;
    this.#assigned = true;
    this.#place(localities, overprovisioning === undefined ? {} : { overprovisioning });
    this.#becomeWarm();
  }

  /** Frees what has not been used: idle connections, hosts of original-destination clusters that nobody asks for. */
  sweep(): void {
    const now = this.services.monotonic();
    const { idleTimeoutMs } = this.config;
    for (const [key, host] of this.#hosts) {
      let unused = true;
      for (const [poolKey, pool] of host.pools) {
        const empty = pool.sweep(idleTimeoutMs === undefined ? -1 : now - idleTimeoutMs);
        if (empty && host.cxActive === 0) host.pools.delete(poolKey);
        else unused = false;
      }
      if (this.isOriginalDestination && unused && host.cxActive === 0 && now - host.lastUsed > this.config.cleanupIntervalMs) {
        this.#hosts.delete(key);
        host.leave();
      }
    }
  }

  /** The cluster is replaced or removed: connections end as they become idle. */
  dispose(): void {
    this.#disposed = true;
    this.#outlier?.stop();
    for (const checker of this.#checkers) checker.stop();
    for (const watch of this.#dns) watch.stop();
    for (const host of this.#hosts.values()) host.leave();
    this.transports.dispose();
  }

  snapshot(): ClusterSnapshot {
    const { config } = this;
    return {
      name: config.name,
      observabilityName: config.observabilityName,
      edsServiceName: config.edsServiceName,
      addedViaApi: true,
      circuitBreakers: config.limits,
      hosts: [...this.#hosts.values()].map((host) => host.snapshot()),
    };
  }

  // ---- for health checks

  get clusterName(): string {
    return this.config.name;
  }

  readonly random = (): number => this.services.random();

  hasTraffic(): boolean {
    return this.stats.upstream_cx_total > 0;
  }

  transport(host: Host, criteria: { readonly [key: string]: unknown } | undefined): UpstreamTransport {
    return this.transports.for(criteria ? { [TRANSPORT_MATCH]: criteria } : host.metadata);
  }

  onChange(host: Host): void {
    if (host.healthy) this.#slowStart?.begins(host);
    if (!host.unassigned || host.answers) {
      this.#refresh();
      return;
    }
    for (const [key, each] of this.#hosts) if (each === host) this.#drop(key, host);
    this.stats.membership_change++;
    this.#place(this.#localities.map((locality) => ({ ...locality, hosts: locality.hosts.filter((each) => each !== host) })));
  }

  onFirstRound(): void {
    this.#unchecked--;
    this.#becomeWarm();
  }

  #drop(key: string, host: Host): void {
    this.#hosts.delete(key);
    this.#outlier?.forget(host);
    host.leave();
  }

  #place(localities: readonly LocalityHosts[], options: { readonly overprovisioning?: number } = {}): void {
    this.#localities = localities;
    this.#priorities.update(localities, options);
    this.#subsets?.update(localities, options);
    if (this.#checkers.length === 0) return;
    const checked = new Set([...this.#hosts.values()].filter((host) => !host.spec.unchecked));
    for (const checker of this.#checkers) checker.update(checked);
    this.#refresh();
  }

  #refresh(): void {
    this.#priorities.refresh();
    this.#subsets?.refresh();
  }

  #becomeWarm(): void {
    if (this.warm || !this.#assigned || this.#unchecked > 0) return;
    this.warm = true;
    this.onWarm?.();
  }

  #readLocality(proto: LocalityLbEndpoints, keep: Set<string>): LocalityHosts {
    const hosts = proto.lbEndpoints.flatMap((endpoint) => this.#readEndpoint(endpoint, proto, keep));
    return { priority: proto.priority, weight: proto.loadBalancingWeight ?? 0, hosts };
  }

  #readEndpoint(proto: LbEndpoint, locality: LocalityLbEndpoints, keep: Set<string>): Host[] {
    if (proto.hostIdentifier.case !== "endpoint")
      throw new InvalidResource("INVALID_ADDRESS", `an endpoint of cluster ${this.config.name} has no address: Address must be set`);
    const endpoint = proto.hostIdentifier.value;
    const { host: name, port } = readAddress(endpoint.address);
    if (isIP(name) === 0 && !this.#resolvesNames) {
      throw new InvalidResource(
        "INVALID_ADDRESS",
        `malformed IP address: ${name}. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'`,
      );
    }
    const addresses = isIP(name) !== 0 ? [name] : (this.#resolved.get(name) ?? []);
    return addresses.map((address) => {
      const spec: HostSpec = {
        address: { address, port },
        hostname: endpoint.hostname !== "" ? endpoint.hostname : isIP(name) === 0 ? name : "",
        weight: Math.max(1, proto.loadBalancingWeight ?? 1),
        priority: locality.priority,
        locality: locality.locality,
        health: proto.healthStatus,
        metadata: proto.metadata?.filterMetadata ?? {},
        healthPort: endpoint.healthCheckConfig?.portValue || undefined,
        healthHostname: endpoint.healthCheckConfig?.hostname ?? "",
        unchecked: endpoint.healthCheckConfig?.disableActiveHealthCheck ?? false,
      };
      const key = `${address}|${port}`;
      keep.add(key);
      const known = this.#hosts.get(key);
      if (known) {
        known.spec = spec;
        return known;
      }
      const host = new Host(spec);
      this.#hosts.set(key, host);
      this.#slowStart?.begins(host);
      return host;
    });
  }

  #watchNames(): void {
    const { assignment, dns, name } = this.config;
    if (!assignment) return;
    const names = new Set(
      assignment.endpoints.flatMap((locality) =>
        locality.lbEndpoints.flatMap((each) => (each.hostIdentifier.case === "endpoint" ? [readAddress(each.hostIdentifier.value.address).host] : [])),
      ),
    );
    const waiting = new Set([...names].filter((each) => isIP(each) === 0));
    const apply = (): void => this.assign(assignment);
    if (waiting.size === 0) apply();
    const logical = this.config.type === Cluster_DiscoveryType.LOGICAL_DNS;
    this.#dns = [...waiting].map(
      (each) =>
        new DnsWatch(
          { name: each, family: dns.family, refreshMs: dns.refreshMs, resolve: systemResolve, clock: this.services.clock },
          (addresses) => {
            this.stats.update_attempt++;
            this.stats.update_success++;
            const found = logical ? addresses.slice(0, 1) : [...addresses].sort();
            if (this.#resolved.get(each)?.join() === found.join() && this.warm) return;
            this.#resolved = new Map(this.#resolved).set(each, found);
            apply();
          },
          (error) => {
            this.stats.update_attempt++;
            this.stats.update_failure++;
            this.services.log.debug("DNS resolution failed", { cluster: name, name: each, error: errorText(error) });
            // Envoy's DNS clusters do not wait for a name for ever: they become active without hosts.
            if (!this.warm) apply();
          },
        ),
    );
  }
}
