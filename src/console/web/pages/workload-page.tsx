import { MiniGraph } from "../graph/mini-graph.tsx";
import { useWatch } from "../live.ts";
import type { MeshState } from "../model.ts";
import { Link, servicePath, useRoute, workloadPath } from "../navigation.tsx";
import { HealthBadge, Labels, Mode, State } from "../parts/badges.tsx";
import { Empty, Loading, MetricsLost, Problem } from "../parts/states.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { LogsTab } from "./logs-tab.tsx";
import { MetricsTab } from "./metrics-tab.tsx";
import { ProxyTab } from "./proxy-tab.tsx";
import { TraceSearch } from "./traces-page.tsx";
import { TrafficTab } from "./traffic-tab.tsx";

export interface PodAnswer {
  name: string;
  ready: boolean;
  status: string;
  statusReason: string;
  restarts: number;
  ip: string;
  node: string;
  createdAt: string;
  serviceAccountName: string;
  containers: { name: string; image: string; isReady: boolean }[];
  istioContainers: { name: string; image: string; isReady: boolean }[];
  proxyStatus: Record<string, string> | null;
}

interface WorkloadAnswer {
  metricsProblem?: string;
  name: string;
  namespace: string;
  gvk: { Kind: string };
  createdAt: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  istioSidecar: boolean;
  desiredReplicas: number;
  availableReplicas: number;
  pods: PodAnswer[];
  services: { name: string; type: string; ip: string; ports: { name?: string; port: number; targetPort?: number | string }[] }[];
  health: { status: { status: string } };
  security?: { mode: string; policy?: string; ports: Record<string, string> };
}

/** One workload: its pods, who it talks to, what it says, and how its proxy is set up. */
export function WorkloadPage({ mesh, theme }: { mesh: MeshState | undefined; theme: string }) {
  const { parts } = useRoute();
  const [namespace = "", name = ""] = [parts[1], parts[3]];
  const answer = useWatch<WorkloadAnswer>(`/namespaces/${encodeURIComponent(namespace)}/workloads/${encodeURIComponent(name)}`);
  const { data } = answer;
  if (!data) {
    if (!answer.problem) return <Loading what={name} />;
    return (
      <Empty title={`${name} cannot be shown`}>
        <p>{answer.problem.message}</p>
        <p>
          <Link to="/workloads" className="link">
            All workloads
          </Link>
        </p>
      </Empty>
    );
  }
  const pods = data.pods;
  return (
    <div className="page">
      <Crumbs
        steps={[
          ["Workloads", "/workloads"],
          [namespace, `/workloads?namespaces=${namespace}`],
        ]}
      />
      <h1>
        {name} <HealthBadge health={data.health.status.status} />
      </h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      <Tabs
        path={workloadPath(namespace, name)}
        tabs={[
          { key: "info", title: "Overview", render: () => <Overview data={data} mesh={mesh} theme={theme} /> },
          { key: "traffic", title: "Traffic", render: () => <TrafficTab namespace={namespace} kind="workload" name={name} /> },
          { key: "logs", title: "Logs", render: () => <LogsTab namespace={namespace} pods={pods} /> },
          { key: "metrics", title: "Metrics", render: () => <MetricsTab namespace={namespace} kind="workloads" name={name} /> },
          { key: "traces", title: "Traces", render: () => <TraceSearch service={`${data.labels.app ?? name}.${namespace}`} /> },
          ...(pods.some((pod) => pod.istioContainers.length > 0)
            ? [{ key: "envoy", title: "Proxy", render: () => <ProxyTab namespace={namespace} pods={pods.filter((pod) => pod.istioContainers.length > 0)} /> }]
            : []),
        ]}
      />
    </div>
  );
}

export function Crumbs({ steps }: { steps: [string, string][] }) {
  return (
    <nav className="crumbs" aria-label="Where this is">
      {steps.map(([title, to]) => (
        <span key={to}>
          <Link to={to} className="link">
            {title}
          </Link>{" "}
          ›{" "}
        </span>
      ))}
    </nav>
  );
}

