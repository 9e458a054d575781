import type { NamespaceRow, OverviewAnswer, ServiceRow } from "../../api/overview-routes.ts";
import { useWatch } from "../live.ts";
import { formatMs, formatRate } from "../model.ts";
import { Link, servicePath } from "../navigation.tsx";
import { Loading, MetricsLost, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { NAMESPACES } from "./namespaces-pages.tsx";

const SERVICES: Column<ServiceRow>[] = [
  {
    title: "Service",
    value: (s) => `${s.name}.${s.namespace}`,
    cell: (s) => (
      <Link to={servicePath(s.namespace, s.name)} className="link">
        {s.name}
        <small>.{s.namespace}</small>
      </Link>
    ),
  },
  { title: "Requests", number: true, value: (s) => s.rate, cell: (s) => formatRate(s.rate) },
  {
    title: "Errors",
    number: true,
    value: (s) => s.errorShare,
    cell: (s) => <span className={s.errorShare > 0 ? "bad" : undefined}>{(s.errorShare * 100).toFixed(2)}%</span>,
  },
  { title: "p95", number: true, value: (s) => s.p95 ?? 0, cell: (s) => (s.p95 === undefined ? "–" : formatMs(s.p95)) },
];

/** All namespaces and the services with the most traffic, at a glance. */
export function OverviewPage() {
  const answer = useWatch<OverviewAnswer>("/overview");
  const { data } = answer;
  if (!data)
    return (
      <>
        <Problem of={answer} />
        {!answer.problem && <Loading what="the mesh" />}
      </>
    );
  const sum = (read: (row: NamespaceRow) => number) => data.namespaces.reduce((total, row) => total + read(row), 0);
  const [inbound, errors] = [sum((n) => n.inbound), sum((n) => n.errors)];
  return (
    <div className="page">
      <h1>Overview</h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      <dl className="cards">
        <div>
          <dt>Workloads</dt>
          <dd>
            {sum((n) => n.workloads)}
            <small> {sum((n) => n.inMesh)} in the mesh</small>
          </dd>
        </div>
        <div>
          <dt>Not ready</dt>
          <dd className={sum((n) => n.workloads - n.ready) > 0 ? "bad" : "good"}>{sum((n) => n.workloads - n.ready)}</dd>
        </div>
        <div>
          <dt>Requests</dt>
          <dd>{formatRate(inbound)}</dd>
        </div>
        <div>
          <dt>Errors</dt>
          <dd className={errors > 0 ? "bad" : undefined}>{inbound === 0 ? "–" : `${((errors / inbound) * 100).toFixed(2)}%`}</dd>
        </div>
        <div>
          <dt>Istio config</dt>
          <dd>
            {sum((n) => n.config.objects)}
            <small className={sum((n) => n.config.errors) > 0 ? "bad" : undefined}>
              {" "}
              {sum((n) => n.config.errors)} wrong, {sum((n) => n.config.warnings)} to look at
            </small>
          </dd>
        </div>
      </dl>
      <h2>Namespaces</h2>
      <Table label="Namespaces" columns={NAMESPACES} rows={data.namespaces} rowKey={(n) => n.name} empty="No namespace has workloads yet." />
      <h2>Services by traffic, last minute</h2>
      <Table
        label="Services by traffic"
        columns={SERVICES}
        rows={data.services}
        rowKey={(s) => `${s.namespace}/${s.name}`}
        empty="No service had requests in the last minute."
      />
    </div>
  );
}
