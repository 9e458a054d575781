import type { MeshState } from "../model.ts";
import { Lock, type LockKind } from "../panels/lock.tsx";

const MODE_LOCK: Record<string, LockKind> = { STRICT: "closed", PERMISSIVE: "partial", DISABLE: "open", NONE: "open" };

export function WorkloadsPage({ mesh }: { mesh: MeshState | undefined }) {
  const rows = (mesh?.workloads ?? []).toSorted((a, b) => (`${a.namespace}/${a.workload}` < `${b.namespace}/${b.workload}` ? -1 : 1));
  return (
    <div className="page">
      <h1>Workloads</h1>
      <table className="list">
        <thead><tr><th>Namespace</th><th>Workload</th><th>Pods</th><th>Proxy</th><th>mTLS mode</th><th>Decided by</th><th>Identity</th></tr></thead>
        <tbody>
          {rows.map((w) => (
            <tr key={`${w.namespace}/${w.workload}`}>
              <td>{w.namespace}</td>
              <td><strong>{w.workload}</strong></td>
              <td className={w.ready < w.pods ? "warn" : undefined}>{w.ready}/{w.pods}</td>
              <td>{w.gateway ? "gateway" : w.sidecar ? "sidecar" : <span className="muted">none</span>}</td>
              <td><Lock kind={MODE_LOCK[w.mode] ?? "partial"} label={w.mode} /> {w.mode === "NONE" ? "outside the mesh" : w.mode}</td>
              <td>{w.policy ?? <span className="muted">{w.sidecar ? "the default" : "–"}</span>}</td>
              <td>{w.sidecar ? <code>spiffe://{mesh?.trustDomain}/ns/{w.namespace}/sa/{w.serviceAccount}</code> : <span className="muted">–</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const STATUS_TEXT: Record<string, string> = {
  MTLS_ENABLED: "Strict", MTLS_PARTIALLY_ENABLED: "Permissive", MTLS_DISABLED: "Disabled", MTLS_NOT_ENABLED: "Not set", UNSET: "Not set: plaintext accepted",
  UNSET_INHERITED_STRICT: "Strict, from the mesh", UNSET_INHERITED_PERMISSIVE: "Permissive, from the mesh",
};

export function PoliciesPage({ mesh }: { mesh: MeshState | undefined }) {
  const namespaces = mesh?.namespaces.filter((n) => n.mesh || n.injected) ?? [];
  return (
    <div className="page">
      <h1>Peer authentication</h1>
      {mesh && mesh.policies.length === 0 && (
        <p className="notice">
          No PeerAuthentication is set: workloads use mutual TLS among themselves and accept plaintext from everybody else. To refuse plaintext, apply one named <code>default</code> with mode <code>STRICT</code> in <code>istio-system</code>.
        </p>
      )}
      {mesh && mesh.policies.length > 0 && (
        <table className="list">
          <thead><tr><th>Namespace</th><th>Name</th><th>Mode</th><th>Applies to</th></tr></thead>
          <tbody>
            {mesh.policies.map((p) => (
              <tr key={`${p.namespace}/${p.name}`}>
                <td>{p.namespace}</td>
                <td><strong>{p.name}</strong></td>
                <td><Lock kind={MODE_LOCK[p.mode] ?? "partial"} label={p.mode} /> {p.mode}</td>
                <td>{p.selector ? Object.entries(p.selector).map(([k, v]) => `${k}=${v}`).join(", ") : p.namespace === "istio-system" ? "the whole mesh" : "the whole namespace"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <h2>Namespaces</h2>
      <table className="list">
        <thead><tr><th>Namespace</th><th>Injection</th><th>mTLS</th></tr></thead>
        <tbody>
          {namespaces.map((n) => (
            <tr key={n.name}>
              <td><strong>{n.name}</strong></td>
              <td>{n.injected ? "enabled" : <span className="muted">off</span>}</td>
              <td><Lock kind={n.tls === "MTLS_ENABLED" || n.tls === "UNSET_INHERITED_STRICT" ? "closed" : n.tls === "MTLS_DISABLED" ? "open" : "partial"} label={n.tls} /> {STATUS_TEXT[n.tls] ?? n.tls}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
