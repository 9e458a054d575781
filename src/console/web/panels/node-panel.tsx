import { type Graph, type GraphEdge, type GraphNode, type WorkloadState, edgeState, formatRate, nodeName, refusedAttempts, requestRate } from "../model.ts";
import { Lock, type LockKind } from "./lock.tsx";

interface NodePanelProps {
  node: GraphNode;
  graph: Graph;
  workload: WorkloadState | undefined;
  trustDomain: string;
  onSelect(id: string): void;
}

/** One workload or service: how it is secured, who it talks to. */
export function NodePanel({ node, graph, workload, trustDomain, onSelect }: NodePanelProps) {
  return (
    <>
      <h2>{node.type === "service" ? "Service" : node.type === "unknown" ? "Outside the mesh" : "Workload"}</h2>
      <p className="title">
        {nodeName(node)}
        {node.namespace !== "unknown" && <small>.{node.namespace}</small>}
      </p>
      {node.type === "unknown" && <p className="muted">A caller whose address belongs to no pod that is known here.</p>}
      {workload && <Facts workload={workload} trustDomain={trustDomain} />}
      <Edges title="Inbound" edges={graph.edges.filter((e) => e.target === node.id)} graph={graph} other="source" onSelect={onSelect} />
      <Edges title="Outbound" edges={graph.edges.filter((e) => e.source === node.id)} graph={graph} other="target" onSelect={onSelect} />
    </>
  );
}

function Facts({ workload, trustDomain }: { workload: WorkloadState; trustDomain: string }) {
  return (
    <dl className="facts">
      <dt>Pods</dt>
      <dd>{workload.ready} of {workload.pods} ready</dd>
      <dt>Proxy</dt>
      <dd>{workload.sidecar ? (workload.gateway ? "gateway" : "sidecar") : <span className="warn">none: outside the mesh</span>}</dd>
      {workload.sidecar && (
        <>
          <dt>mTLS mode</dt>
          <dd>
            <Lock kind={workload.mode === "STRICT" ? "closed" : workload.mode === "DISABLE" ? "open" : "partial"} label={workload.mode} /> {workload.mode}
            <small>{workload.policy ? `by PeerAuthentication ${workload.policy}` : "the default: no policy applies"}</small>
          </dd>
          <dt>Identity</dt>
          <dd><code>spiffe://{trustDomain}/ns/{workload.namespace}/sa/{workload.serviceAccount}</code></dd>
        </>
      )}
    </dl>
  );
}

const EDGE_LOCK: Record<ReturnType<typeof edgeState>, LockKind> = { secure: "closed", plaintext: "open", mixed: "open", refused: "refused", unknown: "partial" };

function Edges({ title, edges, graph, other, onSelect }: { title: string; edges: GraphEdge[]; graph: Graph; other: "source" | "target"; onSelect(id: string): void }) {
  if (edges.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <ul className="edges">
        {edges.map((edge) => {
          const node = graph.nodes.find((n) => n.id === edge[other]);
          const state = edgeState(edge);
          return (
            <li key={edge.id}>
              <button type="button" className="row" onClick={() => onSelect(edge.id)}>
                <Lock kind={EDGE_LOCK[state]} label={state} />
                <span>{node ? nodeName(node) : edge[other]}{node && node.namespace !== "unknown" && <small>.{node.namespace}</small>}</span>
                <span className="number">{state === "refused" ? `${refusedAttempts(edge)} refused` : formatRate(requestRate(edge))}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
