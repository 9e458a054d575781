import { useWatch } from "../live.ts";
import { type MeshState, type WorkloadState } from "../model.ts";
import { Link, servicePath, useRoute, workloadPath } from "../navigation.tsx";
import { HealthBadge, Labels, Mode } from "../parts/badges.tsx";
import { Loading, MetricsLost, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";

/** Namespaces named in a link narrow a list. */
export function useNamespaces(): string[] {
  return useRoute().query.get("namespaces")?.split(",").filter(Boolean) ?? [];
}

interface WorkloadRow extends WorkloadState {
  health: string | undefined;
}

interface WorkloadsAnswer {
  metricsProblem?: string;
  workloads: {
    name: string;
    namespace: string;
    gvk: { Kind: string };
    podCount: number;
    labels: Record<string, string>;
    health?: { status: { status: string }; workloadStatus: { desiredReplicas: number; availableReplicas: number } };
  }[];
}

const WORKLOADS: Column<WorkloadRow>[] = [
  { title: "Namespace", value: (w) => w.namespace, cell: (w) => w.namespace },
  {
    title: "Workload",
    value: (w) => w.workload,
    cell: (w) => (
      <Link to={workloadPath(w.namespace, w.workload)} className="link">
        {w.workload}
      </Link>
    ),
  },
  { title: "Health", value: (w) => w.health ?? "", cell: (w) => <HealthBadge health={w.health} /> },
  {
    title: "Pods",
    number: true,
    value: (w) => w.pods,
    cell: (w) => (
      <span className={w.ready < w.pods || w.pods === 0 ? "warn" : undefined}>
        {w.ready}/{w.pods}
      </span>
    ),
  },
  {
    title: "Proxy",
    value: (w) => (w.gateway ? "gateway" : w.sidecar ? "sidecar" : "none"),
    cell: (w) => (w.gateway ? "gateway" : w.sidecar ? "sidecar" : <span className="muted">none</span>),
  },
  {
    title: "mTLS mode",
    value: (w) => w.mode,
    cell: (w) => (
      <>
        <Mode mode={w.mode} />
        {Object.entries(w.ports).map(([port, mode]) => (
          <small key={port}>
            {" "}
            {port}: {mode}
          </small>
        ))}
      </>
    ),
  },
  { title: "Decided by", value: (w) => w.policy ?? "", cell: (w) => w.policy ?? <span className="muted">{w.sidecar ? "the default" : "–"}</span> },
  { title: "Service account", value: (w) => w.serviceAccount, cell: (w) => <code>{w.serviceAccount}</code> },
];

export function WorkloadsPage({ mesh }: { mesh: MeshState | undefined }) {
  const namespaces = useNamespaces();
  const answer = useWatch<WorkloadsAnswer>(`/clusters/workloads?health=true&namespaces=${namespaces.join(",")}`);
  if (!mesh) return <Loading what="workloads" />;
  const known = new Map(mesh.workloads.map((w) => [`${w.namespace}/${w.workload}`, w]));
  const listed = answer.data?.workloads.map((w): WorkloadRow => {
    const state = known.get(`${w.namespace}/${w.name}`);
    const pods = w.health?.workloadStatus.desiredReplicas ?? w.podCount;
    const bare: WorkloadState = {
      namespace: w.namespace,
      workload: w.name,
      kind: w.gvk.Kind,
      app: w.name,
      version: "",
      sidecar: false,
      gateway: false,
      ready: 0,
      pods,
      restarts: 0,
      mode: "NONE",
      policy: undefined,
      ports: {},
      serviceAccount: "",
    };
    return { ...(state ?? bare), pods, health: w.health?.status.status };
  });
  // Health comes from the metrics store: without it the workloads are there all the same.
  const rows =
    listed ?? mesh.workloads.filter((w) => namespaces.length === 0 || namespaces.includes(w.namespace)).map((w): WorkloadRow => ({ ...w, health: undefined }));
  return (
    <div className="page">
      <h1>Workloads{namespaces.length > 0 && <small> in {namespaces.join(", ")}</small>}</h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      <Table label="Workloads" filter columns={WORKLOADS} rows={rows} rowKey={(w) => `${w.namespace}/${w.workload}`} empty="No workload runs here yet.">
        {namespaces.length > 0 && (
          <Link to="/workloads" className="button">
            All namespaces
          </Link>
        )}
      </Table>
    </div>
  );
}

interface ServiceRow {
  name: string;
  namespace: string;
  type: string;
  ip: string;
  ports: Record<string, number>;
  selector: Record<string, string>;
  istioSidecar: boolean;
  endpoints: number;
  health?: { status: { status: string } };
}

const SERVICES: Column<ServiceRow>[] = [
  { title: "Namespace", value: (s) => s.namespace, cell: (s) => s.namespace },
  {
    title: "Service",
    value: (s) => s.name,
    cell: (s) => (
      <Link to={servicePath(s.namespace, s.name)} className="link">
        {s.name}
      </Link>
    ),
  },
  { title: "Health", value: (s) => s.health?.status.status ?? "", cell: (s) => <HealthBadge health={s.health?.status.status} /> },
  { title: "Type", value: (s) => s.type, cell: (s) => s.type },
  { title: "Address", value: (s) => s.ip, cell: (s) => <code>{s.ip || "–"}</code> },
  {
    title: "Ports",
    value: (s) => Object.keys(s.ports).join(" "),
    cell: (s) =>
      Object.entries(s.ports)
        .map(([name, port]) => (name === String(port) ? name : `${port} ${name}`))
        .join(", ") || "–",
  },
  {
    title: "Ready pods",
    number: true,
    value: (s) => s.endpoints,
    cell: (s) =>
      Object.keys(s.selector).length === 0 ? <span className="muted">–</span> : <span className={s.endpoints === 0 ? "warn" : undefined}>{s.endpoints}</span>,
  },
  { title: "Selector", value: (s) => Object.entries(s.selector).join(" "), cell: (s) => <Labels labels={s.selector} /> },
];

export function ServicesPage() {
  const namespaces = useNamespaces();
  const answer = useWatch<{ services: ServiceRow[]; metricsProblem?: string }>(`/clusters/services?health=true&namespaces=${namespaces.join(",")}`);
  return (
    <div className="page">
      <h1>Services{namespaces.length > 0 && <small> in {namespaces.join(", ")}</small>}</h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      {answer.data ? (
        <Table label="Services" filter columns={SERVICES} rows={answer.data.services} rowKey={(s) => `${s.namespace}/${s.name}`} empty="No service here yet.">
          {namespaces.length > 0 && (
            <Link to="/services" className="button">
              All namespaces
            </Link>
          )}
        </Table>
      ) : (
        !answer.problem && <Loading what="services" />
      )}
    </div>
  );
}
