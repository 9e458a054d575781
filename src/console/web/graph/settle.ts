import type { Direction } from "./layout.ts";

/** A node, or the lane of a long edge, on its way to a place across the flow. */
export interface Item {
  id: string;
  layer: number;
  /** Room across the flow. */
  size: number;
  box: string;
  /** False where the box is the node itself and is not drawn. */
  boxed: boolean;
  before: Item[];
  after: Item[];
  /** Its middle across the flow: what is looked for. */
  at: number;
}

/** Between two nodes of a layer. */
const GAP = 40;
/** Between two boxes. */
const BOX_GAP = 46;
/** What a drawn box needs around its nodes: its name stands on the first side when the flow runs right. */
const MARGIN: Record<Direction, [number, number]> = { RIGHT: [42, 24], DOWN: [28, 28] };
/** Sweeps back and forth that find the order, and then those that straighten; more change little. */
const ORDER_SWEEPS = 8;
const STRAIGHTEN_SWEEPS = 16;
/** From here on only what is inside a box counts for those that have such neighbours: chains become straight. */
const LAST_SWEEPS = ORDER_SWEEPS + STRAIGHTEN_SWEEPS / 2;
/** A chain inside a box, and a long edge's lane, are to be straight before anything else is. */
const INSIDE_WEIGHT = 6;

/**
 * Finds each item's place across the flow: near those it is joined to, in order, without overlaps within a layer, and
 * boxes side by side. Works by sweeps: each layer is put where its neighbours want it, then boxes are pushed apart.
 */
export function settle(items: Item[], direction: Direction): void {
  const boxes = [...Map.groupBy(items, (item) => item.box)]
    .map(([name, members]) => ({
      name,
      members,
      boxed: members[0]!.boxed,
      columns: [...Map.groupBy(members, (item) => item.layer).values()],
      low: Math.min(...members.map((m) => m.layer)),
      high: Math.max(...members.map((m) => m.layer)),
    }))
    .sort((a, b) => a.low - b.low || (a.name < b.name ? -1 : 1));
  for (const box of boxes) for (const column of box.columns) stack(column);
  apart(boxes, direction);
  for (let sweep = 0; sweep < ORDER_SWEEPS + STRAIGHTEN_SWEEPS; sweep++) {
    const onward = sweep % 2 === 0;
    const rooms = new Map(boxes.map((box) => [box.name, roomOf(box)]));
    const columns = boxes.flatMap((box) => box.columns).sort((a, b) => (onward ? a[0]!.layer - b[0]!.layer : b[0]!.layer - a[0]!.layer));
    for (const column of columns) {
      // First the order is found, by looking one way at a time; then both ways count for the place.
      const room = rooms.get(column[0]!.box)!;
      if (sweep < ORDER_SWEEPS)
        spread(column, (item) => wanted(item, onward ? item.before : item.after, room) ?? wanted(item, onward ? item.after : item.before, room) ?? item.at);
      else spread(column, (item) => wanted(item, besides(item, sweep >= LAST_SWEEPS), room) ?? item.at);
    }
    apart(boxes, direction);
  }
}

interface Box {
  name: string;
  members: Item[];
  boxed: boolean;
  columns: Item[][];
  low: number;
  high: number;
}

/**
 * Puts the items of one layer as near as can be to where they want to be, in that order and clear of each other: the
 * least-squares answer, by pooling neighbours that collide.
 */
function spread(column: Item[], wish: (item: Item) => number): void {
  const wishes = new Map(column.map((item) => [item, wish(item)]));
  column.sort((a, b) => wishes.get(a)! - wishes.get(b)! || (a.id < b.id ? -1 : 1));
  const pools: { sum: number; count: number }[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const [i, item] of column.entries()) {
    if (i > 0) offset += (column[i - 1]!.size + item.size) / 2 + GAP;
    offsets.push(offset);
    pools.push({ sum: wishes.get(item)! - offset, count: 1 });
    while (pools.length > 1 && pools.at(-2)!.sum / pools.at(-2)!.count > pools.at(-1)!.sum / pools.at(-1)!.count) {
      const merged = pools.pop()!;
      pools.at(-1)!.sum += merged.sum;
      pools.at(-1)!.count += merged.count;
    }
  }
  let at = 0;
  for (const { sum, count } of pools) for (let k = 0; k < count; k++, at++) column[at]!.at = sum / count + offsets[at]!;
}

/**
 * Moves whole boxes until none overlaps another that shares layers with it. Pushing all down, or all up, would each do;
 * half way between the two does as well, and keeps the picture's middle where it was.
 */
function apart(boxes: Box[], direction: Direction): void {
  const extents = boxes.map((box) => {
    const [before, after] = box.boxed ? MARGIN[direction] : [0, 0];
    const top = Math.min(...box.members.map((item) => item.at - item.size / 2)) - before;
    const bottom = Math.max(...box.members.map((item) => item.at + item.size / 2)) + after;
    return { box, top, height: bottom - top, down: top, up: top };
  });
  extents.sort((a, b) => a.top + a.height / 2 - (b.top + b.height / 2) || (a.box.name < b.box.name ? -1 : 1));
  for (const [i, extent] of extents.entries())
    for (const other of extents.slice(0, i)) if (shareLayers(extent.box, other.box)) extent.down = Math.max(extent.down, other.down + other.height + BOX_GAP);
  for (const [i, extent] of [...extents.entries()].toReversed())
    for (const other of extents.slice(i + 1)) if (shareLayers(extent.box, other.box)) extent.up = Math.min(extent.up, other.up - extent.height - BOX_GAP);
  for (const { box, top, down, up } of extents) for (const item of box.members) item.at += (down + up) / 2 - top;
}

/** Boxes reach into the gap beside their outer layers, never beyond its middle. */
function shareLayers(a: Box, b: Box): boolean {
  return a.low <= b.high && b.low <= a.high;
}

function besides(item: Item, insideFirst: boolean): Item[] {
  const all = [...item.before, ...item.after];
  const inside = insideFirst ? all.filter(({ box }) => box === item.box) : [];
  return inside.length > 0 ? inside : all;
}

/** One below the other, from the top: as boxes without traffic stay. */
function stack(column: Item[]): void {
  let edge = 0;
  for (const item of column.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    item.at = edge + item.size / 2;
    edge += item.size + GAP;
  }
}

/** Where a box's items may be drawn to by what is outside: no further than its fullest column reaches, or it would grow without end. */
function roomOf(box: Box): [number, number] {
  const fullest = Math.max(...box.columns.map((column) => column.reduce((sum, { size }) => sum + size + GAP, -GAP)));
  const [top, bottom] = [Math.min(...box.members.map(({ at, size }) => at - size / 2)), Math.max(...box.members.map(({ at, size }) => at + size / 2))];
  return [(top + bottom - fullest) / 2, (top + bottom + fullest) / 2];
}

/** Where an item's neighbours would have it. */
function wanted(item: Item, neighbours: Item[], [low, high]: [number, number]): number | undefined {
  if (neighbours.length === 0) return undefined;
  let [sum, weights] = [0, 0];
  for (const { at, box } of neighbours) {
    const weight = box === item.box ? INSIDE_WEIGHT : 1;
    sum += (box === item.box ? at : Math.min(Math.max(at, low), high)) * weight;
    weights += weight;
  }
  return sum / weights;
}
