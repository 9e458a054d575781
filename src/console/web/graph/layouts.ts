import { type Direction, type Layout, type LayoutEdge, type LayoutNode, type Point, layout } from "./layout.ts";

/** How a graph is laid out: along the flow of requests, in a grid, or on a circle. */
export type LayoutName = Direction | "GRID" | "CIRCLE";

/** Room between two nodes for a mark with its rate. */
const GAP_X = 110;
const GAP_Y = 70;
/** Boxes have a title and a border of their own. */
const BOX_GAP = 120;
/** A grid that is read in rows is wider than high. */
const ASPECT = 1.6;
/** Nodes of one box stand together on a circle, apart from those of the next by this many places. */
const ARC_GAP = 1;

/** Places nodes as asked. Pure; the same graph gets the same places, whatever order it came in. */
export function arrange(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], name: LayoutName): Layout {
  if (name === "RIGHT" || name === "DOWN") return layout(nodes, edges, name);
  const sorted = nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const boxes = [...Map.groupBy(sorted, ({ box }) => box ?? "")].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, members]) => members);
  return { nodes: name === "GRID" ? grid(boxes) : circle(boxes), bends: new Map() };
}

/** Each box a block of rows; blocks in rows as well. */
function grid(boxes: readonly LayoutNode[][]): Map<string, Point> {
  const blocks = boxes.map((members) => {
    const columns = Math.ceil(Math.sqrt(members.length * ASPECT));
    const [width, height] = [Math.max(...members.map((node) => node.width)) + GAP_X, Math.max(...members.map((node) => node.height)) + GAP_Y];
    return {
      members,
      columns,
      width,
      height,
      across: Math.min(columns, members.length) * width - GAP_X,
      down: Math.ceil(members.length / columns) * height - GAP_Y,
    };
  });
  const places = new Map<string, Point>();
  const widest = Math.max(
    ...blocks.map(({ across }) => across),
    Math.sqrt(blocks.reduce((sum, { across, down }) => sum + (across + BOX_GAP) * (down + BOX_GAP), 0) * ASPECT),
  );
  let [left, top, tallest] = [0, 0, 0];
  for (const { members, columns, width, height, across, down } of blocks) {
    if (left > 0 && left + across > widest) [left, top, tallest] = [0, top + tallest + BOX_GAP, 0];
    for (const [index, node] of members.entries())
      places.set(node.id, { x: left + (index % columns) * width + (width - GAP_X) / 2, y: top + Math.floor(index / columns) * height + (height - GAP_Y) / 2 });
    left += across + BOX_GAP;
    tallest = Math.max(tallest, down);
  }
  return places;
}

/** All on one circle, box by box, so that every edge is a chord that can be followed. */
function circle(boxes: readonly LayoutNode[][]): Map<string, Point> {
  const count = boxes.reduce((sum, members) => sum + members.length + ARC_GAP, 0);
  const widest = Math.max(...boxes.flat().map(({ width }) => width), 1);
  const radius = Math.max(((widest + GAP_X / 2) * count) / (2 * Math.PI), widest);
  const places = new Map<string, Point>();
  let at = 0;
  for (const members of boxes) {
    for (const node of members) {
      const angle = (2 * Math.PI * at++) / count - Math.PI / 2;
      places.set(node.id, { x: radius * Math.cos(angle), y: radius * 0.72 * Math.sin(angle) });
    }
    at += ARC_GAP;
  }
  return places;
}
