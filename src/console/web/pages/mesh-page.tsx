import type { MeshAnswer, ProxyRow } from "../../api/mesh-routes.ts";
import type { CertificateHistory } from "../../api/certificate-history.ts";
import { useWatch } from "../live.ts";
import { Link, workloadPath } from "../navigation.tsx";
import { State } from "../parts/badges.tsx";
import { Loading, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";

const DAY_MS = 86_400_000;

type Row = ProxyRow & { history: CertificateHistory["certificates"] };

const PROXIES: Column<Row>[] = [
  {
    title: "Pod",
    value: (p) => p.pod,
    cell: (p) => (
      <Link to={`${workloadPath(p.namespace, p.workload)}?tab=envoy`} className="link">
        {p.pod}
        <small>.{p.namespace}</small>
      </Link>
    ),
  },
  { title: "Ready", value: (p) => (p.ready ? 1 : 0), cell: (p) => <State good={p.ready}>{p.ready ? "Ready" : "Not ready"}</State> },
  { title: "Connected", value: (p) => (p.connected ? 1 : 0), cell: (p) => (p.sync ? <State good>yes</State> : <State good={false}>no</State>) },
  ...(["CDS", "LDS", "RDS", "EDS"] as const).map((type): Column<Row> => ({
    title: type,
    value: (p) => p.sync?.[type] ?? "",
    cell: (p) =>
      p.sync ? (
        <State good={p.sync[type] === "Synced"} warn>
          {p.sync[type] ?? "–"}
        </State>
      ) : (
        <span className="muted">–</span>
      ),
  })),
  { title: "Last sent", value: (p) => p.lastSent ?? "", cell: (p) => (p.lastSent ? new Date(p.lastSent).toLocaleTimeString() : "–") },
  {
    title: "Certificate until",
    value: (p) => p.certificateExpires ?? 0,
    cell: (p) =>
      p.certificateExpires === undefined ? (
        <span className="muted">–</span>
      ) : (
        <span className={p.certificateExpires < Date.now() ? "bad" : undefined} title={new Date(p.certificateExpires).toLocaleString()}>
          {left(p.certificateExpires)}
        </span>
      ),
  },
  { title: "Renewed", number: true, value: (p) => p.history.length, cell: (p) => <Renewals history={p.history} /> },
  { title: "Version", value: (p) => p.version, cell: (p) => p.version || <code>{p.image.split(":").at(-1)}</code> },
];

/** istiod and what belongs to it, each proxy's state of sync, and the certificates. */
export function MeshPage() {
  const answer = useWatch<MeshAnswer>("/mesh");
  const history = useWatch<CertificateHistory[]>("/mesh/certificates");
  const { data } = answer;
  if (!data)
    return (
      <>
        <Problem of={answer} />
        {!answer.problem && <Loading what="the mesh" />}
      </>
    );
  const rows = data.proxies.map((proxy): Row => ({
    ...proxy,
    history: history.data?.find(({ pod, namespace }) => pod === proxy.pod && namespace === proxy.namespace)?.certificates ?? [],
  }));
  const stale = data.proxies.filter((proxy) => proxy.sync && Object.values(proxy.sync).some((state) => state !== "Synced" && state !== "NOT_SENT"));
  return (
    <div className="page">
      <h1>
        Mesh <small>{data.trustDomain}</small>
      </h1>
      <Problem of={answer} />
      {data.istiod.problem && (
        <p className="notice notice-bad">istiod does not tell how its proxies stand: {data.istiod.problem}. Proxies go on with what they have.</p>
      )}
      <dl className="cards">
        {data.components.map((c) => (
          <div key={c.name}>
            <dt>{c.name}</dt>
            <dd>
              <State good={c.status === "Healthy"} warn={c.status === "Unhealthy"}>
                {c.status}
              </State>
            </dd>
          </div>
        ))}
        <div>
          <dt>istiod's version</dt>
          <dd>{data.istiod.version || "–"}</dd>
        </div>
        <div>
          <dt>Proxies in sync</dt>
          <dd className={stale.length > 0 ? "warn" : undefined}>
            {data.istiod.problem ? "–" : `${data.proxies.filter((p) => p.connected).length - stale.length} of ${data.proxies.length}`}
          </dd>
        </div>
      </dl>
      <h2>Proxies</h2>
      <Table
        label="Proxies"
        filter={data.proxies.length > 12}
        columns={PROXIES}
        rows={rows}
        rowKey={(p) => `${p.namespace}/${p.pod}`}
        empty="No proxy runs yet: kubectl label namespace NAME istio-injection=enabled, then restart its Deployments."
      />
      <div className="columns">
        <section>
          <h2>Trust anchors</h2>
          {data.roots.length === 0 && <p className="muted">istiod has not published a root certificate.</p>}
          {data.roots.map((root) => (
            <dl key={root.serial} className="facts wide">
              <dt>Issuer</dt>
              <dd>
                <code>{root.issuer}</code>
              </dd>
              <dt>Serial</dt>
              <dd>
                <code>{root.serial}</code>
              </dd>
              <dt>Key</dt>
              <dd>{root.algorithm}</dd>
              <dt>Valid</dt>
              <dd className={Date.parse(root.notAfter) < Date.now() + 30 * DAY_MS ? "bad" : undefined}>
                {new Date(root.notBefore).toLocaleDateString()} to {new Date(root.notAfter).toLocaleDateString()}{" "}
                <small>{left(Date.parse(root.notAfter))} left</small>
              </dd>
            </dl>
          ))}
        </section>
        <section>
          <h2>Mesh config</h2>
          {data.meshConfig ? (
            <pre className="yaml raw" tabIndex={0} aria-label="Mesh config">
              {data.meshConfig}
            </pre>
          ) : (
            <p className="muted">The ConfigMap istio is not there.</p>
          )}
        </section>
      </div>
    </div>
  );
}

/** How often a proxy's certificate was renewed in the last day; each one on request. */
function Renewals({ history }: { history: Row["history"] }) {
  if (history.length === 0) return <span className="muted">–</span>;
  const time = (ms: number) => new Date(ms).toLocaleString([], { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  return (
    <details className="renewals">
      <summary>{history.length === 1 ? "not yet" : `${history.length - 1}×`}</summary>
      <ul className="plain">
        {history.map(({ since, until }) => (
          <li key={until}>
            seen since {time(since)}, valid until {time(until)}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** The largest whole unit of the time until then. */
function left(until: number): string {
  const ms = until - Date.now();
  if (ms < 0) return "expired";
  if (ms >= 3 * DAY_MS) return `${Math.floor(ms / DAY_MS)} days`;
  return ms >= 7_200_000 ? `${Math.floor(ms / 3_600_000)} h` : `${Math.floor(ms / 60_000)} min`;
}
