import { type EdgeState, type GraphEdge, edgeState } from "../model.ts";
import { type Palette, STATE_COLOURS } from "./colours.ts";
import type { Point } from "./layout.ts";
import { type Path, lengthOf, pointAt } from "./paths.ts";

/** A mark on an edge, in pixels of the screen: a padlock or a cross, with the edge's label beside it where there is room. */
export interface Mark {
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
  state: EdgeState;
  text: string;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A name of a node that is too small to have it inside. */
export interface Name extends Box {
  id: string;
  text: string;
}

export interface View {
  zoom: number;
  pan: Point;
}

const FONT = "600 11.5px system-ui, sans-serif";
const HEIGHT = 22;
const GLYPH = 12;
const PADDING = 6;
/** Where a mark may stand on its edge, the middle first. */
const PLACES = [0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73];
/** An edge shorter than this on the screen has room for no mark. */
const SHORTEST = 30;
/** From this far away only what is wrong keeps its text: names of nodes say more than rates. */
const FAR = 0.45;
const FAR_HEIGHT = 16;
const NAME_FONT = "600 10.5px system-ui, sans-serif";
const NAME_HEIGHT = 14;
/** The cells that marks and nodes are sorted into to find overlaps, in pixels. */
const CELL = 96;

/** Finds each mark's place: on its edge, clear of nodes and of other marks; without its text where only that fits. */
export function placeMarks(
  edges: Iterable<GraphEdge>,
  labels: ReadonlyMap<string, string>,
  paths: ReadonlyMap<string, Path>,
  nodes: readonly Box[],
  names: readonly Name[],
  view: View,
  padlocks: boolean,
  measure: (text: string) => number,
): Mark[] {
  const taken = new Grid();
  for (const node of nodes) taken.add(toScreenBox(node, view));
  for (const name of names) taken.add(name);
  const far = view.zoom < FAR;
  const marks: Mark[] = [];
  // What is wrong is placed first.
  const ranked = [...edges].sort((a, b) => rank(edgeState(a)) - rank(edgeState(b)));
  for (const edge of ranked) {
    const path = paths.get(edge.id);
    if (!path) continue;
    const state = edgeState(edge);
    const text = far && state === "secure" ? "" : (labels.get(edge.id) ?? "");
    const glyph = padlocks && state !== "unknown";
    if (!glyph && text === "") continue;
    const room = lengthOf(path) * view.zoom;
    if (room < SHORTEST) continue;
    const small = far ? FAR_HEIGHT : HEIGHT;
    const full = { width: PADDING * 2 + (glyph ? GLYPH : 0) + (text ? measure(text) + (glyph ? 5 : 0) : 0), height: HEIGHT };
    const sizes = text && glyph ? [full, { width: small, height: small }] : glyph ? [{ width: small, height: small }] : [full];
    let place: Box | undefined;
    for (const size of sizes) if (!place && (size.width <= room + HEIGHT || size.width === small)) place = firstFree(path, size, view, taken);
    // Who is refused or in plaintext is marked even where it is crowded.
    if (!place && glyph && state !== "secure") place = around(pointAt(path, 0.5), { width: small, height: small }, view);
    if (!place) continue;
    taken.add(place);
    marks.push({ ...place, id: edge.id, state, text: place.width === small && glyph ? "" : text });
  }
  return marks;
}

/** Names of nodes seen from far away, as many as fit, in the order given. */
export function placeNames(nodes: readonly (Box & { id: string; text: string })[], view: View, measure: (text: string) => number): Name[] {
  const taken = new Grid();
  const names: Name[] = [];
  for (const node of nodes) {
    const width = measure(node.text) * 0.92 + 6;
    const at = toScreenBox(node, view);
    const name = { id: node.id, text: node.text, x: at.x + at.width / 2 - width / 2, y: at.y + at.height / 2 - NAME_HEIGHT / 2, width, height: NAME_HEIGHT };
    if (!taken.isFree(name)) continue;
    taken.add(name);
    names.push(name);
  }
  return names;
}

export function drawNames(context: CanvasRenderingContext2D, names: readonly Name[], palette: Palette, faded: (id: string) => boolean): void {
  context.font = NAME_FONT;
  context.textBaseline = "middle";
  context.textAlign = "center";
  for (const { id, text, x, y, width, height } of names) {
    context.globalAlpha = faded(id) ? 0.25 : 0.86;
    context.fillStyle = palette.surface;
    context.beginPath();
    context.roundRect(x, y, width, height, 4);
    context.fill();
    context.globalAlpha = faded(id) ? 0.35 : 1;
    context.fillStyle = palette.ink;
    context.fillText(text, x + width / 2, y + height / 2 + 0.5);
  }
  context.globalAlpha = 1;
  context.textAlign = "left";
}

export function drawMarks(
  context: CanvasRenderingContext2D,
  marks: readonly Mark[],
  palette: Palette,
  padlocks: boolean,
  faded: (id: string) => boolean,
): void {
  context.font = FONT;
  context.textBaseline = "middle";
  for (const { id, x, y, width, height, state, text } of marks) {
    context.globalAlpha = faded(id) ? 0.25 : 1;
    context.fillStyle = palette.surface;
    context.strokeStyle = STATE_COLOURS[state];
    context.lineWidth = 1.4;
    context.beginPath();
    context.roundRect(x, y, width, height, height / 2);
    context.fill();
    context.stroke();
    let left = x + PADDING;
    if (padlocks && state !== "unknown") {
      drawGlyph(context, state, text ? left + GLYPH / 2 : x + width / 2, y + height / 2, (GLYPH / 2 + 0.5) * Math.min(1, height / HEIGHT + 0.08));
      left += GLYPH + 5;
    }
    if (text) {
      context.fillStyle = state === "refused" ? STATE_COLOURS.refused : palette.ink;
      context.fillText(text, left, y + height / 2 + 0.5);
    }
  }
  context.globalAlpha = 1;
}

/** The mark under a point of the screen. */
export function markAt(marks: readonly Mark[], x: number, y: number): Mark | undefined {
  return marks.findLast((mark) => x >= mark.x && x <= mark.x + mark.width && y >= mark.y && y <= mark.y + mark.height);
}

export function textMeter(): (text: string) => number {
  const context = document.createElement("canvas").getContext("2d");
  const widths = new Map<string, number>();
  return (text) => {
    let width = widths.get(text);
    if (width === undefined) {
      if (context) context.font = FONT;
      width = context ? context.measureText(text).width : text.length * 6.5;
      if (widths.size > 2_000) widths.clear();
      widths.set(text, width);
    }
    return width;
  };
}

/** A padlock, closed or open; or a cross where nobody is let in. */
function drawGlyph(context: CanvasRenderingContext2D, state: EdgeState, x: number, y: number, s: number): void {
  const colour = STATE_COLOURS[state];
  context.strokeStyle = colour;
  context.beginPath();
  if (state === "refused") {
    context.lineWidth = 2;
    context.moveTo(x - s * 0.6, y - s * 0.6);
    context.lineTo(x + s * 0.6, y + s * 0.6);
    context.moveTo(x + s * 0.6, y - s * 0.6);
    context.lineTo(x - s * 0.6, y + s * 0.6);
    context.stroke();
    return;
  }
  context.lineWidth = 1.6;
  context.fillStyle = colour;
  context.fillRect(x - s * 0.72, y - s * 0.1, s * 1.44, s * 0.95);
  const [middle, r] = [state === "secure" ? x : x + s * 0.5, s * 0.44];
  context.moveTo(middle - r, y);
  context.lineTo(middle - r, y - s * 0.34);
  context.arc(middle, y - s * 0.34, r, Math.PI, 2 * Math.PI);
  if (state === "secure") context.lineTo(middle + r, y);
  context.stroke();
}

/** Refusals first, then plaintext. */
function rank(state: EdgeState): number {
  return { refused: 0, plaintext: 1, mixed: 1, secure: 2, unknown: 3 }[state];
}

function firstFree(path: Path, size: { width: number; height: number }, view: View, taken: Grid): Box | undefined {
  for (const place of PLACES) {
    const box = around(pointAt(path, place), size, view);
    if (taken.isFree(box)) return box;
  }
  return undefined;
}

function around(point: Point, { width, height }: { width: number; height: number }, { zoom, pan }: View): Box {
  return { x: point.x * zoom + pan.x - width / 2, y: point.y * zoom + pan.y - height / 2, width, height };
}

export function toScreenBox({ x, y, width, height }: Box, { zoom, pan }: View): Box {
  return { x: x * zoom + pan.x, y: y * zoom + pan.y, width: width * zoom, height: height * zoom };
}

/** Boxes by the cells they touch, so that thousands of marks are placed without comparing each with each. */
class Grid {
  readonly #cells = new Map<string, Box[]>();

  add(box: Box): void {
    for (const key of this.#keys(box)) {
      const cell = this.#cells.get(key);
      if (cell) cell.push(box);
      else this.#cells.set(key, [box]);
    }
  }

  isFree(box: Box): boolean {
    for (const key of this.#keys(box))
      for (const other of this.#cells.get(key) ?? [])
        if (box.x < other.x + other.width && other.x < box.x + box.width && box.y < other.y + other.height && other.y < box.y + box.height) return false;
    return true;
  }

  *#keys({ x, y, width, height }: Box): Generator<string> {
    for (let column = Math.floor(x / CELL); column <= Math.floor((x + width) / CELL); column++)
      for (let row = Math.floor(y / CELL); row <= Math.floor((y + height) / CELL); row++) yield `${column},${row}`;
  }
}
