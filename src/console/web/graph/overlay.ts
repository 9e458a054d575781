import type { Core, EdgeSingular } from "cytoscape";
import { type EdgeState, type GraphEdge, byteRate, edgeState, errorShare, refusedAttempts, requestRate } from "../model.ts";

/** What moves and what marks: drawn each frame on a canvas above the graph. */
export interface OverlayOptions {
  animation: boolean;
  padlocks: boolean;
  durationSeconds: number;
}

/** Time that a dot takes along an edge: slow enough to follow, fast enough to look live. */
const TRAVEL_MS = 1_800;
/** More dots a second than this are a stream to the eye anyway. */
const MAX_DOTS_PER_SECOND = 12;
/** A trickle is shown as one dot every few seconds rather than none. */
const MIN_DOTS_PER_SECOND = 0.25;
/** TCP has no requests: one dot a so many bytes. */
const BYTES_PER_DOT = 2_000;

export const STATE_COLOURS: Record<EdgeState, string> = { secure: "#2f9e6e", plaintext: "#d98a00", mixed: "#d98a00", refused: "#d9363e", unknown: "#8a94a6" };

interface Point {
  x: number;
  y: number;
}

/** Draws one frame. `time` in ms. */
export function drawOverlay(context: CanvasRenderingContext2D, cy: Core, edges: ReadonlyMap<string, GraphEdge>, time: number, options: OverlayOptions): void {
  const scale = window.devicePixelRatio;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, cy.width(), cy.height());
  const zoom = cy.zoom();
  cy.edges().forEach((element) => {
    const edge = edges.get(element.id());
    const path = edge && pathOf(element);
    if (!edge || !path) return;
    const faded = element.hasClass("faded");
    context.globalAlpha = faded ? 0.2 : 1;
    if (options.animation) drawDots(context, edge, path, time, zoom, options.durationSeconds);
    if (options.padlocks) drawMark(context, edge, at(path, 0.5), zoom);
  });
  context.globalAlpha = 1;
}

function drawDots(context: CanvasRenderingContext2D, edge: GraphEdge, path: Path, time: number, zoom: number, durationSeconds: number): void {
  const state = edgeState(edge);
  const refused = state === "refused";
  const wanted = refused ? refusedAttempts(edge) / durationSeconds : requestRate(edge) + byteRate(edge) / BYTES_PER_DOT;
  if (wanted <= 0) return;
  const perSecond = Math.min(Math.max(wanted, MIN_DOTS_PER_SECOND), MAX_DOTS_PER_SECOND);
  const every = 1000 / perSecond;
  const errors = errorShare(edge);
  // Each edge starts at another moment, so that equal rates do not march in step.
  const phase = hash(edge.id) * every;
  const first = Math.ceil((time - TRAVEL_MS - phase) / every);
  for (let k = first; k * every + phase <= time; k++) {
    const progress = (time - phase - k * every) / TRAVEL_MS;
    // A refused attempt never gets in: it stops short of its target.
    if (refused && progress > 0.82) continue;
    const isError = refused || (errors > 0 && hash(`${edge.id}${k}`) < errors);
    const { x, y } = at(path, progress);
    context.fillStyle = isError ? STATE_COLOURS.refused : STATE_COLOURS[state];
    context.beginPath();
    const r = 3.6 * Math.min(Math.max(zoom, 0.6), 1.6);
    if (isError) {
      context.moveTo(x, y - r * 1.5);
      context.lineTo(x + r * 1.5, y);
      context.lineTo(x, y + r * 1.5);
      context.lineTo(x - r * 1.5, y);
    } else context.arc(x, y, r, 0, 2 * Math.PI);
    context.fill();
  }
}

/** A padlock, closed, open or half; or a cross where nobody is let in. */
function drawMark(context: CanvasRenderingContext2D, edge: GraphEdge, { x, y }: Point, zoom: number): void {
  const state = edgeState(edge);
  if (state === "unknown") return;
  const s = 9 * Math.min(Math.max(zoom, 0.7), 1.5);
  const colour = STATE_COLOURS[state];
  context.save();
  context.translate(x, y);
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--canvas");
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1.2, s / 7);
  context.beginPath();
  context.arc(0, 0, s * 1.25, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.lineWidth = Math.max(1.4, s / 5);
  if (state === "refused") {
    context.beginPath();
    context.moveTo(-s * 0.5, -s * 0.5);
    context.lineTo(s * 0.5, s * 0.5);
    context.moveTo(s * 0.5, -s * 0.5);
    context.lineTo(-s * 0.5, s * 0.5);
    context.stroke();
  } else {
    context.fillStyle = colour;
    context.fillRect(-s * 0.55, -s * 0.1, s * 1.1, s * 0.8);
    context.beginPath();
    const open = state !== "secure";
    context.arc(open ? s * 0.32 : 0, -s * 0.1, s * 0.36, Math.PI, open ? Math.PI * 1.95 : 2 * Math.PI);
    context.stroke();
  }
  context.restore();
}

type Path = readonly [from: Point, control: Point, to: Point];

/** The edge as rendered, in pixels of the canvas: a quadratic curve. */
function pathOf(element: EdgeSingular): Path | undefined {
  const [from, to] = [element.renderedSourceEndpoint(), element.renderedTargetEndpoint()];
  if (!from || !to || Number.isNaN(from.x) || Number.isNaN(to.x)) return undefined;
  const middle = element.renderedMidpoint();
  // The curve goes through its middle: that fixes the control point, for straight edges as well.
  return [from, { x: 2 * middle.x - (from.x + to.x) / 2, y: 2 * middle.y - (from.y + to.y) / 2 }, to];
}

/** A point on the curve, at 0 to 1. */
function at([a, b, c]: Path, t: number): Point {
  const u = 1 - t;
  return { x: u * u * a.x + 2 * u * t * b.x + t * t * c.x, y: u * u * a.y + 2 * u * t * b.y + t * t * c.y };
}

/** 0 ≤ x < 1, the same for the same text. */
function hash(text: string): number {
  let h = 2_166_136_261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16_777_619);
  return (h >>> 0) / 4_294_967_296;
}
