import { useRef } from "react";
import type { Watched } from "../live.ts";
import { type GraphAnswer, byteRate, requestRate } from "../model.ts";

export interface HistoryPoint {
  time: number;
  rate: number;
  bytes: number;
  p95: number | undefined;
}

/** What the page has seen of each edge since it was opened: enough for a sparkline, never asked of the server again. */
export interface History {
  of(edgeId: string): HistoryPoint[];
}

/** Two minutes at one update a second. */
const MAX_POINTS = 120;

/** After so long without an edge its past is of no use. */
const FORGET_MS = 600_000;

export function useHistory({ data, time }: Watched<GraphAnswer>): History {
  const points = useRef(new Map<string, HistoryPoint[]>());
  const last = useRef(0);
  if (data && time !== last.current) {
    last.current = time;
    for (const edge of data.graph.edges) {
      const list = points.current.get(edge.id) ?? [];
      list.push({ time, rate: requestRate(edge), bytes: byteRate(edge), p95: edge.responseTimes.p95 });
      if (list.length > MAX_POINTS) list.shift();
      points.current.set(edge.id, list);
    }
    // An edge that has gone counts as silence while its past is kept, and its past ends some time.
    for (const [id, list] of points.current) {
      if (list.at(-1)?.time === time) continue;
      if (time - (list.at(-1)?.time ?? 0) > FORGET_MS) points.current.delete(id);
    }
  }
  return { of: (id) => points.current.get(id) ?? [] };
}
