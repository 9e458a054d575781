import { useState } from "react";
import { type Graph, type GraphEdge, byteRate, edgeState, formatBytes, formatRate, nodeName, refusedAttempts, requestRate } from "../model.ts";
import { Lock, type LockKind } from "./lock.tsx";

export const EDGE_LOCK: Record<ReturnType<typeof edgeState>, LockKind> = {
  secure: "closed",
  plaintext: "open",
  mixed: "open",
  refused: "refused",
  unknown: "partial",
};
export const EDGE_WORD: Record<ReturnType<typeof edgeState>, string> = {
  secure: "mutual TLS",
  plaintext: "plaintext",
  mixed: "partly mutual TLS",
  refused: "refused",
  unknown: "not known",
};

/** Beyond this a list is searched rather than read. */
const SHOWN = 60;

/** Edges as rows that can be chosen: each end, or both, with the state and the rate. */
export function EdgeRows({
  edges,
  graph,
  show,
  onSelect,
}: {
  edges: GraphEdge[];
  graph: Graph;
  show: "source" | "target" | "both";
  onSelect(id: string): void;
}) {
  const [all, setAll] = useState(false);
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const end = (id: string) => {
    const node = nodes.get(id);
    return (
      <>
        {node ? nodeName(node) : id}
        {node && node.namespace !== "unknown" && <small>.{node.namespace}</small>}
      </>
    );
  };
  const rows = all ? edges : edges.slice(0, SHOWN);
  return (
    <>
      <ul className="edges">
        {rows.map((edge) => {
          const state = edgeState(edge);
          const requests = requestRate(edge);
          return (
            <li key={edge.id}>
              <button type="button" className="row" onClick={() => onSelect(edge.id)}>
                <Lock kind={EDGE_LOCK[state]} label={EDGE_WORD[state]} />
                <span>
                  {show === "both" ? (
                    <>
                      {end(edge.source)} → {end(edge.target)}
                    </>
                  ) : (
                    end(edge[show])
                  )}
                </span>
                <span className="number">
                  {state === "refused" ? `${refusedAttempts(edge)} refused` : requests > 0 ? formatRate(requests) : formatBytes(byteRate(edge))}
                </span>
              </button>
            </li>
          );
        })}
      </ul>
      {edges.length > rows.length && (
        <button type="button" className="button" onClick={() => setAll(true)}>
          Show all {edges.length}
        </button>
      )}
    </>
  );
}
