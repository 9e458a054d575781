import { useState } from "react";
import type { PreviewAnswer } from "../../api/security-routes.ts";
import type { SeenClient } from "../../api/preview.ts";
import { useWatch } from "../live.ts";
import type { MeshState } from "../model.ts";
import { Link, workloadPath } from "../navigation.tsx";
import { Lock } from "../panels/lock.tsx";
import { Mode, TlsStatus } from "../parts/badges.tsx";
import { Select } from "../parts/controls.tsx";
import { Snippet } from "../parts/copy.tsx";
import { Loading, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";

type Policy = MeshState["policies"][number];
type Namespace = MeshState["namespaces"][number];

const POLICIES: Column<Policy>[] = [
  { title: "Namespace", value: (p) => p.namespace, cell: (p) => p.namespace },
  {
    title: "Name",
    value: (p) => p.name,
    cell: (p) => (
      <Link to={`/namespaces/${p.namespace}/istio/security.istio.io/v1/PeerAuthentication/${p.name}`} className="link">
        {p.name}
      </Link>
    ),
  },
  {
    title: "Mode",
    value: (p) => p.mode,
    cell: (p) => (
      <>
        <Mode mode={p.mode} />
        {Object.entries(p.ports).map(([port, mode]) => (
          <small key={port}>
            {" "}
            {port}: {mode}
          </small>
        ))}
      </>
    ),
  },
  {
    title: "Applies to",
    cell: (p) =>
      p.selector
        ? Object.entries(p.selector)
            .map(([k, v]) => `${k}=${v}`)
            .join(", ")
        : p.namespace === "istio-system"
          ? "the whole mesh"
          : "the whole namespace",
  },
];

const NAMESPACES: Column<Namespace>[] = [
  { title: "Namespace", value: (n) => n.name, cell: (n) => n.name },
  { title: "Injection", cell: (n) => (n.injected ? "enabled" : <span className="muted">off</span>) },
  { title: "mTLS", value: (n) => n.tls, cell: (n) => <TlsStatus status={n.tls} /> },
];

export function PoliciesPage({ mesh }: { mesh: MeshState | undefined }) {
  if (!mesh) return <Loading what="policies" />;
  return (
    <div className="page">
      <h1>Peer authentication</h1>
      {mesh.policies.length === 0 ? (
        <p className="notice">
          No PeerAuthentication is set: workloads use mutual TLS among themselves and accept plaintext from everybody else. To refuse plaintext, apply one named{" "}
          <code>default</code> with mode <code>STRICT</code> in <code>istio-system</code>: look below what that would change.
        </p>
      ) : (
        <Table label="Peer authentication policies" columns={POLICIES} rows={mesh.policies} rowKey={(p) => `${p.namespace}/${p.name}`} />
      )}
      <Preview mesh={mesh} />
      <h2>Namespaces</h2>
      <Table
        label="Namespaces"
        columns={NAMESPACES}
        rows={mesh.namespaces.filter((n) => n.mesh || n.injected)}
        rowKey={(n) => n.name}
        empty="No namespace is in the mesh yet: kubectl label namespace NAME istio-injection=enabled"
      />
    </div>
  );
}

/** What a policy would change, and whom it would refuse, before anybody applies it. */
function Preview({ mesh }: { mesh: MeshState }) {
  const [scope, setScope] = useState("mesh");
  const [mode, setMode] = useState("STRICT");
  const [minutes, setMinutes] = useState("10");
  const [level = "mesh", namespace = "", workload = ""] = scope.split("/");
  const answer = useWatch<PreviewAnswer>(`/security/preview?${new URLSearchParams({ level, namespace, workload, mode, duration: `${minutes}m` })}`);
  const inMesh = mesh.workloads.filter((w) => w.sidecar);
  const scopes: Record<string, string> = { mesh: "the whole mesh" };
  for (const name of new Set(inMesh.map((w) => w.namespace))) scopes[`namespace/${name}`] = `namespace ${name}`;
  for (const w of inMesh) if (!w.gateway) scopes[`workload/${w.namespace}/${w.workload}`] = `workload ${w.workload}.${w.namespace}`;
  return (
    <section className="preview" aria-label="Before you apply">
      <h2>Before you apply</h2>
      <div className="table-tools">
        <Select label="If" value={scope} options={scopes} onChange={setScope} />
        <Select label="were" value={mode} options={{ STRICT: "STRICT", PERMISSIVE: "PERMISSIVE", DISABLE: "DISABLE" }} onChange={setMode} />
        <Select
          label="by the traffic of the last"
          value={minutes}
          options={{ "1": "minute", "10": "10 minutes", "60": "hour", "720": "12 hours" }}
          onChange={setMinutes}
        />
      </div>
      <Problem of={answer} />
      {answer.data ? <Outcome answer={answer.data} mode={mode} /> : !answer.problem && <Loading what="the traffic" />}
    </section>
  );
}

function Outcome({ answer, mode }: { answer: PreviewAnswer; mode: string }) {
  const { affected, refused, already, gaps } = answer;
  return (
    <>
      {affected.length === 0 ? (
        <p className="notice">Nothing would change: every workload there is {mode} already, or has a policy of its own that stays in force.</p>
      ) : (
        <p>
          {affected.length === 1 ? "1 workload" : `${affected.length} workloads`} would change:{" "}
          {affected.slice(0, 12).map((w, i) => (
            <span key={`${w.namespace}/${w.workload}`}>
              {i > 0 && ", "}
              <Link to={workloadPath(w.namespace, w.workload)} className="link">
                {w.workload}
              </Link>{" "}
              <small>
                {w.now} → {w.becomes}
                {w.openPorts.length > 0 && `, except port ${w.openPorts.join(", ")}`}
              </small>
            </span>
          ))}
          {affected.length > 12 && ` and ${affected.length - 12} more`}.
        </p>
      )}
      {refused.length > 0 && (
        <div className="notice notice-bad">
          <h3>
            <Lock kind="refused" label="" /> {refused.length === 1 ? "1 client" : `${refused.length} clients`} of the last {duration(answer.windowSeconds)}{" "}
            would be refused
          </h3>
          <ul>
            {refused.map((client) => (
              <li key={`${client.from}${client.to.namespace}${client.to.workload}`}>
                <strong>{client.from ?? "a client that nothing names"}</strong> → {client.to.workload}.{client.to.namespace}: {client.requests}{" "}
                {client.requests === 1 ? "request" : "requests"} in plaintext{client.lastSeen && `, last at ${new Date(client.lastSeen).toLocaleTimeString()}`}.{" "}
                <span className="muted">{reason(client)}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
      {refused.length === 0 && affected.some((w) => w.becomes === "STRICT") && gaps.length === 0 && (
        <p className="notice notice-good">
          <Lock kind="closed" label="" /> All clients of the last {duration(answer.windowSeconds)} used mutual TLS: nobody seen would be refused.
        </p>
      )}
      {already.length > 0 && (
        <div className="notice">
          <h3>Refused already</h3>
          <ul>
            {already.map((client) => (
              <li key={`${client.from}${client.to.workload}${client.reason}`}>
                <strong>{client.from}</strong> → {client.to.workload}.{client.to.namespace}: {client.requests}×, {client.reason}
              </li>
            ))}
          </ul>
        </div>
      )}
      {gaps.map((gap) => (
        <p key={gap} className="notice notice-warn">
          Not everything could be looked at: {gap}
        </p>
      ))}
      {affected.length > 0 && (
        <details>
          <summary>The policy</summary>
          <Snippet text={`kubectl apply -f - <<'EOF'\n${answer.manifest}EOF\n`} />
        </details>
      )}
    </>
  );
}

function reason({ from, because, source }: SeenClient): string {
  if (from === undefined) return "Metrics do not tell who sends plaintext, and the access logs kept here do not go back far enough.";
  switch (because) {
    case "no-sidecar":
      return `It has no sidecar${source === "access log" ? ", says the access log" : ""}.`;
    case "sidecar-in-plaintext":
      return "It has a sidecar that speaks plaintext here: look for a DestinationRule with tls mode DISABLE.";
    default:
      return "Its address belongs to no pod.";
  }
}

function duration(seconds: number): string {
  return seconds === 60 ? "minute" : seconds % 3600 === 0 ? `${seconds / 3600} h` : `${Math.round(seconds / 60)} minutes`;
}
