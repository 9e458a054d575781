import type { EdgeTraffic, Graph, GraphEdge, GraphNode } from "../../telemetry/index.ts";

/** A graph as Kiali's UI and scripts read it; all numbers are strings. https://kiali.io/docs/architecture/architecture/ */
export interface KialiGraph {
  timestamp: number;
  duration: number;
  graphType: string;
  elements: { nodes: { data: Record<string, unknown> }[]; edges: { data: Record<string, unknown> }[] };
}

export interface KialiGraphOptions {
  /** Unix seconds. */
  timestamp: number;
  durationSeconds: number;
  graphType: string;
  boxBy: string[];
  rootNamespace: string;
  /** Whether a workload runs an ingress gateway of the mesh. */
  isGateway(node: GraphNode): boolean;
}

/** Wire form of a graph: nodes and edges with rates as text, boxes as parent nodes. Pure. */
export function toKialiGraph(graph: Graph, options: KialiGraphOptions): KialiGraph {
  const ids = new Map(graph.nodes.map((node) => [node.id, hashId(node.id)]));
  const boxes = options.boxBy.includes("namespace") ? namespaceBoxes(graph.nodes) : [];
  const nodes = graph.nodes.map((node) => {
    const incoming = graph.edges.filter((edge) => edge.target === node.id);
    const outgoing = graph.edges.filter((edge) => edge.source === node.id);
    return {
      data: defined({
        id: ids.get(node.id),
        parent: boxes.length > 0 && node.type !== "unknown" ? hashId(boxId(node)) : undefined,
        nodeType: node.type,
        cluster: node.cluster,
        namespace: node.namespace,
        workload: node.workload,
        app: node.app,
        version: node.version,
        service: node.service,
        traffic: nodeTraffic(incoming, outgoing),
        isRoot: incoming.length === 0 ? true : undefined,
        isGateway: options.isGateway(node) ? { ingressInfo: { hostnames: ["*"] } } : undefined,
      }),
    };
  });
  const edges = graph.edges.map((edge) => ({ data: edgeData(edge, ids) }));
  return { timestamp: options.timestamp, duration: options.durationSeconds, graphType: options.graphType, elements: { nodes: [...boxes, ...nodes], edges } };
}

function edgeData(edge: GraphEdge, ids: Map<string, string>): Record<string, unknown> {
  const protocol = edge.traffic[0]?.protocol ?? "tcp";
  const flows = edge.traffic.filter((flow) => flow.protocol === protocol);
  return defined({
    id: hashId(edge.id),
    source: ids.get(edge.source),
    target: ids.get(edge.target),
    // Kiali leaves the field out where nothing is encrypted.
    isMTLS: edge.mtls ? String(Math.round(edge.mtls * 100)) : undefined,
    sourcePrincipal: edge.sourcePrincipals[0],
    destPrincipal: edge.destinationPrincipals[0],
    responseTime: edge.responseTimes.p95 === undefined ? undefined : edge.responseTimes.p95.toFixed(0),
    throughput: edge.bytes === undefined ? undefined : edge.bytes.toFixed(0),
    traffic: flows.length > 0 ? { protocol, rates: rates(flows, protocol), responses: responses(flows) } : {},
    // What no other console has: attempts that the destination's proxy refused before any request.
    refused: edge.refused.length > 0 ? edge.refused : undefined,
    plaintextAccepted: edge.mtls !== undefined && edge.mtls < 1 ? String(Math.round((1 - edge.mtls) * 100)) : undefined,
  });
}

export function isError({ protocol, code, flags }: EdgeTraffic): boolean {
  if (protocol === "tcp") return flags !== "-";
  return protocol === "grpc" ? code !== "0" : code === "0" || Number(code) >= 400;
}

function rates(flows: EdgeTraffic[], protocol: string): Record<string, string> {
  const total = sum(flows);
  if (protocol === "tcp") return { tcp: total.toFixed(2) };
  const classes: Record<string, string> = {};
  for (const [suffix, low, high] of [["3xx", 300, 400], ["4xx", 400, 500], ["5xx", 500, 600]] as const) {
    const rate = sum(flows.filter((flow) => Number(flow.code) >= low && Number(flow.code) < high));
    if (protocol === "http" && rate > 0) classes[`http${suffix}`] = text(rate);
  }
  const silent = sum(flows.filter((flow) => protocol === "http" && flow.code === "0"));
  const errors = sum(flows.filter(isError));
  return {
    [protocol]: text(total),
    ...classes,
    ...(silent > 0 && { httpNoResponse: text(silent) }),
    ...(protocol === "grpc" && errors > 0 && { grpcErr: text(errors) }),
    [`${protocol}PercentReq`]: "100.0",
    ...(errors > 0 && { [`${protocol}PercentErr`]: ((errors / total) * 100).toFixed(1) }),
  };
}

/** By code: the share of each flag and of each host, in percent of all requests of the edge. */
function responses(flows: EdgeTraffic[]): Record<string, { flags: Record<string, string>; hosts: Record<string, string> }> {
  const total = sum(flows);
  const byCode: Record<string, { flags: Record<string, string>; hosts: Record<string, string> }> = {};
  for (const code of new Set(flows.map((flow) => flow.code))) {
    const ofCode = flows.filter((flow) => flow.code === code);
    const share = (key: "flags" | "host") => {
      const shares: Record<string, string> = {};
      for (const value of new Set(ofCode.map((flow) => flow[key]))) shares[value] = ((sum(ofCode.filter((flow) => flow[key] === value)) / total) * 100).toFixed(1);
      return shares;
    };
    byCode[code] = { flags: share("flags"), hosts: share("host") };
  }
  return byCode;
}

function nodeTraffic(incoming: GraphEdge[], outgoing: GraphEdge[]): { protocol: string; rates: Record<string, string> }[] {
  return (["http", "grpc", "tcp"] as const).flatMap((protocol) => {
    const rate = (edges: GraphEdge[]) => sum(edges.flatMap((edge) => edge.traffic.filter((flow) => flow.protocol === protocol)));
    const [into, out] = [rate(incoming), rate(outgoing)];
    if (into === 0 && out === 0) return [];
    return [{ protocol, rates: { ...(into > 0 && { [`${protocol}In`]: text(into) }), ...(out > 0 && { [`${protocol}Out`]: text(out) }) } }];
  });
}

function namespaceBoxes(nodes: GraphNode[]): { data: Record<string, unknown> }[] {
  const boxes = new Map<string, { data: Record<string, unknown> }>();
  for (const node of nodes) {
    if (node.type !== "unknown") boxes.set(boxId(node), { data: { id: hashId(boxId(node)), nodeType: "box", isBox: "namespace", cluster: node.cluster, namespace: node.namespace } });
  }
  return [...boxes.values()];
}

const boxId = (node: GraphNode) => `box/${node.cluster}/${node.namespace}`;

/** Ids must be safe in selectors and urls: Kiali uses a hash as well. */
function hashId(id: string): string {
  return new Bun.CryptoHasher("md5").update(id).digest("hex");
}

const sum = (flows: EdgeTraffic[]) => flows.reduce((total, flow) => total + flow.rate, 0);

/** Two decimals, or more for what would be shown as zero. */
function text(rate: number): string {
  return rate >= 0.005 ? rate.toFixed(2) : rate.toPrecision(1);
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
