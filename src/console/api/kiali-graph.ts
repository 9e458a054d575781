import { type EdgeTraffic, type Graph, type GraphEdge, type GraphNode, healthOf } from "../../telemetry/index.ts";
import { CLUSTER } from "../server/mesh-view.ts";
import { kialiStatus } from "./health.ts";
import type { Feature, NodeTraits } from "./traits.ts";

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
  /** Whether nodes and edges carry how they stand. */
  health: boolean;
  rootNamespace: string;
  /** Whether a workload runs an ingress gateway of the mesh. */
  isGateway(node: GraphNode): boolean;
  /** The namespaces that were asked for: other nodes are outside. */
  namespaces: readonly string[];
  /** What objects say of nodes, and which of it was asked for; undefined where none was. */
  traits: { of(node: GraphNode): NodeTraits | undefined; labels: boolean; istio: boolean; serviceEntry: boolean; workloadEntry: boolean } | undefined;
  missingSidecar(node: GraphNode): boolean;
}

/** Wire form of a graph: nodes and edges with rates as text, boxes as parent nodes. Pure. */
export function toKialiGraph(graph: Graph, options: KialiGraphOptions): KialiGraph {
  const ids = new Map(graph.nodes.map((node) => [node.id, hashId(node.id)]));
  const namespaces = options.boxBy.includes("namespace") ? namespaceBoxes(graph.nodes) : [];
  const apps = options.boxBy.includes("app") ? appBoxes(graph.nodes, namespaces.length > 0) : new Map<string, { data: Record<string, unknown> }>();
  const boxes = [...namespaces, ...apps.values()];
  const parentOf = (node: GraphNode) =>
    apps.has(appBoxId(node)) && node.type === "app"
      ? hashId(appBoxId(node))
      : namespaces.length > 0 && node.type !== "unknown"
        ? hashId(boxId(node))
        : undefined;
  const nodes = graph.nodes.map((node) => {
    const incoming = graph.edges.filter((edge) => edge.target === node.id);
    const outgoing = graph.edges.filter((edge) => edge.source === node.id);
    return {
      data: defined({
        id: ids.get(node.id),
        parent: parentOf(node),
        nodeType: node.type,
        cluster: node.cluster,
        namespace: node.namespace,
        workload: node.workload,
        app: node.app,
        version: node.version,
        service: node.service,
        traffic: nodeTraffic(incoming, outgoing),
        healthData:
          options.health && node.type !== "unknown"
            ? {
                requests: { inbound: byCode(incoming), outbound: byCode(outgoing), healthAnnotations: {} },
                status: { status: kialiStatus(worst(incoming, outgoing)) },
              }
            : undefined,
        destServices: node.type === "service" ? undefined : destinations(incoming),
        ...traitFields(node, options.traits),
        hasMissingSC: options.missingSidecar(node) ? true : undefined,
        isOutside: node.type !== "unknown" && !options.namespaces.includes(node.namespace) ? true : undefined,
        isIdle: incoming.length + outgoing.length === 0 ? true : undefined,
        isInaccessible: node.type === "unknown" ? true : undefined,
        isRoot: incoming.length === 0 ? true : undefined,
        isGateway: options.isGateway(node) ? { ingressInfo: { hostnames: ["*"] } } : undefined,
      }),
    };
  });
  const sent = new Map<string, number>();
  for (const edge of graph.edges)
    for (const flow of edge.traffic) sent.set(`${edge.source} ${flow.protocol}`, (sent.get(`${edge.source} ${flow.protocol}`) ?? 0) + flow.rate);
  const edges = graph.edges.map((edge) => ({ data: edgeData(edge, ids, sent, options.health) }));
  return { timestamp: options.timestamp, duration: options.durationSeconds, graphType: options.graphType, elements: { nodes: [...boxes, ...nodes], edges } };
}

/** What Kiali's appenders say of a node: `hasCB`, `hasVS` and its kin, `isServiceEntry`, `hasWorkloadEntry`, labels. */
function traitFields(node: GraphNode, asked: KialiGraphOptions["traits"]): Record<string, unknown> {
  const traits = asked?.of(node);
  if (!asked || !traits) return {};
  const has = (feature: Feature) => (traits.features.includes(feature) ? true : undefined);
  const { serviceEntry, hosts = [], workloadEntries } = traits;
  return {
    ...(asked.labels && Object.keys(traits.labels).length > 0 && { labels: traits.labels }),
    ...(asked.istio && {
      hasCB: has("circuitbreaker"),
      // Kiali marks the services that are routed, not the workloads behind them.
      ...(node.type === "service" &&
        has("virtualservice") && {
          hasVS: { hostnames: hosts },
          hasFaultInjection: has("faultinjection"),
          hasMirroring: has("mirroring"),
          hasRequestRouting: has("requestrouting"),
          hasRequestTimeout: has("requesttimeout"),
          hasTCPTrafficShifting: has("tcptrafficshifting"),
          hasTrafficShifting: has("trafficshifting"),
        }),
    }),
    ...(asked.serviceEntry && serviceEntry && { isServiceEntry: serviceEntry }),
    ...(asked.workloadEntry && workloadEntries && { hasWorkloadEntry: workloadEntries.map((name) => ({ name })) }),
  };
}

