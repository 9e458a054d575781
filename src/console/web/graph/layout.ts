import ELK, { type ElkNode } from "elkjs/lib/elk.bundled.js";
import type { Graph, GraphNode } from "../model.ts";

export interface Placement {
  /** Centre of each node by id. */
  nodes: Map<string, { x: number; y: number }>;
}

export const NODE_SIZE = { width: 168, height: 64 };

/** Room for a padlock, a rate and dots on their way; ELK asks for it anew in each box. */
const SPACING = {
  "elk.layered.spacing.nodeNodeBetweenLayers": "132",
  "elk.spacing.nodeNode": "56",
};
/** Layers from left to right, as requests flow; each namespace is a box. */
const OPTIONS = {
  ...SPACING,
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
};
const BOX_OPTIONS = { ...SPACING, "elk.padding": "[top=56,left=36,bottom=36,right=36]" };

const elk = new ELK();

/** Places the nodes. The same graph gets the same places, whatever order it came in. */
export async function layout(graph: Graph): Promise<Placement> {
  const nodes = graph.nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const boxes = new Map<string, ElkNode>();
  const top: ElkNode[] = [];
  for (const node of nodes) {
    const child: ElkNode = { id: node.id, ...NODE_SIZE };
    const box = boxOf(node);
    if (box === undefined) {
      top.push(child);
      continue;
    }
    let parent = boxes.get(box);
    if (!parent) {
      boxes.set(box, (parent = { id: box, children: [], layoutOptions: BOX_OPTIONS }));
      top.push(parent);
    }
    parent.children!.push(child);
  }
  const edges = graph.edges.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((edge) => ({ id: edge.id, sources: [edge.source], targets: [edge.target] }));
  const placed = await elk.layout({ id: "root", layoutOptions: OPTIONS, children: top, edges });
  const result: Placement = { nodes: new Map() };
  const visit = (node: ElkNode, x: number, y: number) => {
    const [left, up] = [x + (node.x ?? 0), y + (node.y ?? 0)];
    if (node.children?.length) for (const child of node.children) visit(child, left, up);
    else result.nodes.set(node.id, { x: left + (node.width ?? 0) / 2, y: up + (node.height ?? 0) / 2 });
  };
  for (const node of placed.children ?? []) visit(node, 0, 0);
  return result;
}

/** The namespace box that a node stands in. */
export function boxOf(node: GraphNode): string | undefined {
  return node.type === "unknown" ? undefined : `box/${node.namespace}`;
}
