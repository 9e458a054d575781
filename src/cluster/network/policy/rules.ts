import { selectorMatches } from "../../../resources/index.ts";
import { createHash } from "node:crypto";
import type { PodPeer, Policy, PolicyPort, PolicyRule, Protocol } from "./parse.ts";
import { ALL, formatRange, subtract, union, type Range } from "./ranges.ts";

/** What policies look at in a pod. */
export interface PolicyPod {
  namespace: string;
  labels: Readonly<Record<string, string>>;
  ip: string;
  ports: { name: string; protocol: Protocol; port: number }[];
}

export interface PolicyInput {
  /** Pods with an address of their own. */
  pods: readonly PolicyPod[];
  /** What stands for pods and is none: can be let through to, is never closed. */
  others: readonly PolicyPod[];
  /** Addresses whose pods are not known yet: closed in both directions. */
  unknown: readonly string[];
  /** Namespaces' labels. */
  namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  policies: readonly Policy[];
}

export const MAPS = ["np_ingress", "np_egress", "np_local"] as const;
export type MapName = (typeof MAPS)[number];

/** What the kernel is to hold for policies. */
export interface PolicyState {
  /** A set's name to its type, flags included, and its elements. Only plain sets' elements change under a name. */
  sets: Map<string, { type: string; elements: Set<string> }>;
  /** A chain's name, which follows from its rules, to them. */
  chains: Map<string, string>;
  /** Closed addresses to their chain, by direction; np_local holds what leaves to services on the node and to the outside. */
  maps: Record<MapName, Map<string, string>>;
}

/** The chain that lets nothing through; node-rules.ts has it. */
export const DENY = "np_deny";

const ADDRESSES = "type ipv4_addr;";
const BLOCKS = "type ipv4_addr; flags interval;";
const SOCKETS = "type ipv4_addr . inet_proto . inet_service;";

/** The rules for all closed pods. Pure: equal input gives equal names. */
export function policyState(input: PolicyInput): PolicyState {
  const state: PolicyState = { sets: new Map(), chains: new Map(), maps: { np_ingress: new Map(), np_egress: new Map(), np_local: new Map() } };
  const compiled = new Map(input.policies.map((policy) => [policy, compile(policy, input, state)]));
  const put = (map: MapName, ip: string, lines: string[]) => {
    const rules = [...new Set(lines), "counter drop"].join("\n");
    const chain = `np_${digest(rules)}`;
    state.chains.set(chain, rules);
    state.maps[map].set(ip, chain);
  };
  for (const pod of input.pods) {
    const own = input.policies.filter((policy) => policy.namespace === pod.namespace && selectorMatches(policy.pods, pod.labels));
    if (own.some((policy) => policy.ingress))
      put(
        "np_ingress",
        pod.ip,
        own.flatMap((policy) => compiled.get(policy)?.ingress.flatMap((rule) => ingressLines(rule, pod)) ?? []),
      );
    if (!own.some((policy) => policy.egress)) continue;
    const rules = own.flatMap((policy) => compiled.get(policy)?.egress ?? []);
    put(
      "np_egress",
      pod.ip,
      rules.flatMap((rule) => egressLines(rule, "ip daddr", "th dport")),
    );
    // What goes outside is redirected to the node's relay: there only the connection knows where it was to go.
    put(
      "np_local",
      pod.ip,
      rules.flatMap((rule) => egressLines(rule, "ct original ip daddr", "ct original proto-dst")),
    );
  }
  for (const ip of input.unknown) for (const map of MAPS) state.maps[map].set(ip, DENY);
  return state;
}

/** A rule whose peers are sets. */
interface CompiledRule {
  /** Names of sets, any of which must hold the peer; undefined: no matter who. */
  peers: string[] | undefined;
  ports: PolicyPort[] | undefined;
  /** The set of sockets that the rule's named ports are in the peers; egress only. */
  sockets: string | undefined;
}

function compile(policy: Policy, input: PolicyInput, state: PolicyState): { ingress: CompiledRule[]; egress: CompiledRule[] } {
  const rules = (direction: "ingress" | "egress") =>
    (policy[direction] ?? []).map((rule, index) => compileRule(rule, `${policy.key} ${direction} ${index}`, direction, policy, input, state));
  return { ingress: rules("ingress"), egress: rules("egress") };
}