/** The services that callers asked for to reach a node. */
function destinations(incoming: GraphEdge[]): { cluster: string; namespace: string; name: string }[] | undefined {
  const hosts = new Set(incoming.flatMap(({ traffic }) => traffic.map(({ host }) => host)));
  const found = [...hosts].flatMap((host) => {
    const [, name, namespace] = /^([^.]+)\.([^.]+)\.svc\./.exec(host) ?? [];
    return name && namespace ? [{ cluster: CLUSTER, namespace, name }] : [];
  });
  return found.length > 0 ? found : undefined;
}

function edgeData(edge: GraphEdge, ids: Map<string, string>, sent: ReadonlyMap<string, number>, health: boolean): Record<string, unknown> {
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
    healthStatus: health && edge.traffic.length > 0 ? kialiStatus(healthOf(edge.traffic)) : undefined,
    responseTime: edge.responseTimes.p95 === undefined ? undefined : edge.responseTimes.p95.toFixed(0),
    throughput: edge.bytes === undefined ? undefined : edge.bytes.toFixed(0),
    traffic: flows.length > 0 ? { protocol, rates: rates(flows, protocol, sent.get(`${edge.source} ${protocol}`) ?? 0), responses: responses(flows) } : {},
    // What no other console has: attempts that the destination's proxy refused before any request.
    refused: edge.refused.length > 0 ? edge.refused : undefined,
    plaintextAccepted: edge.mtls !== undefined && edge.mtls < 1 ? String(Math.round((1 - edge.mtls) * 100)) : undefined,
  });
}

export function isError({ protocol, code, flags }: EdgeTraffic): boolean {
  if (protocol === "tcp") return flags !== "-";
  return protocol === "grpc" ? code !== "0" : code === "0" || Number(code) >= 400;
}

/** `sent` is all that the edge's source sends by this protocol. */
function rates(flows: EdgeTraffic[], protocol: string, sent: number): Record<string, string> {
  const total = sum(flows);
  if (protocol === "tcp") return { tcp: total.toFixed(2) };
  const classes: Record<string, string> = {};
  for (const [suffix, low, high] of [
    ["3xx", 300, 400],
    ["4xx", 400, 500],
    ["5xx", 500, 600],
  ] as const) {
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
    [`${protocol}PercentReq`]: (sent > 0 ? (total / sent) * 100 : 0).toFixed(1),
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
      for (const value of new Set(ofCode.map((flow) => flow[key])))
        shares[value] = ((sum(ofCode.filter((flow) => flow[key] === value)) / total) * 100).toFixed(1);
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

/** Rates by protocol and code, as Kiali's health has them. */
function byCode(edges: GraphEdge[]): Record<string, Record<string, number>> {
  const result: Record<string, Record<string, number>> = {};
  for (const { protocol, code, rate } of edges.flatMap(({ traffic }) => traffic)) {
    if (protocol === "tcp") continue;
    const codes = (result[protocol] ??= {});
    const name = code === "0" && protocol === "http" ? "-" : code;
    codes[name] = Math.round(((codes[name] ?? 0) + rate) * 1000) / 1000;
  }
  return result;
}

function worst(...groups: GraphEdge[][]): ReturnType<typeof healthOf> {
  const found = groups.map((edges) => healthOf(edges.flatMap(({ traffic }) => traffic)));
  return (["failing", "degraded", "healthy"] as const).find((word) => found.includes(word)) ?? "idle";
}

/** A box around the versions of an application that has several. */
function appBoxes(nodes: GraphNode[], inNamespaces: boolean): Map<string, { data: Record<string, unknown> }> {
  const versions = Map.groupBy(
    nodes.filter(({ type }) => type === "app"),
    appBoxId,
  );
  return new Map(
    [...versions]
      .filter(([, members]) => members.length > 1)
      .map(([id, [node]]) => [
        id,
        {
          data: defined({
            id: hashId(id),
            parent: inNamespaces ? hashId(boxId(node!)) : undefined,
            nodeType: "box",
            isBox: "app",
            cluster: node!.cluster,
            namespace: node!.namespace,
            app: node!.app,
          }),
        },
      ]),
  );
}

const appBoxId = (node: GraphNode) => `box/${node.cluster}/${node.namespace}/${node.app}`;

function namespaceBoxes(nodes: GraphNode[]): { data: Record<string, unknown> }[] {
  const boxes = new Map<string, { data: Record<string, unknown> }>();
  for (const node of nodes) {
    if (node.type !== "unknown")
      boxes.set(boxId(node), { data: { id: hashId(boxId(node)), nodeType: "box", isBox: "namespace", cluster: node.cluster, namespace: node.namespace } });
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
