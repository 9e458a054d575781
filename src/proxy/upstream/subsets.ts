import { valueText } from "../match/values.ts";
import type { ClusterStats } from "./cluster-stats.ts";
import type { Host } from "./host.ts";
import { LoadBalancer, type LoadBalancerContext, type LoadBalancerOptions } from "./load-balancer.ts";
import { criteriaId, LB_METADATA, type MetadataCriteria } from "./metadata-criteria.ts";
import { PrioritySet, type LocalityHosts, type PriorityOptions } from "./priority-set.ts";
import type { SubsetConfig, SubsetFallback } from "./subset-config.ts";

interface Subset {
  readonly priorities: PrioritySet;
  readonly balancer: LoadBalancer;
}

/**
 * A cluster's endpoints in subsets by their metadata, each with its own balancer. A request's criteria name one subset
 * exactly; where there is none, the fallback of the selector with the same keys decides, else the cluster's.
 */
export class Subsets {
  #subsets = new Map<string, Subset>();
  #any: Subset | undefined;
  #default: Subset | undefined;
  #options: PriorityOptions;
  readonly #fallbackOf: ReadonlyMap<string, SubsetFallback>;

  constructor(
    private readonly config: SubsetConfig,
    priorities: PriorityOptions,
    private readonly balancing: LoadBalancerOptions,
    private readonly stats: ClusterStats,
  ) {
    this.#options = { ...priorities, localityWeighted: priorities.localityWeighted && config.localityAware };
    this.#fallbackOf = new Map(config.selectors.flatMap(({ keys, fallback }) => (fallback === undefined ? [] : [[keys.join("\0"), fallback] as const])));
  }

  get active(): number {
    return this.#subsets.size;
  }

  choose(context: LoadBalancerContext): Host | undefined {
    const { criteria } = context;
    if (!criteria || !this.config.fallbackList) return this.#once(criteria, context);
    for (const each of criteria.fallbacks) {
      const host = this.#once(each, context);
      if (host) return host;
    }
    return undefined;
  }

  /** All endpoints anew: which subsets there are follows from their metadata. */
  update(localities: readonly LocalityHosts[], options: Partial<PriorityOptions>): void {
    this.#options = { ...this.#options, ...options };
    const members = new Map<string, Set<Host>>();
    for (const { hosts } of localities) for (const host of hosts) this.#enlist(host, members);
    const before = this.#subsets;
    this.#subsets = new Map([...members].map(([id, hosts]) => [id, this.#make(localities, (host) => hosts.has(host))]));
    for (const id of this.#subsets.keys()) if (!before.has(id)) this.stats.lb_subsets_created++;
    for (const id of before.keys()) if (!this.#subsets.has(id)) this.stats.lb_subsets_removed++;
    this.#any = this.#make(localities, () => true);
    const wanted = Object.entries(this.config.defaultSubset);
    this.#default = this.#make(localities, (host) => wanted.every(([key, value]) => this.#values(host, key).includes(valueText(value))));
  }

  /** Health has changed. */
  refresh(): void {
    for (const { priorities } of this.#subsets.values()) priorities.refresh();
    this.#any?.priorities.refresh();
    this.#default?.priorities.refresh();
  }

  #once(criteria: MetadataCriteria | undefined, context: LoadBalancerContext): Host | undefined {
    if (criteria) {
      const subset = criteria.keys.length === 0 ? undefined : this.#subsets.get(criteria.id);
      if (subset) {
        this.stats.lb_subsets_selected++;
        return subset.balancer.choose(context);
      }
      const own = this.#fallbackOf.get(criteria.keys.join("\0"));
      if (own !== undefined) return typeof own === "object" ? this.#once(criteria.only(own.keys), context) : this.#fallback(own)?.balancer.choose(context);
    }
    const fallback = this.#fallback(this.config.fallback);
    if (!fallback) return undefined;
    this.stats.lb_subsets_fallback++;
    const host = fallback.balancer.choose(context);
    if (host || !this.config.panicAny) return host;
    this.stats.lb_subsets_fallback_panic++;
    return this.#any?.balancer.choose(context);
  }

  #fallback(policy: SubsetFallback): Subset | undefined {
    return policy === "any" ? this.#any : policy === "default" ? this.#default : undefined;
  }

  /** Puts a host into the subsets that it is of: of each selector whose keys it has all. */
  #enlist(host: Host, members: Map<string, Set<Host>>): void {
    for (const { keys, singleHost } of this.config.selectors) {
      let found: readonly (readonly string[])[] = [[]];
      for (const key of keys) found = found.flatMap((before) => this.#values(host, key).map((value) => [...before, value]));
      if (keys.length === 0) continue;
      for (const values of found) {
        const id = criteriaId(keys, (key) => values[keys.indexOf(key)] as string);
        const hosts = members.get(id);
        if (!hosts) members.set(id, new Set([host]));
        else if (!singleHost) hosts.add(host);
      }
    }
  }

  /** What a host has under a key: each element of a list, where lists count so. */
  #values(host: Host, key: string): readonly string[] {
    const value = host.metadata[LB_METADATA]?.[key];
    if (value === undefined) return [];
    return Array.isArray(value) && this.config.listAsAny ? value.map(valueText) : [valueText(value)];
  }

  #make(localities: readonly LocalityHosts[], has: (host: Host) => boolean): Subset {
    const priorities = new PrioritySet(this.#options);
    const own = localities.map((locality) => {
      const hosts = locality.hosts.filter(has);
      const scale = this.config.scaleLocalityWeight && locality.hosts.length > 0 ? hosts.length / locality.hosts.length : 1;
      // A locality stays in the choice as long as it has a host, unless it is drained as a whole.
      return { ...locality, hosts, weight: hosts.length === 0 || locality.weight === 0 ? 0 : Math.max(1, Math.round(locality.weight * scale)) };
    });
    priorities.update(own);
    return { priorities, balancer: new LoadBalancer(priorities, this.balancing) };
  }
}
