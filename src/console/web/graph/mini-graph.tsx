import { useWatch } from "../live.ts";
import type { Graph, GraphAnswer, MeshState } from "../model.ts";
import { Link, navigate, nodePath } from "../navigation.tsx";
import { GraphView } from "./graph-view.tsx";

const EMPTY: Graph = { nodes: [], edges: [] };

interface MiniGraphProps {
  /** What the graph is of, as the graph's own addresses say it. */
  query: Record<string, string>;
  /** Where the whole graph of it is. */
  whole: string;
  mesh: MeshState | undefined;
  theme: string;
  /** Keeps its places apart from other graphs'. */
  kind: string;
}

/** A small live graph on a page about one thing: who talks to it, and how. A node leads to its page. */
export function MiniGraph({ query, whole, mesh, theme, kind }: MiniGraphProps) {
  const answer = useWatch<GraphAnswer>(`/graph/near?${new URLSearchParams({ duration: "60s", ...query })}`);
  const graph = answer.data?.graph ?? EMPTY;
  const select = (id: string | undefined) => {
    const edge = graph.edges.find((candidate) => candidate.id === id);
    const node = graph.nodes.find((candidate) => candidate.id === id);
    if (edge) navigate(`${whole}&edge=${encodeURIComponent(edge.id)}`);
    else if (node) navigate(nodePath(node) ?? whole);
  };
  return (
    <section className="mini-graph" aria-label="Traffic of the last minute">
      <h2>
        Traffic{" "}
        <Link to={whole} className="link">
          whole graph
        </Link>
      </h2>
      {!answer.data && answer.problem ? (
        <p className="muted mini-graph-empty">The graph cannot be drawn now: {answer.problem.message}.</p>
      ) : answer.data && graph.nodes.length === 0 ? (
        <p className="muted mini-graph-empty">No traffic in the last minute. It is drawn here within two seconds of the first request.</p>
      ) : (
        <div className="mini-graph-view">
          <GraphView
            graph={graph}
            mesh={mesh}
            durationSeconds={60}
            animation
            padlocks
            label="rate"
            theme={theme}
            found={undefined}
            selected={undefined}
            onSelect={select}
            kind={kind}
          />
        </div>
      )}
    </section>
  );
}
