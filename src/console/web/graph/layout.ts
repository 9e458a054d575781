import type { GraphNode } from "../model.ts";
import { assignLayers } from "./layers.ts";
import { type Item, settle } from "./settle.ts";

export interface Point {
  x: number;
  y: number;
}

export type Direction = "RIGHT" | "DOWN";

export interface LayoutNode {
  id: string;
  width: number;
  height: number;
  /** The box that it stands in, if any. */
  box: string | undefined;
}

export interface LayoutEdge {
  id: string;
  source: string;
  target: string;
}

export interface Layout {
  /** Centre of each node by id. */
  nodes: Map<string, Point>;
  /** How far a long edge bends aside, by the edge's id, so that it passes nodes by. */
  bends: Map<string, number>;
}

/** Room between two layers with edges between them, for a mark with its rate and for dots on their way. */
const LAYER_GAP: Record<Direction, number> = { RIGHT: 166, DOWN: 96 };
/** With more layers than these the picture is seen from further away, where marks have no text and need less room. */
const ROOMY_LAYERS = 6;
const CLOSER_BY = 0.07;
const CLOSEST = 0.45;
/** Between two layers that no edge joins. */
const QUIET_GAP = 60;
/** Columns of a box without any traffic. */
const IDLE_ASPECT = 1.7;
/** The lane that a long edge keeps free on its way. */
const LANE = 26;
/** A bend less than this is as good as straight. */
const LEAST_BEND = 14;

/** The namespace box that a node stands in. */
export function boxOf(node: GraphNode): string | undefined {
  return node.type === "unknown" ? undefined : `box/${node.namespace}`;
}

/**
 * Places nodes in layers along the flow of requests, each namespace in a box of its own. Pure; the same graph gets the
 * same places, whatever order it came in. A thousand nodes take some 50 ms.
 */
export function layout(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], direction: Direction): Layout {
  const sorted = nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const index = new Map(sorted.map((node, i) => [node.id, i]));
  const joined = edges
    .flatMap(({ id, source, target }) => {
      const [from, to] = [index.get(source), index.get(target)];
      return from === undefined || to === undefined || from === to ? [] : [{ id, from, to }];
    })
    .sort((a, b) => a.from - b.from || a.to - b.to);
  const layers = assignLayers({ count: sorted.length, edges: joined.map(({ from, to }) => [from, to]) });
  fillIdle(sorted, layers);

  const along = (node: LayoutNode) => (direction === "RIGHT" ? node.width : node.height);
  const across = (node: LayoutNode) => (direction === "RIGHT" ? node.height : node.width);
  const items: Item[] = sorted.map((node, i) => ({
    id: node.id,
    layer: layers[i]!,
    size: across(node),
    box: node.box ?? `alone/${node.id}`,
    boxed: node.box !== undefined,
    before: [],
    after: [],
    at: 0,
  }));
  const lanes = addLanes(items, joined);
  settle(items, direction);

  const centres = layerCentres(sorted, layers, joined, along, direction);
  const place = (item: Item): Point => (direction === "RIGHT" ? { x: centres[item.layer]!, y: item.at } : { x: item.at, y: centres[item.layer]! });
  const bends = new Map<string, number>();
  for (const { id, from, to, on } of lanes) {
    const [a, b] = [place(items[from]!), place(items[to]!)];
    const length = Math.hypot(b.x - a.x, b.y - a.y);
    // The curve's middle is half as far out as its control point: it should meet the lanes that were kept free.
    const distance = on.reduce((sum, item) => sum + offLine(a, b, place(item), length), 0) / on.length;
    if (Math.abs(distance) > LEAST_BEND) bends.set(id, Math.round(distance * 2));
  }
  return { nodes: new Map(items.slice(0, sorted.length).map((item) => [item.id, place(item)])), bends };
}

/** Nodes without edges fill the layers of their box that have room; a box of such nodes alone becomes a block. */
function fillIdle(nodes: readonly LayoutNode[], layers: number[]): void {
  const byBox = Map.groupBy(nodes.keys(), (i) => nodes[i]!.box ?? `alone/${nodes[i]!.id}`);
  for (const members of byBox.values()) {
    const idle = members.filter((i) => layers[i]! < 0);
    if (idle.length === 0) continue;
    const used = members.flatMap((i) => (layers[i]! >= 0 ? [layers[i]!] : []));
    const first = used.length > 0 ? Math.min(...used) : 0;
    const columns = used.length > 0 ? Math.max(...used) - first + 1 : Math.ceil(Math.sqrt(idle.length * IDLE_ASPECT));
    const load = Array.from({ length: columns }, (_, column) => used.filter((layer) => layer === first + column).length);
    for (const i of idle) {
      const column = load.indexOf(Math.min(...load));
      load[column]!++;
      layers[i] = first + column;
    }
  }
}

interface Lane {
  id: string;
  from: number;
  to: number;
  on: Item[];
}

/** Joins neighbours; an edge over several layers gets a lane in each box that it runs through. */
function addLanes(items: Item[], edges: readonly { id: string; from: number; to: number }[]): Lane[] {
  const ranges = new Map<string, [number, number]>();
  for (const { box, layer } of items) {
    const range = ranges.get(box);
    ranges.set(box, range ? [Math.min(range[0], layer), Math.max(range[1], layer)] : [layer, layer]);
  }
  const lanes: Lane[] = [];
  for (const { id, from, to } of edges) {
    const [a, b] = items[from]!.layer <= items[to]!.layer ? [items[from]!, items[to]!] : [items[to]!, items[from]!];
    const on: Item[] = [];
    let last = a;
    for (let layer = a.layer + 1; layer < b.layer; layer++) {
      const box = [b.box, a.box].find((name) => layer >= ranges.get(name)![0] && layer <= ranges.get(name)![1]);
      if (box === undefined) continue;
      const lane: Item = { id: `${id}@${layer}`, layer, size: LANE, box, boxed: true, before: [], after: [], at: 0 };
      items.push(lane);
      on.push(lane);
      join(last, lane);
      last = lane;
    }
    join(last, b);
    if (on.length > 0) lanes.push({ id, from, to, on });
  }
  return lanes;
}

function join(a: Item, b: Item): void {
  if (a.layer === b.layer) return;
  a.after.push(b);
  b.before.push(a);
}

/** Where each layer's middle is, along the flow. */
function layerCentres(
  nodes: readonly LayoutNode[],
  layers: readonly number[],
  edges: readonly { from: number; to: number }[],
  along: (node: LayoutNode) => number,
  direction: Direction,
): number[] {
  const count = Math.max(...layers, 0) + 1;
  const sizes = Array.from({ length: count }, () => 0);
  nodes.forEach((node, i) => (sizes[layers[i]!] = Math.max(sizes[layers[i]!]!, along(node))));
  const busy = Array.from({ length: count }, () => false);
  for (const { from, to } of edges)
    for (let layer = Math.min(layers[from]!, layers[to]!); layer < Math.max(layers[from]!, layers[to]!); layer++) busy[layer] = true;
  const gap = LAYER_GAP[direction] * Math.max(CLOSEST, 1 - Math.max(0, count - ROOMY_LAYERS) * CLOSER_BY);
  const centres: number[] = [];
  let at = 0;
  for (let layer = 0; layer < count; layer++) {
    centres.push(at + sizes[layer]! / 2);
    at += sizes[layer]! + (busy[layer] ? gap : QUIET_GAP);
  }
  return centres;
}

/** How far a point lies beside the line from a to b, in the graph library's sense of left and right. */
function offLine(a: Point, b: Point, p: Point, length: number): number {
  return length === 0 ? 0 : ((b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x)) / length;
}
