import { type Graph, type GraphEdge, type GraphNode, type MeshState, type NodeTraits, type Traits, type WorkloadState } from "../model.ts";

/** All that an expression may ask of a node or an edge, looked up and not searched for. */
export interface Scene {
  graph: Graph;
  /** Namespaces that were asked for. */
  namespaces: readonly string[];
  incoming(node: GraphNode): readonly GraphEdge[];
  outgoing(node: GraphNode): readonly GraphEdge[];
  /** All that an edge's source sends by a protocol, a second. */
  sent(edge: GraphEdge, protocol: string): number;
  /** 1 for the nodes that most edges lead to, 2 for the next. */
  rank(node: GraphNode): number;
  traits(node: GraphNode): NodeTraits | undefined;
  workload(node: GraphNode): WorkloadState | undefined;
}

export function sceneOf(graph: Graph, mesh: MeshState | undefined, traits: Traits | undefined, namespaces: readonly string[]): Scene {
  const [incoming, outgoing] = [Map.groupBy(graph.edges, (edge) => edge.target), Map.groupBy(graph.edges, (edge) => edge.source)];
  const workloads = new Map(mesh?.workloads.map((w) => [`${w.namespace}/${w.workload}`, w]));
  const degree = (node: GraphNode) => incoming.get(node.id)?.length ?? 0;
  let ranks: number[] | undefined;
  return {
    graph,
    namespaces,
    incoming: (node) => incoming.get(node.id) ?? [],
    outgoing: (node) => outgoing.get(node.id) ?? [],
    sent: (edge, protocol) => (outgoing.get(edge.source) ?? []).reduce((sum, other) => sum + rateOf(other, protocol), 0),
    rank(node) {
      ranks ??= [...new Set(graph.nodes.map(degree))].sort((a, b) => b - a);
      return ranks.indexOf(degree(node)) + 1;
    },
    traits: (node) => traits?.[node.id],
    workload: (node) => workloads.get(`${node.namespace}/${node.workload}`),
  };
}

export function rateOf(edge: GraphEdge, protocol: string): number {
  return edge.traffic.reduce((sum, flow) => (flow.protocol === protocol ? sum + flow.rate : sum), 0);
}

/** What is left of a graph when some is hidden: edges of hidden nodes go too, and nodes that only hidden edges led to. */
export function without(graph: Graph, hiddenNodes: ReadonlySet<string>, hiddenEdges: ReadonlySet<string>): Graph {
  const edges = graph.edges.filter((edge) => !hiddenEdges.has(edge.id) && !hiddenNodes.has(edge.source) && !hiddenNodes.has(edge.target));
  const touched = new Set(edges.flatMap(({ source, target }) => [source, target]));
  const bereft = new Set(graph.edges.filter((edge) => hiddenEdges.has(edge.id)).flatMap(({ source, target }) => [source, target]));
  return { nodes: graph.nodes.filter(({ id }) => !hiddenNodes.has(id) && (touched.has(id) || !bereft.has(id))), edges };
}
