import type { NamespaceRow, OverviewAnswer, ServiceRow } from "../../api/overview-routes.ts";
import { useWatch } from "../live.ts";
import { type Health, formatMs, formatRate } from "../model.ts";
import { Link, servicePath } from "../navigation.tsx";
import { HealthBadge, TlsStatus } from "../parts/badges.tsx";
import { Loading, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";

const HEALTH: Health[] = ["failing", "degraded", "healthy", "idle"];

const NAMESPACES: Column<NamespaceRow>[] = [
  { title: "Namespace", value: (n) => n.name, cell: (n) => <><Link to={`/graph?namespaces=${n.name}`} className="link">{n.name}</Link>{n.controlPlane && <small> control plane</small>}</> },
  { title: "Health", value: (n) => n.health.failing * 1000 + n.health.degraded, cell: (n) => <HealthBar counts={n.health} /> },
  { title: "Workloads", number: true, value: (n) => n.workloads, cell: (n) => <Link to={`/workloads?namespaces=${n.name}`} className="link">{n.ready}/{n.workloads}</Link> },
  { title: "In the mesh", number: true, value: (n) => n.inMesh, cell: (n) => (n.inMesh === 0 ? <span className="muted">none</span> : `${n.inMesh}/${n.workloads}`) },
  { title: "mTLS", value: (n) => n.tls, cell: (n) => <TlsStatus status={n.tls} /> },
  { title: "Inbound", number: true, value: (n) => n.inbound, cell: (n) => formatRate(n.inbound) },
  { title: "Errors", number: true, value: (n) => (n.inbound > 0 ? n.errors / n.inbound : 0), cell: (n) => (n.inbound === 0 ? "–" : <span className={n.errors > 0 ? "bad" : undefined}>{((n.errors / n.inbound) * 100).toFixed(1)}%</span>) },
  { title: "Outbound", number: true, value: (n) => n.outbound, cell: (n) => formatRate(n.outbound) },
  { title: "Istio config", value: (n) => n.config.errors * 1000 + n.config.warnings, cell: (n) => <Link to={`/istio?namespaces=${n.name}`} className="link">{configText(n.config)}</Link> },
];

const SERVICES: Column<ServiceRow>[] = [
  { title: "Service", value: (s) => `${s.name}.${s.namespace}`, cell: (s) => <Link to={servicePath(s.namespace, s.name)} className="link">{s.name}<small>.{s.namespace}</small></Link> },
  { title: "Requests", number: true, value: (s) => s.rate, cell: (s) => formatRate(s.rate) },
  { title: "Errors", number: true, value: (s) => s.errorShare, cell: (s) => <span className={s.errorShare > 0 ? "bad" : undefined}>{(s.errorShare * 100).toFixed(2)}%</span> },
  { title: "p95", number: true, value: (s) => s.p95 ?? 0, cell: (s) => (s.p95 === undefined ? "–" : formatMs(s.p95)) },
];

/** All namespaces and the services with the most traffic, at a glance. */
export function OverviewPage() {
  const answer = useWatch<OverviewAnswer>("/overview");
  const { data } = answer;
  if (!data) return <><Problem of={answer} />{!answer.problem && <Loading what="the mesh" />}</>;
  const sum = (read: (row: NamespaceRow) => number) => data.namespaces.reduce((total, row) => total + read(row), 0);
  const [inbound, errors] = [sum((n) => n.inbound), sum((n) => n.errors)];
  return (
    <div className="page">
      <h1>Overview</h1>
      <Problem of={answer} />
      {data.metricsProblem && <p className="notice notice-bad">{data.metricsProblem}: rates and health are not known now.</p>}
      <dl className="cards">
        <div><dt>Workloads</dt><dd>{sum((n) => n.workloads)}<small> {sum((n) => n.inMesh)} in the mesh</small></dd></div>
        <div><dt>Not ready</dt><dd className={sum((n) => n.workloads - n.ready) > 0 ? "bad" : "good"}>{sum((n) => n.workloads - n.ready)}</dd></div>
        <div><dt>Requests</dt><dd>{formatRate(inbound)}</dd></div>
        <div><dt>Errors</dt><dd className={errors > 0 ? "bad" : undefined}>{inbound === 0 ? "–" : `${((errors / inbound) * 100).toFixed(2)}%`}</dd></div>
        <div><dt>Istio config</dt><dd>{sum((n) => n.config.objects)}<small className={sum((n) => n.config.errors) > 0 ? "bad" : undefined}> {sum((n) => n.config.errors)} wrong, {sum((n) => n.config.warnings)} to look at</small></dd></div>
      </dl>
      <h2>Namespaces</h2>
      <Table label="Namespaces" columns={NAMESPACES} rows={data.namespaces} rowKey={(n) => n.name} empty="No namespace has workloads yet." />
      <h2>Services by traffic, last minute</h2>
      <Table label="Services by traffic" columns={SERVICES} rows={data.services} rowKey={(s) => `${s.namespace}/${s.name}`} empty="No service had requests in the last minute." />
    </div>
  );
}

function HealthBar({ counts }: { counts: Record<Health, number> }) {
  const shown = HEALTH.filter((health) => counts[health] > 0);
  return <span className="labels">{shown.map((health) => <span key={health} title={`${counts[health]} workloads`}><HealthBadge health={health} /> {counts[health]}</span>)}</span>;
}

function configText({ objects, errors, warnings }: NamespaceRow["config"]): string {
  if (objects === 0) return "none";
  const parts = [errors > 0 && `${errors} wrong`, warnings > 0 && `${warnings} to look at`].filter(Boolean);
  return parts.length > 0 ? `${objects}: ${parts.join(", ")}` : String(objects);
}
