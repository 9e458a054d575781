import type { ElementDefinition } from "cytoscape";
import {
  type Graph,
  type GraphEdge,
  type GraphNode,
  type MeshState,
  type Traits,
  byteRate,
  edgeState,
  errorHealth,
  errorShare,
  formatBytes,
  formatMs,
  formatRate,
  refusedAttempts,
  requestRate,
} from "../model.ts";
import { STATE_COLOURS } from "./colours.ts";
import { type Layout, boxOf } from "./layout.ts";
import { nodeSize, nodeText } from "./node-text.ts";

export type EdgeLabel = "rate" | "p95" | "throughput" | "none";

/** Adds the workloads that are quiet now, so that the mesh is seen before its first request and stays where it was. */
export function withIdleNodes(graph: Graph, mesh: MeshState | undefined, namespaces: string[], graphType: string, traits?: Traits): Graph {
  if (!mesh) return graph;
  const known = new Set(graph.nodes.map((node) => node.id));
  const idle = new Map<string, GraphNode>();
  if (graphType === "service") {
    for (const id of Object.keys(traits ?? {})) {
      const [type, namespace = "", service = ""] = id.split("/");
      if (type === "service" && namespaces.includes(namespace) && !known.has(id)) idle.set(id, { id, type, cluster: "", namespace, service });
    }
    return { nodes: [...graph.nodes, ...idle.values()], edges: graph.edges };
  }
  for (const workload of mesh.workloads) {
    if (!workload.sidecar || !namespaces.includes(workload.namespace)) continue;
    const node = nodeOf(workload, graphType);
    if (!known.has(node.id)) idle.set(node.id, node);
  }
  return idle.size === 0 ? graph : { nodes: [...graph.nodes, ...idle.values()], edges: graph.edges };
}

/** A workload as the server names its node in a graph of each type. */
function nodeOf({ namespace, workload, app, version }: MeshState["workloads"][number], graphType: string): GraphNode {
  if (graphType === "workload") return { id: `workload/${namespace}/${workload}`, type: "workload", cluster: "", namespace, workload, app, version };
  if (graphType === "app") return { id: `app/${namespace}/${app}/`, type: "app", cluster: "", namespace, app };
  return { id: `app/${namespace}/${app}/${version}`, type: "app", cluster: "", namespace, app, version, workload };
}

/** Nodes, boxes and edges as the graph library takes them. Nodes without a place yet are left for the next round. */
export function toElements(graph: Graph, { nodes: placement, bends }: Layout, mesh: MeshState | undefined, boxed = true): ElementDefinition[] {
  const boxes = new Map<string, string>();
  const nodes = graph.nodes.filter((node) => placement.has(node.id));
  for (const node of nodes) {
    const box = boxed && boxOf(node);
    if (box) boxes.set(box, node.namespace);
  }
  const busy = new Set(graph.edges.flatMap((edge) => [edge.source, edge.target]));
  const incoming = Map.groupBy(graph.edges, (edge) => edge.target);
  const workloads = new Map(mesh?.workloads.map((w) => [`workload/${w.namespace}/${w.workload}`, w]));
  const byApp = Map.groupBy(mesh?.workloads ?? [], (w) => `${w.namespace}/${w.app}`);
  return [
    ...[...boxes].map(([id, name]): ElementDefinition => ({ data: { id, label: name }, selectable: false, grabbable: false })),
    ...nodes.map((node): ElementDefinition => {
      const state = workloads.get(node.id);
      const members = state
        ? [state]
        : node.type === "app"
          ? (byApp.get(`${node.namespace}/${node.app}`) ?? []).filter((w) => node.version === undefined || w.version === node.version)
          : [];
      return {
        data: {
          id: node.id,
          parent: boxed ? boxOf(node) : undefined,
          type: node.type,
          label: nodeText(node),
          ...nodeSize(node),
          idle: !busy.has(node.id),
          outside: members.length > 0 && members.every((w) => !w.sidecar),
          gateway: members.some((w) => w.gateway),
          health: errorHealth(incoming.get(node.id) ?? []),
        },
        position: placement.get(node.id)!,
      };
    }),
    ...graph.edges.flatMap((edge): ElementDefinition[] => {
      if (!placement.has(edge.source) || !placement.has(edge.target)) return [];
      const state = edgeState(edge);
      const bend = bends.get(`${edge.source} > ${edge.target}`) ?? 0;
      return [
        {
          data: {
            id: edge.id,
            source: edge.source,
            target: edge.target,
            state,
            colour: STATE_COLOURS[state],
            failing: state !== "refused" && errorShare(edge) > 0.2,
            bend,
          },
        },
      ];
    }),
  ];
}

/** What stands in an edge's mark. */
export function edgeText(edge: GraphEdge, label: EdgeLabel): string {
  const refused = refusedAttempts(edge);
  if (edgeState(edge) === "refused") return `${refused} refused`;
  const more = refused > 0 ? ` · ${refused} refused` : "";
  switch (label) {
    case "none":
      return more.slice(3);
    case "p95":
      return `${edge.responseTimes.p95 === undefined ? "" : formatMs(edge.responseTimes.p95)}${more}`;
    case "throughput":
      return `${formatBytes(edge.bytes ?? byteRate(edge))}${more}`;
    case "rate": {
      const requests = requestRate(edge);
      return `${requests > 0 ? formatRate(requests) : formatBytes(byteRate(edge))}${more}`;
    }
  }
}
