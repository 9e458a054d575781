import { type Graph, type GraphEdge, type GraphNode, type MeshState, byteRate, edgeState, errorHealth, errorShare, nodeName, refusedAttempts, requestRate } from "../model.ts";

/** One node or edge that an expression looks at. */
export type Candidate = { node: GraphNode; edges: Graph["edges"]; mesh: MeshState | undefined } | { edge: GraphEdge; mesh: MeshState | undefined };

export interface Find {
  /** Undefined when nothing was asked for or it makes no sense. */
  match: ((candidate: Candidate) => boolean) | undefined;
  problem: string | undefined;
}

type Test = (candidate: Candidate) => boolean;

/** Conditions without a value, on nodes and on edges. */
const FLAGS: Record<string, Test> = {
  mtls: (c) => "edge" in c && (edgeState(c.edge) === "secure" || edgeState(c.edge) === "mixed"),
  plaintext: (c) => "edge" in c && (edgeState(c.edge) === "plaintext" || edgeState(c.edge) === "mixed"),
  refused: (c) => "edge" in c && refusedAttempts(c.edge) > 0,
  traffic: (c) => "edge" in c && c.edge.traffic.length > 0,
  healthy: (c) => ("edge" in c ? c.edge.traffic.length > 0 && errorHealth([c.edge]) === "healthy" : errorHealth(incoming(c)) === "healthy"),
  trafficsource: (c) => "node" in c && c.edges.some((edge) => edge.source === c.node.id) && !c.edges.some((edge) => edge.target === c.node.id),
  inaccessible: (c) => "node" in c && c.node.type === "unknown",
  idle: (c) => "node" in c && !c.edges.some((edge) => edge.source === c.node.id || edge.target === c.node.id),
  sidecar: (c) => workloadOf(c)?.sidecar === true,
  outside: (c) => workloadOf(c)?.sidecar === false,
  gateway: (c) => workloadOf(c)?.gateway === true,
  strict: (c) => workloadOf(c)?.mode === "STRICT",
  permissive: (c) => workloadOf(c)?.mode === "PERMISSIVE",
};
/** Kiali's other names for these. */
const FLAG_NAMES: Record<string, string> = { hassidecar: "sidecar", hastraffic: "traffic", insecure: "plaintext", outsidemesh: "outside", dead: "idle", isidle: "idle", isgateway: "gateway", ismtls: "mtls" };
const NAMES: Record<string, string> = { ns: "namespace", svc: "service", wl: "workload", rt: "responsetime", dp: "destprincipal", destinationprincipal: "destprincipal", sp: "sourceprincipal", rps: "http", error: "%error", "%httperror": "%httperr" };

const TEXTS: Record<string, (candidate: Candidate) => string | undefined> = {
  name: (c) => ("node" in c ? nodeName(c.node) : undefined),
  namespace: (c) => ("node" in c ? c.node.namespace : undefined),
  node: (c) => ("node" in c ? c.node.type : undefined),
  app: (c) => ("node" in c ? c.node.app : undefined),
  workload: (c) => ("node" in c ? c.node.workload : undefined),
  service: (c) => ("node" in c ? c.node.service : undefined),
  version: (c) => ("node" in c ? c.node.version : undefined),
  protocol: (c) => ("edge" in c ? c.edge.traffic[0]?.protocol : undefined),
  sourceprincipal: (c) => ("edge" in c ? c.edge.sourcePrincipals.join(" ") : undefined),
  destprincipal: (c) => ("edge" in c ? c.edge.destinationPrincipals.join(" ") : undefined),
};

const rateOf = (edge: GraphEdge, protocol: string): number => edge.traffic.filter((t) => t.protocol === protocol).reduce((sum, t) => sum + t.rate, 0);
const failing = (edge: GraphEdge, protocol: string): number => errorShare({ ...edge, traffic: edge.traffic.filter((t) => t.protocol === protocol) }) * 100;

const NUMBERS: Record<string, (edge: GraphEdge) => number | undefined> = {
  http: requestRate,
  grpc: (edge) => rateOf(edge, "grpc"),
  tcp: byteRate,
  "%error": (edge) => errorShare(edge) * 100,
  "%httperr": (edge) => failing(edge, "http"),
  "%grpcerr": (edge) => failing(edge, "grpc"),
  responsetime: (edge) => edge.responseTimes.p95,
  throughput: (edge) => edge.bytes,
};

/** Numbers of nodes: the sum over what comes in or goes out. */
const NODE_NUMBERS: Record<string, (edge: GraphEdge) => number> = {
  httpin: (edge) => rateOf(edge, "http"), grpcin: (edge) => rateOf(edge, "grpc"), tcpin: byteRate, httpout: (edge) => rateOf(edge, "http"), grpcout: (edge) => rateOf(edge, "grpc"), tcpout: byteRate,
};

