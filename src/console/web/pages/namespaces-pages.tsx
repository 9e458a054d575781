import type { NamespaceRow, OverviewAnswer } from "../../api/overview-routes.ts";
import { MiniGraph } from "../graph/mini-graph.tsx";
import { useWatch } from "../live.ts";
import { type Health, type MeshState, formatRate } from "../model.ts";
import { Link, namespacePath, useRoute, workloadPath } from "../navigation.tsx";
import { HealthBadge, Mode, TlsStatus } from "../parts/badges.tsx";
import { Empty, Loading, MetricsLost, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Crumbs, policyLink } from "./workload-page.tsx";

const HEALTH: Health[] = ["failing", "degraded", "healthy", "idle"];

export const NAMESPACES: Column<NamespaceRow>[] = [
  {
    title: "Namespace",
    value: (n) => n.name,
    cell: (n) => (
      <>
        <Link to={namespacePath(n.name)} className="link">
          {n.name}
        </Link>
        {n.controlPlane && <small> control plane</small>}
      </>
    ),
  },
  { title: "Health", value: (n) => n.health.failing * 1000 + n.health.degraded, cell: (n) => <HealthBar counts={n.health} /> },
  {
    title: "Workloads",
    number: true,
    value: (n) => n.workloads,
    cell: (n) => (
      <Link to={`/workloads?namespaces=${n.name}`} className="link">
        {n.ready}/{n.workloads}
      </Link>
    ),
  },
  {
    title: "In the mesh",
    number: true,
    value: (n) => n.inMesh,
    cell: (n) => (n.inMesh === 0 ? <span className="muted">none</span> : `${n.inMesh}/${n.workloads}`),
  },
  { title: "mTLS", value: (n) => n.tls, cell: (n) => <TlsStatus status={n.tls} /> },
  { title: "Inbound", number: true, value: (n) => n.inbound, cell: (n) => formatRate(n.inbound) },
  {
    title: "Errors",
    number: true,
    value: (n) => (n.inbound > 0 ? n.errors / n.inbound : 0),
    cell: (n) => (n.inbound === 0 ? "–" : <span className={n.errors > 0 ? "bad" : undefined}>{((n.errors / n.inbound) * 100).toFixed(1)}%</span>),
  },
  { title: "Outbound", number: true, value: (n) => n.outbound, cell: (n) => formatRate(n.outbound) },
  {
    title: "Istio config",
    value: (n) => n.config.errors * 1000 + n.config.warnings,
    cell: (n) => (
      <Link to={`/istio?namespaces=${n.name}`} className="link">
        {configText(n.config)}
      </Link>
    ),
  },
];

export function NamespacesPage() {
  const answer = useWatch<OverviewAnswer>("/overview");
  return (
    <div className="page">
      <h1>Namespaces</h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      {answer.data ? (
        <Table label="Namespaces" filter columns={NAMESPACES} rows={answer.data.namespaces} rowKey={(n) => n.name} empty="No namespace has workloads yet." />
      ) : (
        !answer.problem && <Loading what="namespaces" />
      )}
    </div>
  );
}

/** One namespace: how it is secured, what runs in it, and its traffic. */
export function NamespacePage({ mesh, theme }: { mesh: MeshState | undefined; theme: string }) {
  const { parts } = useRoute();
  const name = parts[1] ?? "";
  const answer = useWatch<OverviewAnswer>("/overview");
  const known = mesh?.namespaces.find((candidate) => candidate.name === name);
  if (!mesh || (!answer.data && !answer.problem)) return <Loading what={name} />;
  if (!known)
    return (
      <Empty title={`There is no namespace ${name}`}>
        <p>
          It may have been deleted. Those that there are:{" "}
          {mesh.namespaces.map((n, i) => (
            <span key={n.name}>
              {i > 0 && ", "}
              <Link to={namespacePath(n.name)} className="link">
                {n.name}
              </Link>
            </span>
          ))}
        </p>
      </Empty>
    );
  const row = answer.data?.namespaces.find((candidate) => candidate.name === name);
  const policies = mesh.policies.filter((policy) => policy.namespace === name);
  const workloads = mesh.workloads.filter((workload) => workload.namespace === name);
  return (
    <div className="page">
      <Crumbs steps={[["Namespaces", "/namespaces"]]} />
      <h1>
        {name} {row && <HealthBar counts={row.health} />}
      </h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      <div className="columns">
        <section>
          <h2>Security</h2>
          <dl className="facts wide">
            <dt>mTLS</dt>
            <dd>
              <TlsStatus status={known.tls} />
            </dd>
            <dt>Injection</dt>
            <dd>
              {known.injected ? (
                "enabled"
              ) : (
                <>
                  off <small>kubectl label namespace {name} istio-injection=enabled</small>
                </>
              )}
            </dd>
            <dt>Policies</dt>
            <dd>
              {policies.length === 0 ? (
                <span className="muted">no PeerAuthentication of its own</span>
              ) : (
                policies.map((policy) => (
                  <div key={policy.name}>
                    {policyLink(`${name}/${policy.name}`)} <Mode mode={policy.mode} />
                  </div>
                ))
              )}
            </dd>
            {row && (
              <>
                <dt>Istio config</dt>
                <dd>
                  <Link to={`/istio?namespaces=${name}`} className="link">
                    {configText(row.config)}
                  </Link>
                </dd>
              </>
            )}
          </dl>
          {row && (
            <>
              <h2>Last minute</h2>
              <dl className="facts wide">
                <dt>Inbound</dt>
                <dd>
                  {formatRate(row.inbound)}
                  {row.inbound > 0 && <small> {((row.errors / row.inbound) * 100).toFixed(1)}% errors</small>}
                </dd>
                <dt>Outbound</dt>
                <dd>{formatRate(row.outbound)}</dd>
              </dl>
            </>
          )}
          <h2>Workloads</h2>
          {workloads.length === 0 ? (
            <p className="muted">No pod runs here.</p>
          ) : (
            <ul className="plain">
              {workloads.map((w) => (
                <li key={w.workload}>
                  <Link to={workloadPath(name, w.workload)} className="link">
                    {w.workload}
                  </Link>{" "}
                  <Mode mode={w.mode} />{" "}
                  <small>
                    {w.ready} of {w.pods} ready
                  </small>
                </li>
              ))}
            </ul>
          )}
          <p className="actions">
            <Link to={`/applications?namespaces=${name}`} className="button">
              Applications
            </Link>{" "}
            <Link to={`/workloads?namespaces=${name}`} className="button">
              Workloads
            </Link>{" "}
            <Link to={`/services?namespaces=${name}`} className="button">
              Services
            </Link>
          </p>
        </section>
        <MiniGraph
          query={{ namespace: name, kind: "namespace", name }}
          whole={`/graph?namespaces=${name}`}
          mesh={mesh}
          theme={theme}
          kind={`namespace/${name}`}
        />
      </div>
    </div>
  );
}

function HealthBar({ counts }: { counts: Record<Health, number> }) {
  const shown = HEALTH.filter((health) => counts[health] > 0);
  return (
    <span className="labels">
      {shown.map((health) => (
        <span key={health} title={`${counts[health]} workloads`}>
          <HealthBadge health={health} /> {counts[health]}
        </span>
      ))}
    </span>
  );
}

function configText({ objects, errors, warnings }: NamespaceRow["config"]): string {
  if (objects === 0) return "none";
  const parts = [errors > 0 && `${errors} wrong`, warnings > 0 && `${warnings} to look at`].filter(Boolean);
  return parts.length > 0 ? `${objects}: ${parts.join(", ")}` : String(objects);
}
