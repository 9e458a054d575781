import { useState } from "react";
import type { ProxyTables } from "../../api/proxy-config.ts";
import { useStored, useWatch } from "../live.ts";
import { Select } from "../parts/controls.tsx";
import { Loading, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";
import type { PodAnswer } from "./workload-page.tsx";

type Listener = ProxyTables["listeners"][number];
type Cluster = ProxyTables["clusters"][number];
type RouteRow = ProxyTables["routes"][number];

const LISTENERS: Column<Listener>[] = [
  { title: "Address", value: (l) => l.address, cell: (l) => <code>{l.address}</code> },
  { title: "Port", number: true, value: (l) => Number(l.port), cell: (l) => l.port },
  { title: "Match", value: (l) => l.match, cell: (l) => l.match },
  { title: "Destination", value: (l) => l.destination, cell: (l) => l.destination },
];
const CLUSTERS: Column<Cluster>[] = [
  { title: "Service FQDN", value: (c) => c.service_fqdn, cell: (c) => <code>{c.service_fqdn}</code> },
  { title: "Port", number: true, value: (c) => Number(c.port) || 0, cell: (c) => c.port },
  { title: "Subset", value: (c) => c.subset, cell: (c) => c.subset },
  { title: "Direction", value: (c) => c.direction, cell: (c) => c.direction },
  { title: "Type", value: (c) => c.type, cell: (c) => c.type },
  { title: "Destination rule", value: (c) => c.destination_rule, cell: (c) => c.destination_rule },
];
const ROUTES: Column<RouteRow>[] = [
  { title: "Name", value: (r) => r.name, cell: (r) => r.name },
  { title: "Domains", value: (r) => r.domains, cell: (r) => <code>{r.domains}</code> },
  { title: "Match", value: (r) => r.match, cell: (r) => <code>{r.match}</code> },
  { title: "Virtual service", value: (r) => r.virtual_service, cell: (r) => r.virtual_service },
];

/** How one pod's proxy is set up, in istioctl's tables. */
export function ProxyTab({ namespace, pods }: { namespace: string; pods: PodAnswer[] }) {
  const [chosen, setChosen] = useState(pods[0]?.name ?? "");
  const pod = pods.find(({ name }) => name === chosen) ?? pods[0];
  const [part, setPart] = useStored("proxy.part", "listeners");
  const [raw, setRaw] = useState(false);
  const path = `/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod?.name ?? "")}/config_dump`;
  const answer = useWatch<ProxyTables>(`${path}/tables`);
  if (!pod) return <p className="muted">No pod with a proxy runs.</p>;
  const sync = Object.entries(pod.proxyStatus ?? {}).filter(([, state]) => state !== "Synced");
  return (
    <>
      <div className="table-tools">
        {pods.length > 1 && <Select label="Pod" value={pod.name} options={Object.fromEntries(pods.map(({ name }) => [name, name]))} onChange={setChosen} />}
        <Select label="Part" value={part} options={{ listeners: "Listeners", clusters: "Clusters", routes: "Routes" }} onChange={setPart} />
        <label className="toggle">
          <input type="checkbox" checked={raw} onChange={(event) => setRaw(event.target.checked)} /> as JSON
        </label>
        <small>
          What istiod sends this proxy
          {sync.length === 0 ? ", and the proxy has taken" : `; not taken yet: ${sync.map(([type, state]) => `${type} ${state}`).join(", ")}`}. In a terminal:{" "}
          <code>
            istioctl proxy-config {part === "routes" ? "route" : part.slice(0, -1)} {pod.name}.{namespace}
          </code>
        </small>
      </div>
      <Problem of={answer} />
      {raw ? (
        <RawDump path={path} />
      ) : !answer.data ? (
        !answer.problem && <Loading what="the proxy's configuration" />
      ) : part === "clusters" ? (
        <Table label="Clusters" filter columns={CLUSTERS} rows={answer.data.clusters} rowKey={(c) => `${c.direction}${c.port}${c.subset}${c.service_fqdn}`} />
      ) : part === "routes" ? (
        <Table label="Routes" filter columns={ROUTES} rows={answer.data.routes} rowKey={(r) => `${r.name}${r.domains}${r.match}`} />
      ) : (
        <Table label="Listeners" filter columns={LISTENERS} rows={answer.data.listeners} rowKey={(l) => `${l.address}${l.port}${l.match}${l.destination}`} />
      )}
    </>
  );
}

function RawDump({ path }: { path: string }) {
  const [state, setState] = useState<{ text?: string; problem?: string }>();
  if (!state) {
    setState({});
    void fetch(`/kiali/api${path}`)
      .then(async (answer) =>
        setState(answer.ok ? { text: JSON.stringify(await answer.json(), null, 2) } : { problem: ((await answer.json()) as { error: string }).error }),
      )
      .catch((thrown: unknown) => setState({ problem: String(thrown) }));
  }
  if (state?.problem) return <p className="notice notice-bad">{state.problem}</p>;
  return state?.text ? (
    <pre className="yaml raw" tabIndex={0} aria-label="Configuration as JSON">
      {state.text}
    </pre>
  ) : (
    <Loading what="the dump" />
  );
}
