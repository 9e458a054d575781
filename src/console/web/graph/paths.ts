import type { Core, EdgeSingular } from "cytoscape";
import type { Point } from "./layout.ts";

/** An edge as a quadratic curve in the graph's own coordinates, which pan and zoom do not change. */
export type Path = readonly [from: Point, control: Point, to: Point];

/** Every edge's curve, read from the renderer again only after something has moved. */
export class Paths {
  #paths: Map<string, Path> | undefined;

  constructor(private readonly cy: Core) {
    cy.on("position add remove data", () => (this.#paths = undefined));
  }

  get all(): ReadonlyMap<string, Path> {
    if (this.#paths) return this.#paths;
    const paths = new Map<string, Path>();
    this.cy.edges().forEach((edge) => {
      const path = pathOf(edge);
      if (path) paths.set(edge.id(), path);
    });
    // Before the first frame the renderer has no curves yet: ask again then.
    if (paths.size > 0 || this.cy.edges().empty()) this.#paths = paths;
    return paths;
  }
}

function pathOf(edge: EdgeSingular): Path | undefined {
  const [from, to, middle] = [edge.sourceEndpoint(), edge.targetEndpoint(), edge.midpoint()];
  if (!from || !to || !middle || Number.isNaN(from.x) || Number.isNaN(to.x) || Number.isNaN(middle.x)) return undefined;
  // The curve goes through its middle: that fixes the control point, for straight edges as well.
  return [from, { x: 2 * middle.x - (from.x + to.x) / 2, y: 2 * middle.y - (from.y + to.y) / 2 }, to];
}

/** A point on the curve, at 0 to 1. */
export function pointAt([a, b, c]: Path, t: number): Point {
  const u = 1 - t;
  return { x: u * u * a.x + 2 * u * t * b.x + t * t * c.x, y: u * u * a.y + 2 * u * t * b.y + t * t * c.y };
}

export function lengthOf([a, , c]: Path): number {
  return Math.hypot(c.x - a.x, c.y - a.y);
}
