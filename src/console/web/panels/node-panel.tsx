import type { ReactNode } from "react";
import { type Graph, type GraphNode, type WorkloadState, nodeName } from "../model.ts";
import { Link, servicePath, workloadPath } from "../navigation.tsx";
import { EdgeRows } from "./edge-rows.tsx";
import { Lock } from "./lock.tsx";

interface NodePanelProps {
  node: GraphNode;
  graph: Graph;
  workload: WorkloadState | undefined;
  trustDomain: string;
  onSelect(id: string): void;
}

/** One workload or service: how it is secured, who it talks to. */
export function NodePanel({ node, graph, workload, trustDomain, onSelect }: NodePanelProps) {
  const inbound = graph.edges.filter((e) => e.target === node.id);
  const outbound = graph.edges.filter((e) => e.source === node.id);
  return (
    <>
      <h2>{node.type === "service" ? "Service" : node.type === "unknown" ? "Outside the mesh" : "Workload"}</h2>
      <p className="title">
        {nodeName(node)}
        {node.namespace !== "unknown" && <small>.{node.namespace}</small>}
      </p>
      {node.type === "unknown" && <p className="muted">A caller whose address belongs to no pod that is known here.</p>}
      {workload && <Facts workload={workload} trustDomain={trustDomain} />}
      {workload && (
        <p className="actions">
          <Link to={workloadPath(workload.namespace, workload.workload)} className="button">Details</Link>
          <Link to={`${workloadPath(workload.namespace, workload.workload)}?tab=logs`} className="button">Logs</Link>
          <Link to={`${workloadPath(workload.namespace, workload.workload)}?tab=metrics`} className="button">Metrics</Link>
        </p>
      )}
      {node.type === "service" && node.service && <p className="actions"><Link to={servicePath(node.namespace, node.service)} className="button">Details</Link></p>}
      <Section title="Inbound" empty={inbound.length === 0}><EdgeRows edges={inbound} graph={graph} show="source" onSelect={onSelect} /></Section>
      <Section title="Outbound" empty={outbound.length === 0}><EdgeRows edges={outbound} graph={graph} show="target" onSelect={onSelect} /></Section>
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

function Section({ title, empty, children }: { title: string; empty: boolean; children: ReactNode }) {
  return empty ? null : <section><h3>{title}</h3>{children}</section>;
}
