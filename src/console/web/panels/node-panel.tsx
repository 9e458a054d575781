import type { ReactNode } from "react";
import { type Graph, type GraphNode, type Feature, type MeshState, type NodeTraits, type WorkloadState, nodeName } from "../model.ts";
import { Link, appPath, servicePath, workloadPath } from "../navigation.tsx";
import { EdgeRows } from "./edge-rows.tsx";
import { Lock } from "./lock.tsx";

interface NodePanelProps {
  node: GraphNode;
  graph: Graph;
  /** What objects say of it, where that is known. */
  traits?: NodeTraits | undefined;
  workload: WorkloadState | undefined;
  /** The workloads of an application. */
  members: WorkloadState[];
  trustDomain: string;
  onSelect(id: string): void;
}

/** One workload or service: how it is secured, who it talks to. */
export function NodePanel({ node, graph, traits, workload, members, trustDomain, onSelect }: NodePanelProps) {
  const inbound = graph.edges.filter((e) => e.target === node.id);
  const outbound = graph.edges.filter((e) => e.source === node.id);
  return (
    <>
      <h2>{node.type === "service" ? "Service" : node.type === "unknown" ? "Outside the mesh" : node.type === "app" ? "Application" : "Workload"}</h2>
      <p className="title">
        {nodeName(node)}
        {node.type === "app" && node.version && <small> {node.version}</small>}
        {node.namespace !== "unknown" && <small>.{node.namespace}</small>}
      </p>
      {node.type === "unknown" && <p className="muted">A caller whose address belongs to no pod that is known here.</p>}
      {workload && <Facts workload={workload} trustDomain={trustDomain} />}
      {workload && (
        <p className="actions">
          <Link to={workloadPath(workload.namespace, workload.workload)} className="button">
            Details
          </Link>
          <Link to={`${workloadPath(workload.namespace, workload.workload)}?tab=logs`} className="button">
            Logs
          </Link>
          <Link to={`${workloadPath(workload.namespace, workload.workload)}?tab=metrics`} className="button">
            Metrics
          </Link>
        </p>
      )}
      {!workload && node.type !== "unknown" && (
        <Members
          node={node}
          members={members}
          trustDomain={trustDomain}
          seen={[...new Set([...inbound.flatMap((edge) => edge.destinationPrincipals), ...outbound.flatMap((edge) => edge.sourcePrincipals)])]}
        />
      )}
      {node.type === "app" && node.app && (
        <p className="actions">
          <Link to={appPath(node.namespace, node.app)} className="button">
            Details
          </Link>
        </p>
      )}
      {node.type === "service" && node.service && (
        <p className="actions">
          <Link to={servicePath(node.namespace, node.service)} className="button">
            Details
          </Link>
        </p>
      )}
      {traits && <Configured traits={traits} />}
      <Section title="Inbound" empty={inbound.length === 0}>
        <EdgeRows edges={inbound} graph={graph} show="source" onSelect={onSelect} />
      </Section>
      <Section title="Outbound" empty={outbound.length === 0}>
        <EdgeRows edges={outbound} graph={graph} show="target" onSelect={onSelect} />
      </Section>
    </>
  );
}

/** The workloads behind an application's node. */
export function membersOf(node: GraphNode, mesh: MeshState | undefined): WorkloadState[] {
  if (node.type !== "app") return [];
  return (
    mesh?.workloads.filter((w) => w.namespace === node.namespace && w.app === node.app && (node.version === undefined || w.version === node.version)) ?? []
  );
}

/** What features are in words. */
const FEATURE_TEXT: Record<Feature, string> = {
  virtualservice: "routed by a VirtualService",
  requestrouting: "by what requests have",
  trafficshifting: "requests are split by weight",
  tcptrafficshifting: "connections are split by weight",
  requesttimeout: "with a timeout",
  faultinjection: "with injected faults",
  mirroring: "mirrored",
  circuitbreaker: "circuit breaker of a DestinationRule",
  serviceentry: "a host of a ServiceEntry",
  workloadentry: "a WorkloadEntry",
};

function Configured({ traits: { features, hosts, serviceEntry, labels } }: { traits: NodeTraits }) {
  const names = Object.entries(labels);
  if (features.length === 0 && names.length === 0) return null;
  return (
    <dl className="facts">
      {features.length > 0 && (
        <>
          <dt>Configuration</dt>
          <dd>
            {features.map((feature) => (
              <div key={feature}>{FEATURE_TEXT[feature]}</div>
            ))}
            {hosts && <small>for {hosts.join(", ")}</small>}
            {serviceEntry && <small>{serviceEntry.location}</small>}
          </dd>
        </>
      )}
      {names.length > 0 && (
        <>
          <dt>Labels</dt>
          <dd>
            {names.map(([name, value]) => (
              <div key={name}>
                <code>
                  {name}={value}
                </code>
              </div>
            ))}
          </dd>
        </>
      )}
    </dl>
  );
}

function Facts({ workload, trustDomain }: { workload: WorkloadState; trustDomain: string }) {
  return (
    <dl className="facts">
      <dt>Pods</dt>
      <dd>
        {workload.ready} of {workload.pods} ready
      </dd>
      <dt>Proxy</dt>
      <dd>{workload.sidecar ? workload.gateway ? "gateway" : "sidecar" : <span className="warn">none: outside the mesh</span>}</dd>
      {workload.sidecar && (
        <>
          <dt>mTLS mode</dt>
          <dd>
            <Lock kind={workload.mode === "STRICT" ? "closed" : workload.mode === "DISABLE" ? "open" : "partial"} label={workload.mode} /> {workload.mode}
            <small>{workload.policy ? `by PeerAuthentication ${workload.policy}` : "the default: no policy applies"}</small>
          </dd>
          <dt>Identity</dt>
          <dd>
            <code>
              spiffe://{trustDomain}/ns/{workload.namespace}/sa/{workload.serviceAccount}
            </code>
          </dd>
        </>
      )}
    </dl>
  );
}

/** Who an application or service is in the mesh: by its workloads, or by the certificates that were seen. */
function Members({ node, members, trustDomain, seen }: { node: GraphNode; members: WorkloadState[]; trustDomain: string; seen: string[] }) {
  const identities =
    members.length > 0 ? [...new Set(members.filter((w) => w.sidecar).map((w) => `spiffe://${trustDomain}/ns/${w.namespace}/sa/${w.serviceAccount}`))] : seen;
  return (
    <dl className="facts">
      {members.length > 0 && (
        <>
          <dt>Workloads</dt>
          <dd>
            {members.map((w) => (
              <div key={w.workload}>
                <Link to={workloadPath(w.namespace, w.workload)} className="link">
                  {w.workload}
                </Link>{" "}
                <small>{w.sidecar ? w.mode : "outside the mesh"}</small>
              </div>
            ))}
          </dd>
        </>
      )}
      <dt>Identity</dt>
      <dd>
        {identities.length === 0 ? (
          <span className="muted">{node.type === "service" ? "no certificate was seen in this time" : "none"}</span>
        ) : (
          identities.map((id) => <code key={id}>{id}</code>)
        )}
      </dd>
    </dl>
  );
}

function Section({ title, empty, children }: { title: string; empty: boolean; children: ReactNode }) {
  return empty ? null : (
    <section>
      <h3>{title}</h3>
      {children}
    </section>
  );
}