/** An expression in the manner of Kiali's: `name contains web`, `!mtls`, `rt > 100`, joined by `and` or `or`. */
export function parseFind(text: string): Find {
  const source = text.trim();
  if (source === "") return { match: undefined, problem: undefined };
  try {
    const alternatives = source.split(/\s+or\s+/i).map((part) => part.split(/\s+and\s+/i).map(condition));
    return { match: (candidate) => alternatives.some((all) => all.every((test) => test(candidate))), problem: undefined };
  } catch (thrown) {
    return { match: undefined, problem: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

function condition(text: string): Test {
  const trimmed = text.trim();
  const negated = /^(?:!|not\s+)/i.exec(trimmed);
  if (negated) {
    const test = condition(trimmed.slice(negated[0].length));
    // Only what the condition is about can fail it: "!mtls" finds edges, not every node.
    return (candidate) => aboutSame(trimmed, candidate) && !test(candidate);
  }
  const word = trimmed.replace(/^(?:is|has)\s+/i, "").toLowerCase();
  const flag = FLAGS[FLAG_NAMES[word] ?? word];
  if (flag) return flag;
  const [, name = "", operator = "", value = ""] = /^(%?\w+)\s*(!=|>=|<=|\*=|\^=|\$=|=|>|<|!contains\b|contains\b|startswith\b|endswith\b|not\s+contains\b)\s*(.+)$/i.exec(trimmed) ?? [];
  if (!name) return nameContains(trimmed);
  const key = NAMES[name.toLowerCase()] ?? name.toLowerCase();
  const number = NUMBERS[key];
  if (number) return compareNumber((c) => ("edge" in c ? number(c.edge) : undefined), operator, value);
  const sum = NODE_NUMBERS[key];
  if (sum) return compareNumber((c) => ("node" in c ? c.edges.filter((edge) => (key.endsWith("in") ? edge.target : edge.source) === c.node.id).reduce((total, edge) => total + sum(edge), 0) : undefined), operator, value);
  const read = TEXTS[key];
  if (!read) throw new Error(`"${name}" is nothing that can be looked for`);
  return compareText(read, operator.toLowerCase(), value.replace(/^["']|["']$/g, "").toLowerCase());
}

/** A bare word is a part of a name. */
function nameContains(word: string): Test {
  if (/\s/.test(word)) throw new Error(`"${word}" is no condition: try "name contains …"`);
  return (c) => "node" in c && nodeName(c.node).toLowerCase().includes(word.toLowerCase());
}

function compareNumber(read: (candidate: Candidate) => number | undefined, operator: string, text: string): Test {
  const wanted = Number(text.replace(/\s*(?:%|ms|rps|bps)$/i, ""));
  if (Number.isNaN(wanted)) throw new Error(`"${text}" is not a number`);
  const compare = { "=": (a: number) => a === wanted, "!=": (a: number) => a !== wanted, ">": (a: number) => a > wanted, "<": (a: number) => a < wanted, ">=": (a: number) => a >= wanted, "<=": (a: number) => a <= wanted }[operator];
  if (!compare) throw new Error(`"${operator}" does not compare numbers`);
  return (c) => {
    const value = read(c);
    return value !== undefined && compare(value);
  };
}

function compareText(read: (candidate: Candidate) => string | undefined, operator: string, wanted: string): Test {
  const tests: Record<string, (value: string) => boolean> = {
    "=": (v) => v === wanted, "!=": (v) => v !== wanted, contains: (v) => v.includes(wanted), "*=": (v) => v.includes(wanted), startswith: (v) => v.startsWith(wanted), "^=": (v) => v.startsWith(wanted),
    endswith: (v) => v.endsWith(wanted), "$=": (v) => v.endsWith(wanted), "!contains": (v) => !v.includes(wanted), "not contains": (v) => !v.includes(wanted),
  };
  const test = tests[operator.replace(/\s+/g, " ")];
  if (!test) throw new Error(`"${operator}" does not compare texts`);
  return (c) => {
    const value = read(c);
    return value !== undefined && test(value.toLowerCase());
  };
}

const EDGE_WORDS = /\b(?:mtls|plaintext|insecure|refused|traffic|http|rps|grpc|tcp|error|httperr|grpcerr|rt|sp|dp|responsetime|throughput|protocol|sourceprincipal|destprincipal)\b/i;

function aboutSame(text: string, candidate: Candidate): boolean {
  return EDGE_WORDS.test(text) === "edge" in candidate;
}

function incoming(candidate: { node: GraphNode; edges: GraphEdge[] }): GraphEdge[] {
  return candidate.edges.filter((edge) => edge.target === candidate.node.id);
}

function workloadOf(candidate: Candidate): MeshState["workloads"][number] | undefined {
  if (!("node" in candidate)) return undefined;
  const { namespace, workload } = candidate.node;
  return candidate.mesh?.workloads.find((w) => w.namespace === namespace && w.workload === workload);
}
