import type { Host } from "./host.ts";

/** The hosts of one priority. Arrays are made anew on each change, so that tables can hang on their identity. */
export interface HostSet {
  readonly priority: number;
  readonly hosts: readonly Host[];
  readonly healthy: readonly Host[];
  readonly degraded: readonly Host[];
  readonly localities: readonly HostLocality[];
}

export interface HostLocality {
  readonly weight: number;
  readonly hosts: readonly Host[];
}

export interface PriorityOptions {
  /** In percent: below, health is ignored. */
  readonly panicThreshold: number;
  /** Healthy hosts count so many percent, so that a priority with a few sick hosts still takes all (Envoy: 140). */
  readonly overprovisioning: number;
  readonly localityWeighted: boolean;
}

export interface LocalityHosts {
  readonly priority: number;
  readonly weight: number;
  readonly hosts: readonly Host[];
}

interface Share {
  readonly set: HostSet;
  readonly hosts: readonly Host[];
  /** Cumulated share of the load, up to 1. */
  readonly upTo: number;
}

/** All hosts of a cluster by priority, and which share of the load each priority takes. */
export class PrioritySet {
  #sets: readonly HostSet[] = [];
  #shares: readonly Share[] = [];
  #localities: readonly LocalityHosts[] = [];
  #weighted = new WeakMap<readonly Host[], readonly HostLocality[]>();

  constructor(private options: PriorityOptions) {}

  get sets(): readonly HostSet[] {
    return this.#sets;
  }

  *hosts(): IterableIterator<Host> {
    for (const set of this.#sets) yield* set.hosts;
  }

  update(localities: readonly LocalityHosts[], options: Partial<PriorityOptions> = {}): void {
    this.options = { ...this.options, ...options };
    this.#localities = localities;
    this.refresh();
  }

  /** Reckons health anew: a host was ejected, came back, or failed its check. */
  refresh(): void {
    const priorities = [...new Set(this.#localities.map((locality) => locality.priority))].sort((a, b) => a - b);
    this.#weighted = new WeakMap();
    this.#sets = priorities.map((priority) => {
      const own = this.#localities.filter((locality) => locality.priority === priority);
      const hosts = own.flatMap((locality) => [...locality.hosts]);
      return {
        priority,
        hosts,
        healthy: hosts.every((host) => host.healthy) ? hosts : hosts.filter((host) => host.healthy),
        degraded: hosts.filter((host) => host.degraded),
        localities: own.map(({ weight, hosts: inside }) => ({ weight, hosts: inside })),
      };
    });
    this.#shares = this.#reckonShares();
  }

  /** The priority and its usable hosts for a draw in [0, 1); `avoid`ed ones count only if there are no others. */
  choose(draw: number, avoid?: ReadonlySet<number>): Share | undefined {
    const shares = this.#shares;
    if (avoid) {
      const other = this.#sets.find((set) => !avoid.has(set.priority) && set.healthy.length > 0);
      if (other) return { set: other, hosts: other.healthy, upTo: 1 };
    }
    if (shares.length <= 1) return shares[0];
    return shares.find((share) => draw < share.upTo) ?? shares[shares.length - 1];
  }

  /** The hosts of one locality, by its weight and health, where the cluster asks for that; else all. */
  inLocality(set: HostSet, hosts: readonly Host[], random: () => number): readonly Host[] {
    if (!this.options.localityWeighted || set.localities.length < 2) return hosts;
    let usable = this.#weighted.get(hosts);
    if (!usable) {
      const among = new Set(hosts);
      usable = set.localities
        .map((locality) => {
          const inside = locality.hosts.filter((host) => among.has(host));
          const availability = Math.min(1, ((inside.length / Math.max(1, locality.hosts.length)) * this.options.overprovisioning) / 100);
          return { weight: locality.weight * availability, hosts: inside };
        })
        .filter((locality) => locality.weight > 0 && locality.hosts.length > 0);
      this.#weighted.set(hosts, usable);
    }
    const total = usable.reduce((sum, locality) => sum + locality.weight, 0);
    if (total === 0) return hosts;
    let left = random() * total;
    for (const locality of usable) {
      left -= locality.weight;
      if (left < 0) return locality.hosts;
    }
    return hosts;
  }

  /** Envoy's priority load: each priority takes what its health allows, from the first on; degraded hosts take the rest. */
  #reckonShares(): Share[] {
    const { overprovisioning, panicThreshold } = this.options;
    const sets = this.#sets.filter((set) => set.hosts.length > 0);
    if (sets.length === 0) return [];
    const health = (count: number, set: HostSet): number => Math.min(100, (overprovisioning * count) / set.hosts.length);
    const total = Math.min(
      100,
      sets.reduce((sum, set) => sum + health(set.healthy.length, set) + health(set.degraded.length, set), 0),
    );
    if (total === 0) {
      // Nobody is healthy: panic over all of the first priority, unless panic is off.
      const [first] = sets as [HostSet];
      return panicThreshold > 0 ? [{ set: first, hosts: first.hosts, upTo: 1 }] : [];
    }
    const shares: Share[] = [];
    let taken = 0;
    const take = (set: HostSet, hosts: readonly Host[], percent: number): void => {
      const load = Math.min(100 - taken, (percent * 100) / total);
      if (load <= 0 || hosts.length === 0) return;
      taken += load;
      const panic = total < 100 && (set.healthy.length / set.hosts.length) * 100 < panicThreshold;
      shares.push({ set, hosts: panic ? set.hosts : hosts, upTo: taken / 100 });
    };
    for (const set of sets) take(set, set.healthy, health(set.healthy.length, set));
    for (const set of sets) take(set, set.degraded, health(set.degraded.length, set));
    return shares;
  }
}
