import type { KubeObject, LabelSelector } from "../../../resources/index.ts";
import { parseBlock, type Range } from "./ranges.ts";
import { isRecord, parseSelector } from "./selector.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/** Pods by their labels, in the policy's own namespace or in those selected. */
export interface PodPeer {
  pods: LabelSelector;
  namespaces: LabelSelector | undefined;
}

/** Addresses less some of them. */
export interface BlockPeer {
  /** Undefined: none that a pod here could have to do with. */
  block: Range | undefined;
  except: Range[];
}

export type Peer = PodPeer | BlockPeer;

/** `name` is a container port's, to be looked up in the pod that the traffic goes to; without `first` and name, all ports. */
export interface PolicyPort {
  protocol: Protocol;
  first?: number;
  last?: number;
  name?: string;
}

export interface PolicyRule {
  /** Undefined: everybody. */
  peers: Peer[] | undefined;
  /** Undefined: everything. */
  ports: PolicyPort[] | undefined;
}

/** A NetworkPolicy, read. Without rules in a direction nothing may pass in it; undefined, it says nothing of it. */
export interface Policy {
  key: string;
  namespace: string;
  pods: LabelSelector;
  ingress: PolicyRule[] | undefined;
  egress: PolicyRule[] | undefined;
  /** What could not be understood: the policy then lets less through than it may mean, never more. */
  problem?: string;
}

const MAX_PORT = 65_535;

/**
 * Reads a policy. The API refuses malformed ones; one that got in all the same fails closed: a rule that cannot be
 * understood lets nothing through, a selector that cannot takes in every pod of the namespace, and both directions are
 * closed unless the policy clearly says which.
 */
export function parsePolicy(object: KubeObject): Policy {
  const { name, namespace = "" } = object.metadata;
  const problems: string[] = [];
  const spec = isRecord(object.spec) ? object.spec : undefined;
  if (!spec) problems.push("it has no spec");
  const pods = parseSelector(spec?.["podSelector"] ?? {});
  if (!pods) problems.push("spec.podSelector is no selector");
  const types = directions(spec, problems);
  const rules = (direction: "ingress" | "egress", peers: "from" | "to") => parseRules(spec?.[direction], `spec.${direction}`, peers, problems);
  return {
    key: `${namespace}/${name}`,
    namespace,
    pods: pods ?? {},
    ingress: types.ingress ? rules("ingress", "from") : undefined,
    egress: types.egress ? rules("egress", "to") : undefined,
    ...(problems.length > 0 ? { problem: problems.join("; ") } : {}),
  };
}

function directions(spec: Record<string, unknown> | undefined, problems: string[]): { ingress: boolean; egress: boolean } {
  const types = spec?.["policyTypes"];
  if (spec && (types === undefined || types === null || (Array.isArray(types) && types.length === 0)))
    return { ingress: true, egress: Array.isArray(spec["egress"]) && spec["egress"].length > 0 };
  if (Array.isArray(types) && types.every((type) => type === "Ingress" || type === "Egress"))
    return { ingress: types.includes("Ingress"), egress: types.includes("Egress") };
  if (spec) problems.push("spec.policyTypes holds something else than Ingress and Egress");
  return { ingress: true, egress: true };
}

function parseRules(value: unknown, field: string, peersField: "from" | "to", problems: string[]): PolicyRule[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    problems.push(`${field} is no list`);
    return [];
  }
  return value.flatMap((item: unknown, index) => {
    const at = `${field}[${index}]`;
    const peers = isRecord(item) ? parseList(item[peersField], (peer) => parsePeer(peer)) : undefined;
    const ports = isRecord(item) ? parseList(item["ports"], (port) => parsePort(port)) : undefined;
    if (!peers || !ports) {
      problems.push(`${at} is no rule`);
      return [];
    }
    for (const [name, list] of [
      [peersField, peers],
      ["ports", ports],
    ] as const)
      if (list.bad) problems.push(`${at}.${name} holds what is none`);
    // An empty list means everybody; one of which nothing could be read means nobody.
    return [{ peers: peers.all ? undefined : peers.items, ports: ports.all ? undefined : ports.items }];
  });
}

/** `all`: absent or empty. Undefined when it is no list. */
function parseList<T>(value: unknown, parse: (item: unknown) => T | undefined): { items: T[]; all: boolean; bad: boolean } | undefined {
  if (value === undefined || value === null) return { items: [], all: true, bad: false };
  if (!Array.isArray(value)) return undefined;
  const items = value.flatMap((item: unknown) => parse(item) ?? []);
  return { items, all: value.length === 0, bad: items.length < value.length };
}

function parsePeer(value: unknown): Peer | undefined {
  if (!isRecord(value)) return undefined;
  const { ipBlock, podSelector, namespaceSelector } = value;
  if (ipBlock !== undefined) return podSelector === undefined && namespaceSelector === undefined ? parseIpBlock(ipBlock) : undefined;
  if (podSelector === undefined && namespaceSelector === undefined) return undefined;
  const pods = parseSelector(podSelector ?? {});
  const namespaces = namespaceSelector === undefined ? undefined : parseSelector(namespaceSelector);
  if (!pods || (namespaceSelector !== undefined && !namespaces)) return undefined;
  return { pods, namespaces };
}

function parseIpBlock(value: unknown): Peer | undefined {
  if (!isRecord(value)) return undefined;
  const { cidr, except = [] } = value;
  if (typeof cidr !== "string" || !Array.isArray(except)) return undefined;
  try {
    const holes = except.map((each: unknown) => parseBlock(typeof each === "string" ? each : ""));
    return { block: parseBlock(cidr), except: holes.filter((hole) => hole !== undefined) };
  } catch {
    return undefined;
  }
}

function parsePort(value: unknown): PolicyPort | undefined {
  if (!isRecord(value)) return undefined;
  const { protocol: text = "TCP", port, endPort } = value;
  const protocol = (["tcp", "udp", "sctp"] as const).find((each) => each.toUpperCase() === text);
  if (!protocol) return undefined;
  if (port === undefined || port === null) return endPort === undefined ? { protocol } : undefined;
  if (typeof port === "string") return endPort === undefined && port !== "" ? { protocol, name: port } : undefined;
  const last = endPort ?? port;
  if (!isPort(port) || !isPort(last) || last < port) return undefined;
  return { protocol, first: port, last };
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MAX_PORT;
}
