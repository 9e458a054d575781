import { useRef } from "react";
import { type GraphUpdate, byteRate, requestRate } from "../model.ts";

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

export function useHistory(update: GraphUpdate | undefined): History {
  const points = useRef(new Map<string, HistoryPoint[]>());
  const last = useRef(0);
  if (update && update.time !== last.current) {
    last.current = update.time;
    for (const edge of update.graph.edges) {
      const list = points.current.get(edge.id) ?? [];
      list.push({ time: update.time, rate: requestRate(edge), bytes: byteRate(edge), p95: edge.responseTimes.p95 });
      if (list.length > MAX_POINTS) list.shift();
      points.current.set(edge.id, list);
    }
  }
  return { of: (id) => points.current.get(id) ?? [] };
}
