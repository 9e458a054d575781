import type { ElementDefinition } from "cytoscape";
import { type Graph, type GraphEdge, type MeshState, byteRate, edgeState, errorShare, formatBytes, formatMs, formatRate, nodeName, refusedAttempts, requestRate } from "../model.ts";
import { type Placement, boxOf } from "./layout.ts";
import { STATE_COLOURS } from "./overlay.ts";

export type EdgeLabel = "rate" | "p95" | "none";

/** Adds the workloads that are quiet now, so that the mesh is seen before its first request and stays where it was. */
export function withIdleNodes(graph: Graph, mesh: MeshState | undefined, namespaces: string[], graphType: string): Graph {
  if (!mesh || graphType !== "workload") return graph;
  const known = new Set(graph.nodes.map((node) => node.id));
  const idle = mesh.workloads
    .filter((w) => w.sidecar && namespaces.includes(w.namespace) && !known.has(`workload/${w.namespace}/${w.workload}`))
    .map((w) => ({ id: `workload/${w.namespace}/${w.workload}`, type: "workload" as const, cluster: "", namespace: w.namespace, workload: w.workload, app: w.app }));
  return idle.length === 0 ? graph : { nodes: [...graph.nodes, ...idle], edges: graph.edges };
}

/** Nodes, boxes and edges as the graph library takes them. */
export function toElements(graph: Graph, placement: Placement, mesh: MeshState | undefined, label: EdgeLabel): ElementDefinition[] {
  const boxes = new Map<string, string>();
  for (const node of graph.nodes) {
    const box = boxOf(node);
    if (box) boxes.set(box, node.namespace);
  }
  const busy = new Set(graph.edges.flatMap((edge) => [edge.source, edge.target]));
  const workloads = new Map(mesh?.workloads.map((w) => [`workload/${w.namespace}/${w.workload}`, w]));
  return [
    ...[...boxes].map(([id, name]): ElementDefinition => ({ data: { id, label: name }, selectable: false, grabbable: false })),
    ...graph.nodes.map((node): ElementDefinition => {
      const state = workloads.get(node.id);
      const second = node.version && node.version !== "latest" ? `\n${node.version}` : "";
      return {
        data: { id: node.id, parent: boxOf(node), type: node.type, label: `${nodeName(node)}${second}`, idle: !busy.has(node.id), outside: state ? !state.sidecar : false, gateway: state?.gateway ?? false },
        position: placement.nodes.get(node.id) ?? { x: 0, y: 0 },
      };
    }),
    ...graph.edges.map((edge): ElementDefinition => {
      const state = edgeState(edge);
      return { data: { id: edge.id, source: edge.source, target: edge.target, state, colour: STATE_COLOURS[state], failing: state !== "refused" && errorShare(edge) > 0.2, label: edgeText(edge, label) } };
    }),
  ];
}

function edgeText(edge: GraphEdge, label: EdgeLabel): string {
  const refused = refusedAttempts(edge);
  if (edgeState(edge) === "refused") return `${refused} refused`;
  const more = refused > 0 ? `\n${refused} refused` : "";
  if (label === "none") return more.trim();
  if (label === "p95") return `${edge.responseTimes.p95 === undefined ? "" : formatMs(edge.responseTimes.p95)}${more}`;
  const requests = requestRate(edge);
  return `${requests > 0 ? formatRate(requests) : formatBytes(byteRate(edge))}${more}`;
}
