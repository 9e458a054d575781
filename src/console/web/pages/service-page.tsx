import { MiniGraph } from "../graph/mini-graph.tsx";
import { useWatch } from "../live.ts";
import type { MeshState } from "../model.ts";
import { Link, servicePath, useRoute, workloadPath } from "../navigation.tsx";
import { HealthBadge, Labels, Mode, TlsStatus } from "../parts/badges.tsx";
import { Empty, Loading, MetricsLost, Problem } from "../parts/states.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { MetricsTab } from "./metrics-tab.tsx";
import { TraceSearch } from "./traces-page.tsx";
import { TrafficTab } from "./traffic-tab.tsx";
import { Crumbs, policyLink } from "./workload-page.tsx";

interface ServiceAnswer {
  metricsProblem?: string;
  service: {
    name: string;
    namespace: string;
    type: string;
    ip: string;
    createdAt: string;
    labels: Record<string, string>;
    selectors: Record<string, string>;
    ports: { name: string; port: number; protocol: string; targetPort: number | string; istioProtocol: string }[];
  };
  endpoints: { addresses: { name: string; ip: string }[] }[];
  workloads: { name: string; podCount: number; istioSidecar: boolean; serviceAccountNames: string[]; security?: { mode: string; policy?: string } }[];
  virtualServices: { metadata: { name: string; namespace: string } }[];
  destinationRules: { metadata: { name: string; namespace: string } }[];
  namespaceMTLS: { status: string };
  health: { status: { status: string } };
}

/** One service: its address and ports, what stands behind it, and what routes to it. */
export function ServicePage({ mesh, theme }: { mesh: MeshState | undefined; theme: string }) {
  const { parts } = useRoute();
  const [namespace = "", name = ""] = [parts[1], parts[3]];
  const answer = useWatch<ServiceAnswer>(`/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`);
  const { data } = answer;
  if (!data) {
    if (!answer.problem) return <Loading what={name} />;
    return (
      <Empty title={`${name} cannot be shown`}>
        <p>{answer.problem.message}</p>
        <p>
          <Link to="/services" className="link">
            All services
          </Link>
        </p>
      </Empty>
    );
  }
  return (
    <div className="page">
      <Crumbs
        steps={[
          ["Services", "/services"],
          [namespace, `/services?namespaces=${namespace}`],
        ]}
      />
      <h1>
        {name} <HealthBadge health={data.health.status.status} />
      </h1>
      <Problem of={answer} />
      <MetricsLost problem={answer.data?.metricsProblem} />
      <Tabs
        path={servicePath(namespace, name)}
        tabs={[
          { key: "info", title: "Overview", render: () => <Overview data={data} mesh={mesh} theme={theme} /> },
          { key: "traffic", title: "Traffic", render: () => <TrafficTab namespace={namespace} kind="service" name={name} /> },
          { key: "metrics", title: "Metrics", render: () => <MetricsTab namespace={namespace} kind="services" name={name} /> },
          { key: "traces", title: "Traces", render: () => <TraceSearch service={`${data.service.selectors.app ?? name}.${namespace}`} /> },
        ]}
      />
    </div>
  );
}

function Overview({ data, mesh, theme }: { data: ServiceAnswer; mesh: MeshState | undefined; theme: string }) {
  const { service } = data;
  const addresses = data.endpoints.flatMap((endpoint) => endpoint.addresses);
  return (
    <div className="columns">
      <section>
        <h2>About</h2>
        <dl className="facts wide">
          <dt>Type</dt>
          <dd>{service.type}</dd>
          <dt>Address</dt>
          <dd>
            <code>{service.ip || "–"}</code>
          </dd>
          <dt>Name</dt>
          <dd>
            <code>
              {service.name}.{service.namespace}.svc.cluster.local
            </code>
          </dd>
          <dt>Selector</dt>
          <dd>
            <Labels labels={service.selectors} />
          </dd>
          <dt>Labels</dt>
          <dd>
            <Labels labels={service.labels} />
          </dd>
          <dt>Namespace mTLS</dt>
          <dd>
            <TlsStatus status={data.namespaceMTLS.status} />
          </dd>
        </dl>
        <h2>Ports</h2>
        <ul className="plain">
          {service.ports.map((port) => (
            <li key={port.port}>
              <strong>{port.port}</strong> → {port.targetPort}{" "}
              <small>
                {port.name} {port.protocol}, {port.istioProtocol}
              </small>
            </li>
          ))}
        </ul>
        <h2>Routing</h2>
        {data.virtualServices.length + data.destinationRules.length === 0 ? (
          <p className="muted">No VirtualService or DestinationRule names this service.</p>
        ) : (
          <ul className="plain">
            {data.virtualServices.map(({ metadata }) => (
              <li key={`vs${metadata.namespace}${metadata.name}`}>
                VirtualService{" "}
                <Link to={`/namespaces/${metadata.namespace}/istio/networking.istio.io/v1/VirtualService/${metadata.name}`} className="link">
                  {metadata.namespace}/{metadata.name}
                </Link>
              </li>
            ))}
            {data.destinationRules.map(({ metadata }) => (
              <li key={`dr${metadata.namespace}${metadata.name}`}>
                DestinationRule{" "}
                <Link to={`/namespaces/${metadata.namespace}/istio/networking.istio.io/v1/DestinationRule/${metadata.name}`} className="link">
                  {metadata.namespace}/{metadata.name}
                </Link>
              </li>
            ))}
          </ul>
        )}
      </section>
      <section>
        <MiniGraph
          query={{ namespace: service.namespace, kind: "service", name: service.name }}
          whole={`/graph?namespaces=${service.namespace}&graphType=service`}
          mesh={mesh}
          theme={theme}
          kind={`service/${service.namespace}/${service.name}`}
        />
        <h2>Workloads behind it</h2>
        {data.workloads.length === 0 && <p className="notice notice-warn">No pod fits the selector: requests get 503.</p>}
        <ul className="plain">
          {data.workloads.map((w) => (
            <li key={w.name}>
              <Link to={workloadPath(service.namespace, w.name)} className="link">
                {w.name}
              </Link>{" "}
              <small>
                {w.podCount} {w.podCount === 1 ? "pod" : "pods"}
              </small>{" "}
              {w.security ? (
                <>
                  <Mode mode={w.security.mode} /> <small>{w.security.policy ? policyLink(w.security.policy) : "the default"}</small>
                </>
              ) : (
                <small className="warn">no sidecar</small>
              )}
            </li>
          ))}
        </ul>
        <h2>Ready endpoints</h2>
        {addresses.length === 0 ? (
          <p className="warn">None is ready.</p>
        ) : (
          <ul className="plain">
            {addresses.map((a) => (
              <li key={a.ip}>
                <code>{a.ip}</code> <small>{a.name}</small>
              </li>
            ))}
          </ul>
        )}
      </section>
    </div>
  );
}
