import { Cluster_LbPolicy } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { InvalidResource } from "../types.ts";
import { HashTable } from "./hash-table.ts";
import type { Host } from "./host.ts";
import type { MetadataCriteria } from "./metadata-criteria.ts";
import type { SlowStart } from "./slow-start.ts";
import type { HostSet, PrioritySet } from "./priority-set.ts";

export interface LoadBalancerContext {
  /** This host (`ip:port`), if it may be used; `strict`: no other. */
  readonly override?: { readonly address: string; readonly strict: boolean } | undefined;
  /** For consistent hashing; undefined picks at random. */
  readonly hash?: number | undefined;
  /** Which subset of the endpoints is meant, in clusters that have subsets. */
  readonly criteria?: MetadataCriteria | undefined;
  /** A retry avoids the hosts that were tried, as long as others turn up within so many picks. */
  readonly avoid?: readonly Host[] | undefined;
  readonly maxPicks?: number;
  /** A retry goes to another priority than those, as long as one of them has hosts. */
  readonly avoidPriorities?: ReadonlySet<number> | undefined;
}

export interface LoadBalancerOptions {
  readonly policy: Cluster_LbPolicy;
  /** LEAST_REQUEST compares so many. */
  readonly choices: number;
  readonly minRingSize: number;
  readonly maglevTableSize: number;
  readonly random: () => number;
  readonly slowStart?: SlowStart | undefined;
}

type Picker = (hosts: readonly Host[], context: LoadBalancerContext, set: HostSet) => Host | undefined;

/** Chooses hosts of a cluster by its policy, over priorities and localities. */
export class LoadBalancer {
  readonly #pick: Picker;

  constructor(
    private readonly priorities: PrioritySet,
    private readonly options: LoadBalancerOptions,
  ) {
    this.#pick = picker(options);
  }

  choose(context: LoadBalancerContext = NO_CONTEXT): Host | undefined {
    const first = this.#chooseOnce(context);
    const { avoid } = context;
    if (!first || !avoid || avoid.length === 0 || !avoid.includes(first)) return first;
    let host: Host | undefined = first;
    for (let picks = context.maxPicks ?? 1; picks > 0 && host !== undefined && avoid.includes(host); picks--) host = this.#chooseOnce(context);
    return host ?? first;
  }

  #chooseOnce(context: LoadBalancerContext): Host | undefined {
    const draw = context.hash === undefined ? this.options.random() : (context.hash % 100_000) / 100_000;
    const chosen = this.priorities.choose(draw, context.avoidPriorities);
    if (!chosen) return undefined;
    const { set, hosts } = chosen;
    if (hosts.length === 0) return undefined;
    return this.#pick(this.priorities.inLocality(set, hosts, this.options.random), context, set);
  }
}

const NO_CONTEXT: LoadBalancerContext = {};

function picker(options: LoadBalancerOptions): Picker {
  const { random } = options;
  switch (options.policy) {
    case Cluster_LbPolicy.ROUND_ROBIN:
      return roundRobin(random, options.slowStart);
    case Cluster_LbPolicy.LEAST_REQUEST:
      return leastRequest(random, options.choices, options.slowStart);
    case Cluster_LbPolicy.RANDOM:
    case Cluster_LbPolicy.CLUSTER_PROVIDED:
      return (hosts) => weighted(hosts, random());
    case Cluster_LbPolicy.RING_HASH:
      return hashed(random, (hosts) => HashTable.ring(hosts, options.minRingSize));
    case Cluster_LbPolicy.MAGLEV:
      return hashed(random, (hosts) => HashTable.maglev(hosts, options.maglevTableSize));
    default:
      throw new InvalidResource("UNSUPPORTED_LB_POLICY", `load balancing policy ${Cluster_LbPolicy[options.policy] ?? options.policy} is not supported`);
  }
}

/**
 * Smooth weighted round robin: each host earns its weight a turn, the richest is chosen and pays the sum. It starts at a
 * random place, so that many proxies do not all begin with the first host.
 */
function roundRobin(random: () => number, slowStart: SlowStart | undefined): Picker {
  const cursors = new WeakMap<readonly Host[], { next: number; credit: Float64Array | undefined }>();
  return (hosts) => {
    let cursor = cursors.get(hosts);
    if (!cursor) {
      cursor = { next: Math.floor(random() * hosts.length), credit: equalWeights(hosts) ? undefined : new Float64Array(hosts.length) };
      cursors.set(hosts, cursor);
    }
    const warming = slowStart?.active ? slowStart : undefined;
    if (warming) cursor.credit ??= new Float64Array(hosts.length);
    const { credit } = cursor;
    if (!credit) {
      const host = hosts[cursor.next % hosts.length];
      cursor.next = (cursor.next + 1) % hosts.length;
      return host;
    }
    let best = 0;
    let total = 0;
    for (let i = 0; i < hosts.length; i++) {
      const host = hosts[i] as Host;
      const weight = warming ? warming.weight(host) : host.weight;
      total += weight;
      credit[i] = (credit[i] as number) + weight;
      if ((credit[i] as number) > (credit[best] as number)) best = i;
    }
    credit[best] = (credit[best] as number) - total;
    return hosts[best];
  };
}

/** Equal weights: the less loaded of N random ones. Otherwise each counts by its weight over its load, as Envoy's default bias. */
function leastRequest(random: () => number, choices: number, slowStart: SlowStart | undefined): Picker {
  return (hosts) => {
    if (hosts.length === 1) return hosts[0];
    if (slowStart?.active) return weighted(hosts, random(), (host) => slowStart.weight(host) / (host.rqActive + 1));
    if (!equalWeights(hosts)) return weighted(hosts, random(), (host) => host.weight / (host.rqActive + 1));
    let best: Host | undefined;
    if (choices === Infinity) {
      // From a random place on, so that equals share the load.
      const first = Math.floor(random() * hosts.length);
      for (let i = 0; i < hosts.length; i++) {
        const candidate = hosts[(first + i) % hosts.length] as Host;
        if (!best || candidate.rqActive < best.rqActive) best = candidate;
      }
      return best;
    }
    for (let i = 0; i < choices; i++) {
      const candidate = hosts[Math.floor(random() * hosts.length)] as Host;
      if (!best || candidate.rqActive < best.rqActive) best = candidate;
    }
    return best;
  };
}

function hashed(random: () => number, build: (hosts: readonly Host[]) => HashTable): Picker {
  const tables = new WeakMap<readonly Host[], HashTable>();
  return (hosts, context) => {
    if (context.hash === undefined) return weighted(hosts, random());
    let table = tables.get(hosts);
    if (!table) {
      table = build(hosts);
      tables.set(hosts, table);
    }
    return table.get(context.hash);
  };
}

const EQUAL = new WeakMap<readonly Host[], boolean>();

function equalWeights(hosts: readonly Host[]): boolean {
  let equal = EQUAL.get(hosts);
  if (equal === undefined) {
    equal = hosts.every((host) => host.weight === (hosts[0] as Host).weight);
    EQUAL.set(hosts, equal);
  }
  return equal;
}

function weighted(hosts: readonly Host[], draw: number, weightOf: (host: Host) => number = (host) => host.weight): Host | undefined {
  let total = 0;
  for (const host of hosts) total += weightOf(host);
  let left = draw * total;
  for (const host of hosts) {
    left -= weightOf(host);
    if (left < 0) return host;
  }
  return hosts[hosts.length - 1];
}