function compileRule(rule: PolicyRule, key: string, direction: string, policy: Policy, input: PolicyInput, state: PolicyState): CompiledRule {
  const everyone = [...input.pods, ...input.others];
  const pods = rule.peers === undefined ? everyone : everyone.filter((pod) => rule.peers?.some((peer) => "pods" in peer && matches(peer, pod, policy, input)));
  const names = (rule.ports ?? []).filter((port) => port.name !== undefined);
  let sockets: string | undefined;
  if (direction === "egress" && names.length > 0) {
    sockets = `np_sockets_${digest(key)}`;
    const elements = pods.flatMap((pod) =>
      pod.ports
        .filter((port) => names.some(({ protocol, name }) => protocol === port.protocol && name === port.name))
        .map((port) => `${pod.ip} . ${port.protocol} . ${port.port}`),
    );
    state.sets.set(sockets, { type: SOCKETS, elements: new Set(elements) });
  }
  if (rule.peers === undefined) return { peers: undefined, ports: rule.ports, sockets };
  const blocks = union(rule.peers.flatMap((peer) => ("block" in peer && peer.block ? subtract(peer.block, peer.except) : [])));
  if (isAll(blocks)) return { peers: undefined, ports: rule.ports, sockets };
  const peers: string[] = [];
  if (rule.peers.some((peer) => "pods" in peer)) {
    const name = `np_pods_${digest(key)}`;
    state.sets.set(name, { type: ADDRESSES, elements: new Set(pods.map((pod) => pod.ip)) });
    peers.push(name);
  }
  if (blocks.length > 0) {
    const elements = blocks.map(formatRange);
    const name = `np_blocks_${digest(elements.join())}`;
    state.sets.set(name, { type: BLOCKS, elements: new Set(elements) });
    peers.push(name);
  }
  return { peers, ports: rule.ports, sockets };
}

function matches(peer: PodPeer, pod: PolicyPod, policy: Policy, input: PolicyInput): boolean {
  if (peer.namespaces === undefined) return pod.namespace === policy.namespace && selectorMatches(peer.pods, pod.labels);
  // Every namespace has this label, whether or not we have seen the namespace yet.
  const labels = { ...input.namespaces.get(pod.namespace), "kubernetes.io/metadata.name": pod.namespace };
  return selectorMatches(peer.namespaces, labels) && selectorMatches(peer.pods, pod.labels);
}

function ingressLines(rule: CompiledRule, pod: PolicyPod): string[] {
  const ports = rule.ports?.flatMap((port) => {
    if (port.name === undefined) return [port];
    return pod.ports
      .filter(({ name, protocol }) => name === port.name && protocol === port.protocol)
      .map(({ protocol, port: number }): PolicyPort => ({ protocol, first: number, last: number }));
  });
  return lines(rule.peers, ports, "ip saddr", "th dport");
}

function egressLines(rule: CompiledRule, address: string, port: string): string[] {
  const numbers = rule.ports?.filter(({ name }) => name === undefined);
  const named = rule.sockets === undefined ? [] : [`ip daddr . meta l4proto . th dport @${rule.sockets} return`];
  return [...lines(rule.peers, numbers, address, port), ...named];
}

function lines(peers: string[] | undefined, ports: PolicyPort[] | undefined, address: string, port: string): string[] {
  const who = peers === undefined ? [""] : peers.map((set) => `${address} @${set} `);
  const what = ports === undefined ? [""] : portMatches(ports, port);
  return who.flatMap((peer) => what.map((match) => `${peer}${match}return`));
}

function portMatches(ports: PolicyPort[], field: string): string[] {
  const result: string[] = [];
  for (const protocol of ["tcp", "udp", "sctp"] as const) {
    const own = ports.filter((port) => port.protocol === protocol);
    if (own.some((port) => port.first === undefined)) result.push(`meta l4proto ${protocol} `);
    else if (own.length > 0) {
      const ranges = union(own.map(({ first = 0, last = first }) => ({ first, last })));
      result.push(`meta l4proto ${protocol} ${field} { ${ranges.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(", ")} } `);
    }
  }
  return result;
}

function isAll([only]: Range[]): boolean {
  return only !== undefined && only.first === ALL.first && only.last === ALL.last;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 20);
}