function Overview({ data, mesh, theme }: { data: WorkloadAnswer; mesh: MeshState | undefined; theme: string }) {
  const trustDomain = mesh?.trustDomain ?? "cluster.local";
  const { security } = data;
  const [account] = new Set(data.pods.map((pod) => pod.serviceAccountName));
  return (
    <div className="columns">
      <section>
        <h2>About</h2>
        <dl className="facts wide">
          <dt>Kind</dt>
          <dd>{data.gvk.Kind}</dd>
          <dt>Namespace</dt>
          <dd>{data.namespace}</dd>
          <dt>Created</dt>
          <dd>{data.createdAt ? new Date(data.createdAt).toLocaleString() : "–"}</dd>
          <dt>Replicas</dt>
          <dd className={data.availableReplicas < data.desiredReplicas ? "warn" : undefined}>
            {data.availableReplicas} of {data.desiredReplicas} available
          </dd>
          <dt>Labels</dt>
          <dd>
            <Labels labels={data.labels} />
          </dd>
        </dl>
        <h2>Security</h2>
        {security && account ? (
          <dl className="facts wide">
            <dt>mTLS mode</dt>
            <dd>
              <Mode mode={security.mode} />{" "}
              <small>{security.policy ? <>by PeerAuthentication {policyLink(security.policy)}</> : "the default: no policy applies"}</small>
            </dd>
            {Object.entries(security.ports).map(([port, mode]) => [
              <dt key={port}>Port {port}</dt>,
              <dd key={`${port}m`}>
                <Mode mode={mode} />
              </dd>,
            ])}
            <dt>Identity</dt>
            <dd>
              <code>
                spiffe://{trustDomain}/ns/{data.namespace}/sa/{account}
              </code>
            </dd>
          </dl>
        ) : (
          <p className="notice notice-warn">
            No sidecar: this workload has no identity in the mesh, speaks plaintext, and is refused by workloads with mode STRICT. To bring it in, label its
            namespace and restart it: <code>kubectl label namespace {data.namespace} istio-injection=enabled</code>
          </p>
        )}
        <h2>Services</h2>
        {data.services.length === 0 ? (
          <p className="muted">No service selects these pods.</p>
        ) : (
          <ul className="plain">
            {data.services.map((service) => (
              <li key={service.name}>
                <Link to={servicePath(data.namespace, service.name)} className="link">
                  {service.name}
                </Link>{" "}
                <small>
                  {service.type} {service.ip}, ports {service.ports.map((port) => `${port.port}→${port.targetPort ?? port.port}`).join(", ")}
                </small>
              </li>
            ))}
          </ul>
        )}
      </section>
      <section>
        <MiniGraph
          query={{ namespace: data.namespace, kind: "workload", name: data.name }}
          whole={`/graph?namespaces=${data.namespace}`}
          mesh={mesh}
          theme={theme}
          kind={`workload/${data.namespace}/${data.name}`}
        />
        <h2>Pods</h2>
        {data.pods.length === 0 && <p className="muted">No pod runs.</p>}
        {data.pods.map((pod) => (
          <article key={pod.name} className="pod">
            <h3>
              {pod.name} <State good={pod.ready}>{pod.ready ? "Ready" : pod.statusReason || pod.status}</State>
            </h3>
            <p>
              <code>{pod.ip || "no address"}</code> on {pod.node || "no node"},{" "}
              {pod.restarts === 0 ? "never restarted" : <span className="warn">restarted {pod.restarts}×</span>}, since{" "}
              {pod.createdAt ? new Date(pod.createdAt).toLocaleString() : "–"}
            </p>
            <ul className="plain">
              {[...pod.containers, ...pod.istioContainers].map((c) => (
                <li key={c.name}>
                  <strong>{c.name}</strong> <code>{c.image}</code>
                  {!c.isReady && <span className="warn"> not ready</span>}
                </li>
              ))}
            </ul>
            {pod.proxyStatus && (
              <p className="labels">
                {Object.entries(pod.proxyStatus).map(([type, state]) => (
                  <span key={type}>
                    {type}{" "}
                    <State good={state === "Synced"} warn={state === "NOT_SENT" || state.startsWith("Stale")}>
                      {state}
                    </State>
                  </span>
                ))}
              </p>
            )}
          </article>
        ))}
      </section>
    </div>
  );
}

export function policyLink(policy: string) {
  const [namespace = "", name = ""] = policy.split("/");
  return (
    <Link to={`/namespaces/${namespace}/istio/security.istio.io/v1/PeerAuthentication/${name}`} className="link">
      {policy}
    </Link>
  );
}
