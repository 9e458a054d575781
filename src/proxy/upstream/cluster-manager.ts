import type { Cluster as ClusterProto } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { Cluster_DiscoveryType } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { ClusterLoadAssignment } from "../../proto/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { ClusterLookup, Services } from "../services.ts";
import type { ClusterSnapshot } from "../types.ts";
import { Cluster } from "./cluster.ts";
import { compileCluster, type ClusterConfig } from "./cluster-config.ts";
import { ClusterStats } from "./cluster-stats.ts";

/** All clusters: those in force, and those that wait for their endpoints. */
export class ClusterManager implements ClusterLookup {
  readonly #active = new Map<string, Cluster>();
  readonly #warming = new Map<string, Cluster>();
  readonly #assignments = new Map<string, ClusterLoadAssignment>();
  readonly counts = { added: 0, modified: 0, removed: 0 };
  #services: Services | undefined;

  /** Services know the clusters and clusters know the services: the knot is tied here. */
  attach(services: Services): void {
    this.#services = services;
  }

  get(name: string): Cluster | undefined {
    return this.#active.get(name);
  }

  has(name: string): boolean {
    return this.#active.has(name) || this.#warming.has(name);
  }

  /** Throws InvalidResource; the cluster in force stays then. */
  set(proto: ClusterProto): void {
    const config = compileCluster(proto);
    const active = this.#active.get(config.name);
    if (active?.config.fingerprint === config.fingerprint) {
      this.#forgetWarming(config.name);
      return;
    }
    if (this.#warming.get(config.name)?.config.fingerprint === config.fingerprint) return;
    const cluster = new Cluster(config, this.#services as Services, this.#statsOf(config, active));
    const assignment = config.type === Cluster_DiscoveryType.EDS ? this.#assignments.get(config.edsServiceName) : undefined;
    if (assignment) cluster.assign(assignment);
    if (active) this.counts.modified++;
    else this.counts.added++;
    this.#forgetWarming(config.name);
    if (cluster.warm) {
      this.#activate(cluster);
      return;
    }
    this.#warming.set(config.name, cluster);
    cluster.onWarm = () => {
      if (this.#warming.get(config.name) !== cluster) return;
      this.#warming.delete(config.name);
      this.#activate(cluster);
    };
  }

  remove(name: string): void {
    this.#forgetWarming(name);
    const cluster = this.#active.get(name);
    if (!cluster) return;
    this.#active.delete(name);
    this.counts.removed++;
    cluster.dispose();
    const { edsServiceName } = cluster.config;
    if (![...this.#active.values(), ...this.#warming.values()].some((each) => each.config.edsServiceName === edsServiceName))
      this.#assignments.delete(edsServiceName);
  }

  /** Throws InvalidResource. Endpoints of clusters that are not known yet are kept for them. */
  assign(assignment: ClusterLoadAssignment): void {
    for (const cluster of [...this.#active.values(), ...this.#warming.values()]) {
      if (cluster.config.edsServiceName === assignment.clusterName) cluster.assign(assignment);
    }
    this.#assignments.set(assignment.clusterName, assignment);
  }

  references(): { eds: string[]; secrets: string[] } {
    const all = [...this.#active.values(), ...this.#warming.values()];
    return {
      eds: [...new Set(all.map((cluster) => cluster.config.edsServiceName).filter((name) => name !== ""))],
      secrets: [...new Set(all.flatMap((cluster) => cluster.transports.secretNames))],
    };
  }

  snapshots(): ClusterSnapshot[] {
    return [...this.#active.values()].map((cluster) => cluster.snapshot());
  }

  *all(): IterableIterator<Cluster> {
    yield* this.#active.values();
  }

  *stats(): IterableIterator<ClusterStats> {
    for (const cluster of this.#active.values()) yield cluster.stats;
  }

  get totals(): { active: number; warming: number } {
    return { active: this.#active.size, warming: this.#warming.size };
  }

  sweep(): void {
    for (const cluster of this.#active.values()) cluster.sweep();
  }

  close(): void {
    for (const cluster of [...this.#active.values(), ...this.#warming.values()]) cluster.dispose();
    this.#active.clear();
    this.#warming.clear();
  }

  #activate(cluster: Cluster): void {
    const old = this.#active.get(cluster.name);
    this.#active.set(cluster.name, cluster);
    cluster.stats.gauges = cluster;
    old?.dispose();
  }

  /** Counters go on when a cluster's configuration changes. */
  #statsOf({ observabilityName, name }: ClusterConfig, active: Cluster | undefined): ClusterStats {
    const before = active ?? this.#warming.get(name);
    if (before?.observabilityName === observabilityName) return before.stats;
    return new ClusterStats(observabilityName, this.#services?.core.includes(`cluster.${observabilityName}.upstream_rq_time`) ?? false);
  }

  #forgetWarming(name: string): void {
    this.#warming.get(name)?.dispose();
    this.#warming.delete(name);
  }
}
