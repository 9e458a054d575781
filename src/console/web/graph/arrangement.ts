import type { Graph, GraphNode } from "../model.ts";
import { type Layout, boxOf } from "./layout.ts";
import { type LayoutName, arrange } from "./layouts.ts";

/**
 * Where the nodes stand, kept as steady as can be: nodes that come back come back to their place, and an edge between
 * nodes that already stand in its direction moves nothing.
 */
export class Arrangement {
  #layout: Layout = { nodes: new Map(), bends: new Map() };
  readonly #nodes = new Map<string, GraphNode>();
  readonly #edges = new Map<string, { id: string; source: string; target: string }>();
  #name: LayoutName | undefined;
  #boxed = true;

  /** Flows that were seen earlier, so that a mesh without traffic already stands as it will with some. */
  constructor(
    learned: readonly { source: string; target: string }[],
    private readonly sizeOf: (node: GraphNode) => { width: number; height: number },
  ) {
    for (const { source, target } of learned) this.#edges.set(`${source} > ${target}`, { id: `${source} > ${target}`, source, target });
  }

  /** The flows known so far, newest last. */
  get flows(): { source: string; target: string }[] {
    return [...this.#edges.values()].map(({ source, target }) => ({ source, target }));
  }

  /** Takes the graph's nodes and edges in. The same object comes back while all stays where it was. */
  update(graph: Graph, name: LayoutName, boxed = true): Layout {
    let changed = this.#name !== name || this.#boxed !== boxed;
    this.#name = name;
    this.#boxed = boxed;
    for (const node of graph.nodes) {
      if (!this.#nodes.has(node.id)) changed = true;
      this.#nodes.set(node.id, node);
    }
    for (const { source, target } of graph.edges) {
      // Edges are known by their ends: for places nothing else counts.
      const id = `${source} > ${target}`;
      if (this.#edges.has(id)) continue;
      this.#edges.set(id, { id, source, target });
      if (!this.#flowsOnward(source, target)) changed = true;
    }
    if (changed) {
      const nodes = [...this.#nodes.values()].map((node) => ({ id: node.id, ...this.sizeOf(node), box: boxed ? boxOf(node) : undefined }));
      this.#layout = arrange(nodes, [...this.#edges.values()], name);
    }
    return this.#layout;
  }

  #flowsOnward(source: string, target: string): boolean {
    const [from, to] = [this.#layout.nodes.get(source), this.#layout.nodes.get(target)];
    if (!from || !to) return false;
    if (this.#name !== "RIGHT" && this.#name !== "DOWN") return true;
    return this.#name === "RIGHT" ? to.x > from.x : to.y > from.y;
  }
}
