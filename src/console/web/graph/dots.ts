import { type EdgeState, type GraphEdge, byteRate, edgeState, errorShare, refusedAttempts, requestRate } from "../model.ts";
import { STATE_COLOURS } from "./colours.ts";
import { type Path, pointAt } from "./paths.ts";

/** Time that a dot takes along an edge: slow enough to follow, fast enough to look live. */
const TRAVEL_MS = 1_800;
/** More dots a second than this are a stream to the eye anyway. */
const MAX_DOTS_PER_SECOND = 12;
/** A trickle is shown as one dot every few seconds rather than none. */
const MIN_DOTS_PER_SECOND = 0.25;
/** TCP has no requests: one dot a so many bytes. */
const BYTES_PER_DOT = 2_000;
/** With thousands of edges the dots thin out, so that a frame stays cheap. */
const MAX_DOTS = 2_500;

/** One edge's stream of dots, worked out once an update and drawn each frame. */
export interface Stream {
  id: string;
  /** Milliseconds between two dots. */
  every: number;
  /** Each edge starts at another moment, so that equal rates do not march in step. */
  phase: number;
  errors: number;
  refused: boolean;
  state: EdgeState;
}

export function streamsOf(edges: Iterable<GraphEdge>, durationSeconds: number): Stream[] {
  const streams: Stream[] = [];
  for (const edge of edges) {
    const state = edgeState(edge);
    const refused = state === "refused";
    const wanted = refused ? refusedAttempts(edge) / durationSeconds : requestRate(edge) + byteRate(edge) / BYTES_PER_DOT;
    if (wanted <= 0) continue;
    const every = 1000 / Math.min(Math.max(wanted, MIN_DOTS_PER_SECOND), MAX_DOTS_PER_SECOND);
    streams.push({ id: edge.id, every, phase: hash(edge.id) * every, errors: errorShare(edge), refused, state });
  }
  const dots = streams.reduce((sum, stream) => sum + TRAVEL_MS / stream.every, 0);
  if (dots > MAX_DOTS) for (const stream of streams) stream.every *= dots / MAX_DOTS;
  return streams;
}

/** Draws all dots of one moment. The context is in the graph's coordinates; `zoom` keeps dots from shrinking away. */
export function drawDots(
  context: CanvasRenderingContext2D,
  streams: readonly Stream[],
  paths: ReadonlyMap<string, Path>,
  time: number,
  zoom: number,
  faded: (id: string) => boolean,
): void {
  const r = (3.6 * Math.min(Math.max(zoom, 0.6), 1.6)) / zoom;
  const batches = new Map<string, Path2D>();
  for (const { id, every, phase, errors, refused, state } of streams) {
    const path = paths.get(id);
    if (!path || faded(id)) continue;
    for (let k = Math.ceil((time - TRAVEL_MS - phase) / every); k * every + phase <= time; k++) {
      const progress = (time - phase - k * every) / TRAVEL_MS;
      // A refused attempt never gets in: it stops short of its target.
      if (refused && progress > 0.82) continue;
      const isError = refused || (errors > 0 && hash(`${id}${k}`) < errors);
      const colour = isError ? STATE_COLOURS.refused : STATE_COLOURS[state];
      let batch = batches.get(colour);
      if (!batch) batches.set(colour, (batch = new Path2D()));
      const { x, y } = pointAt(path, progress);
      batch.moveTo(x + r, y);
      if (isError) {
        batch.lineTo(x, y + r * 1.5);
        batch.lineTo(x - r * 1.5, y);
        batch.lineTo(x, y - r * 1.5);
        batch.lineTo(x + r * 1.5, y);
      } else batch.arc(x, y, r, 0, 2 * Math.PI);
    }
  }
  for (const [colour, batch] of batches) {
    context.fillStyle = colour;
    context.fill(batch);
  }
}

/** 0 ≤ x < 1, the same for the same text. */
function hash(text: string): number {
  let h = 2_166_136_261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16_777_619);
  return (h >>> 0) / 4_294_967_296;
}
