import { type Graph, type MeshState, edgeState, formatRate, refusedAttempts, requestRate } from "../model.ts";
import { Link, namespacePath } from "../navigation.tsx";
import { TlsStatus } from "../parts/badges.tsx";
import { EdgeRows } from "./edge-rows.tsx";

interface BoxPanelProps {
  namespace: string;
  graph: Graph;
  mesh: MeshState | undefined;
  onSelect(id: string): void;
}

/** One namespace's box: what comes in, goes out and stays within, and how it is secured. */
export function BoxPanel({ namespace, graph, mesh, onSelect }: BoxPanelProps) {
  const state = mesh?.namespaces.find(({ name }) => name === namespace);
  const nodes = graph.nodes.filter((node) => node.namespace === namespace);
  const inside = new Set(nodes.map(({ id }) => id));
  const groups = [
    ["Inbound", graph.edges.filter((edge) => !inside.has(edge.source) && inside.has(edge.target))],
    ["Outbound", graph.edges.filter((edge) => inside.has(edge.source) && !inside.has(edge.target))],
    ["Within", graph.edges.filter((edge) => inside.has(edge.source) && inside.has(edge.target))],
  ] as const;
  const all = groups.flatMap(([, edges]) => edges);
  const traffic = all.filter((edge) => edge.traffic.length > 0);
  const refused = all.reduce((sum, edge) => sum + refusedAttempts(edge), 0);
  return (
    <>
      <h2>Namespace</h2>
      <p className="title">{namespace}</p>
      <dl className="figures">
        <div>
          <dt>requests</dt>
          <dd>{formatRate(traffic.reduce((sum, edge) => sum + requestRate(edge), 0))}</dd>
        </div>
        <div>
          <dt>with mTLS</dt>
          <dd>{traffic.length === 0 ? "–" : `${traffic.filter((edge) => edgeState(edge) === "secure").length} of ${traffic.length}`}</dd>
        </div>
        <div>
          <dt>refused</dt>
          <dd className={refused > 0 ? "bad" : undefined}>{refused}</dd>
        </div>
      </dl>
      <dl className="facts">
        <dt>Nodes</dt>
        <dd>{nodes.length}</dd>
        {state && (
          <>
            <dt>mTLS</dt>
            <dd>
              <TlsStatus status={state.tls} />
            </dd>
            <dt>Injection</dt>
            <dd>{state.injected ? "enabled" : "off"}</dd>
          </>
        )}
      </dl>
      <p className="actions">
        <Link to={namespacePath(namespace)} className="button">
          Details
        </Link>{" "}
        <Link to={`/istio?namespaces=${namespace}`} className="button">
          Istio config
        </Link>
      </p>
      {groups.map(
        ([title, edges]) =>
          edges.length > 0 && (
            <section key={title}>
              <h3>{title}</h3>
              <EdgeRows edges={edges} graph={graph} show="both" onSelect={onSelect} />
            </section>
          ),
      )}
    </>
  );
}
