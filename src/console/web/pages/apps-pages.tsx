import { MiniGraph } from "../graph/mini-graph.tsx";
import { useWatch } from "../live.ts";
import type { MeshState } from "../model.ts";
import { Link, appPath, servicePath, useRoute, workloadPath } from "../navigation.tsx";
import { HealthBadge, Labels, Mode } from "../parts/badges.tsx";
import { Empty, Loading, MetricsLost, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { useNamespaces } from "./lists.tsx";
import { MetricsTab } from "./metrics-tab.tsx";
import { TraceSearch } from "./traces-page.tsx";
import { TrafficTab } from "./traffic-tab.tsx";
import { Crumbs } from "./workload-page.tsx";

interface AppRow {
  name: string;
  namespace: string;
  istioSidecar: boolean;
  labels: Record<string, string>;
  health?: { status: { status: string }; workloadStatuses: { desiredReplicas: number; availableReplicas: number }[] };
}

const APPS: Column<AppRow>[] = [
  { title: "Namespace", value: (a) => a.namespace, cell: (a) => a.namespace },
  {
    title: "Application",
    value: (a) => a.name,
    cell: (a) => (
      <Link to={appPath(a.namespace, a.name)} className="link">
        {a.name}
      </Link>
    ),
  },
  { title: "Health", value: (a) => a.health?.status.status ?? "", cell: (a) => <HealthBadge health={a.health?.status.status} /> },
  { title: "Workloads", number: true, value: (a) => a.health?.workloadStatuses.length ?? 0, cell: (a) => a.health?.workloadStatuses.length ?? "–" },
  { title: "Proxy", value: (a) => String(a.istioSidecar), cell: (a) => (a.istioSidecar ? "sidecar" : <span className="muted">not everywhere</span>) },
  { title: "Labels", value: (a) => Object.entries(a.labels).join(" "), cell: (a) => <Labels labels={a.labels} /> },
];

/** Workloads of one `app` label as one thing, whatever their versions. */
export function AppsPage() {
  const namespaces = useNamespaces();
  const answer = useWatch<{ applications: AppRow[]; metricsProblem?: string }>(`/clusters/apps?health=true&namespaces=${namespaces.join(",")}`);
  return (
    <div className="page">
      <h1>Applications{namespaces.length > 0 && <small> in {namespaces.join(", ")}</small>}</h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      {answer.data ? (
        <Table
          label="Applications"
          filter
          columns={APPS}
          rows={answer.data.applications}
          rowKey={(a) => `${a.namespace}/${a.name}`}
          empty="No application here yet."
        >
          {namespaces.length > 0 && (
            <Link to="/applications" className="button">
              All namespaces
            </Link>
          )}
        </Table>
      ) : (
        !answer.problem && <Loading what="applications" />
      )}
    </div>
  );
}

interface AppAnswer {
  metricsProblem?: string;
  name: string;
  workloads: { workloadName: string; istioSidecar: boolean; labels: Record<string, string>; serviceAccountNames: string[] }[];
  serviceNames: string[];
  health: { status: { status: string } };
}

export function AppPage({ mesh, theme }: { mesh: MeshState | undefined; theme: string }) {
  const { parts } = useRoute();
  const [namespace = "", name = ""] = [parts[1], parts[3]];
  const answer = useWatch<AppAnswer>(`/namespaces/${encodeURIComponent(namespace)}/apps/${encodeURIComponent(name)}`);
  const { data } = answer;
  if (!data) {
    if (!answer.problem) return <Loading what={name} />;
    return (
      <Empty title={`${name} cannot be shown`}>
        <p>{answer.problem.message}</p>
        <p>
          <Link to="/applications" className="link">
            All applications
          </Link>
        </p>
      </Empty>
    );
  }
  return (
    <div className="page">
      <Crumbs
        steps={[
          ["Applications", "/applications"],
          [namespace, `/applications?namespaces=${namespace}`],
        ]}
      />
      <h1>
        {name} <HealthBadge health={data.health.status.status} />
      </h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      <Tabs
        path={appPath(namespace, name)}
        tabs={[
          { key: "info", title: "Overview", render: () => <Overview data={data} namespace={namespace} mesh={mesh} theme={theme} /> },
          { key: "traffic", title: "Traffic", render: () => <TrafficTab namespace={namespace} kind="app" name={name} /> },
          { key: "metrics", title: "Metrics", render: () => <MetricsTab namespace={namespace} kind="apps" name={name} /> },
          { key: "traces", title: "Traces", render: () => <TraceSearch service={`${name}.${namespace}`} /> },
        ]}
      />
    </div>
  );
}

function Overview({ data, namespace, mesh, theme }: { data: AppAnswer; namespace: string; mesh: MeshState | undefined; theme: string }) {
  return (
    <div className="columns">
      <section>
        <h2>Workloads</h2>
        <ul className="plain">
          {data.workloads.map((w) => {
            const state = mesh?.workloads.find((known) => known.namespace === namespace && known.workload === w.workloadName);
            return (
              <li key={w.workloadName}>
                <Link to={workloadPath(namespace, w.workloadName)} className="link">
                  {w.workloadName}
                </Link>{" "}
                {state && (
                  <>
                    <Mode mode={state.mode} />{" "}
                    <small>
                      {state.ready} of {state.pods} ready, service account {w.serviceAccountNames.join(", ")}
                    </small>
                  </>
                )}
              </li>
            );
          })}
        </ul>
        <h2>Services</h2>
        {data.serviceNames.length === 0 ? (
          <p className="muted">No service selects its pods.</p>
        ) : (
          <ul className="plain">
            {data.serviceNames.map((service) => (
              <li key={service}>
                <Link to={servicePath(namespace, service)} className="link">
                  {service}
                </Link>
              </li>
            ))}
          </ul>
        )}
      </section>
      <MiniGraph
        query={{ namespace, kind: "app", name: data.name }}
        whole={`/graph?namespaces=${namespace}&graphType=app`}
        mesh={mesh}
        theme={theme}
        kind={`app/${namespace}/${data.name}`}
      />
    </div>
  );
}
