import { type Graph, type MeshState, edgeState, formatRate, nodeName, refusalText, refusedAttempts, requestRate } from "../model.ts";
import { EdgeRows } from "./edge-rows.tsx";
import { Lock } from "./lock.tsx";

interface SummaryPanelProps {
  graph: Graph;
  /** False until the first answer: nothing is empty before that. */
  ready: boolean;
  mesh: MeshState | undefined;
  namespaces: string[];
  durationSeconds: number;
  onSelect(id: string): void;
}

/** A list of what is wrong is read from the top: beyond this it is searched. */
const SHOWN = 8;

/** What the graph says as a whole, each connection as a row for those who do not see the picture, and what the signs mean. */
export function SummaryPanel({ graph, ready, mesh, namespaces, durationSeconds, onSelect }: SummaryPanelProps) {
  const traffic = graph.edges.filter((e) => e.traffic.length > 0);
  const refused = graph.edges.filter((e) => e.refused.length > 0);
  const plain = traffic.filter((e) => edgeState(e) === "plaintext" || edgeState(e) === "mixed");
  const unknown = mesh ? namespaces.filter((name) => !mesh.namespaces.some((n) => n.name === name)) : [];
  const secure = traffic.filter((e) => edgeState(e) === "secure").length;
  return (
    <>
      <h2>{namespaces.length === 1 ? "Namespace" : "Namespaces"}</h2>
      <p className="title">
        {namespaces.length === 0
          ? "–"
          : namespaces.map((namespace, i) => (
              <span key={namespace}>
                {i > 0 && ", "}
                {graph.nodes.some((node) => node.namespace === namespace) ? (
                  <button type="button" className="link" onClick={() => onSelect(`box/${namespace}`)}>
                    {namespace}
                  </button>
                ) : (
                  namespace
                )}
              </span>
            ))}
      </p>
      <dl className="figures">
        <div>
          <dt>requests</dt>
          <dd>{formatRate(traffic.reduce((sum, e) => sum + requestRate(e), 0))}</dd>
        </div>
        <div>
          <dt>with mTLS</dt>
          <dd>{traffic.length === 0 ? "–" : `${secure} of ${traffic.length}`}</dd>
        </div>
        <div>
          <dt>refused</dt>
          <dd className={refused.length > 0 ? "bad" : undefined}>{refused.reduce((sum, e) => sum + refusedAttempts(e), 0)}</dd>
        </div>
      </dl>
      {unknown.length > 0 && (
        <p className="notice notice-warn" role="alert">
          There is no namespace {unknown.join(", ")}: choose others above.
        </p>
      )}
      {ready && unknown.length === 0 && traffic.length === 0 && refused.length === 0 && <Hint mesh={mesh} namespaces={namespaces} seconds={durationSeconds} />}
      {refused.length > 0 && (
        <section className="notice notice-bad">
          <h3>
            <Lock kind="refused" label="" /> Refused in the last {durationSeconds} s
          </h3>
          <ul>
            {refused.slice(0, SHOWN).map((edge) => (
              <li key={edge.id}>
                <button type="button" className="link" onClick={() => onSelect(edge.id)}>
                  {name(graph, edge.source)} → {name(graph, edge.target)}
                </button>{" "}
                {refusalText(edge.refused[0]!.reason)}
              </li>
            ))}
          </ul>
        </section>
      )}
      {plain.length > 0 && (
        <section className="notice notice-warn">
          <h3>
            <Lock kind="open" label="" /> Plaintext that was let in
          </h3>
          <ul>
            {plain.slice(0, SHOWN).map((edge) => (
              <li key={edge.id}>
                <button type="button" className="link" onClick={() => onSelect(edge.id)}>
                  {name(graph, edge.source)} → {name(graph, edge.target)}
                </button>
              </li>
            ))}
          </ul>
          {plain.length > SHOWN && (
            <p>
              and {plain.length - SHOWN} more: find them with <code>plaintext</code>
            </p>
          )}
          <p className="muted">STRICT would refuse these callers.</p>
        </section>
      )}
      {traffic.length > 0 && (
        <section>
          <h3>Connections</h3>
          <EdgeRows edges={traffic} graph={graph} show="both" onSelect={onSelect} />
        </section>
      )}
      <section>
        <h3>Legend</h3>
        <ul className="legend">
          <li>
            <Lock kind="closed" label="closed" /> mutual TLS, both identities verified
          </li>
          <li>
            <Lock kind="open" label="open" /> plaintext that was let in
          </li>
          <li>
            <Lock kind="refused" label="cross" /> attempts that were refused
          </li>
          <li>
            <span className="dot" /> a request on its way, at the real rate
          </li>
          <li>
            <span className="diamond" /> a failed or refused one
          </li>
          <li>
            <span className="badge-sample">VS</span> a VirtualService routes to it; CB circuit breaker, SE ServiceEntry
          </li>
          <li>
            <span className="swatch swatch-outside" /> outside the mesh: no sidecar
          </li>
          <li>
            <span className="swatch swatch-failing" /> more than a tenth of the requests fail
          </li>
        </ul>
      </section>
    </>
  );
}

/** An empty graph says how to fill it, with names that exist here. */
function Hint({ mesh, namespaces, seconds }: { mesh: MeshState | undefined; namespaces: string[]; seconds: number }) {
  const here = mesh?.workloads.filter((w) => w.sidecar && !w.gateway && namespaces.includes(w.namespace)) ?? [];
  const client = here.find((w) => w.workload === "sleep") ?? here[0];
  const server = here.find((w) => w !== client);
  return (
    <section className="notice">
      <h3>No traffic in the last {seconds} s</h3>
      {client && server ? (
        <>
          <p>Send some, and it is drawn here within two seconds:</p>
          <pre>
            kubectl exec deploy/{client.workload} -n {client.namespace} -- curl -s http://{server.app}.{server.namespace}:PORT/
          </pre>
        </>
      ) : (
        <p>
          No workload here has a sidecar yet. Label the namespace and restart its Deployments: <code>kubectl label namespace NAME istio-injection=enabled</code>
        </p>
      )}
    </section>
  );
}

function name(graph: Graph, id: string): string {
  const node = graph.nodes.find((n) => n.id === id);
  return node ? nodeName(node) : id;
}
