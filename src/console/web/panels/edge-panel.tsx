import {
  type EdgeTraffic,
  FLAG_TEXT,
  type Graph,
  type GraphEdge,
  type WorkloadState,
  byteRate,
  edgeState,
  formatBytes,
  formatMs,
  formatRate,
  isErrorTraffic,
  nodeName,
  refusalText,
  requestRate,
} from "../model.ts";
import type { History } from "./history.ts";
import { Copy } from "../parts/copy.tsx";
import { Lock } from "./lock.tsx";
import { Sparkline } from "./sparkline.tsx";
import { Callers, Why } from "./why.tsx";

interface EdgePanelProps {
  edge: GraphEdge;
  graph: Graph;
  history: History;
  source: WorkloadState | undefined;
  target: WorkloadState | undefined;
  durationSeconds: number;
  onSelect(id: string): void;
}

/** Everything that is known of one edge. */
export function EdgePanel({ edge, graph, history, target, durationSeconds, onSelect }: EdgePanelProps) {
  const end = (id: string) => {
    const node = graph.nodes.find((n) => n.id === id);
    return (
      <button type="button" className="link" onClick={() => onSelect(id)}>
        {node ? `${nodeName(node)}` : id}
        {node && node.namespace !== "unknown" && <small>.{node.namespace}</small>}
      </button>
    );
  };
  const [from, to] = [graph.nodes.find((n) => n.id === edge.source), graph.nodes.find((n) => n.id === edge.target)];
  const past = history.of(edge.id);
  return (
    <>
      <h2>Edge</h2>
      <dl className="ends">
        <dt>From</dt>
        <dd>{end(edge.source)}</dd>
        <dt>To</dt>
        <dd>{end(edge.target)}</dd>
      </dl>
      <Security edge={edge} target={target} />
      {from?.type === "unknown" && to && to.workload && (edge.mtls ?? 1) < 1 && <Callers target={to} seconds={Math.max(durationSeconds, 60)} />}
      {edge.refused.length > 0 && (
        <section className="notice notice-bad">
          <h3>
            <Lock kind="refused" label="Refused" /> Refused in the last {durationSeconds} s
          </h3>
          <ul>
            {edge.refused.map((r) => (
              <li key={`${r.reason}${r.port}`}>
                <strong>{Math.round(r.attempts)}×</strong> {refusalText(r.reason)} (port {r.port})
              </li>
            ))}
          </ul>
          {from && to && <Why edge={edge} source={from} target={to} />}
        </section>
      )}
      {edge.refused.length === 0 && edge.traffic.some(isDecided) && from && to && (
        <div className="notice notice-bad">
          <Why edge={edge} source={from} target={to} />
        </div>
      )}
      {edge.sourcePrincipals.length + edge.destinationPrincipals.length > 0 && (
        <section>
          <h3>Principals</h3>
          <Principals title="From" list={edge.sourcePrincipals} />
          <Principals title="To" list={edge.destinationPrincipals} />
        </section>
      )}
      {edge.traffic.length > 0 && <TrafficTable traffic={edge.traffic} />}
      {requestRate(edge) > 0 && <Sparkline label="Requests" values={past.map((p) => p.rate)} format={formatRate} />}
      {byteRate(edge) > 0 && <Sparkline label="Bytes" values={past.map((p) => p.bytes)} format={formatBytes} />}
      {edge.responseTimes.p95 !== undefined && (
        <>
          <Sparkline label="Response time, p95" values={past.flatMap((p) => p.p95 ?? [])} format={formatMs} />
          <dl className="figures">
            {(["p50", "p95", "p99"] as const).map((q) => (
              <div key={q}>
                <dt>{q}</dt>
                <dd>{edge.responseTimes[q] === undefined ? "–" : formatMs(edge.responseTimes[q])}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
    </>
  );
}

/** Errors that a policy, a route or a proxy may have decided; what an application answered by itself is told as such. */
function isDecided({ protocol, code, flags }: EdgeTraffic): boolean {
  if (protocol === "grpc") return code === "7" || code === "16" || code === "14";
  return code === "401" || code === "403" || code === "0" || Number(code) >= 500 || (protocol === "tcp" && flags !== "-");
}

function Security({ edge, target }: { edge: GraphEdge; target: WorkloadState | undefined }) {
  const percent = Math.round((edge.mtls ?? 0) * 100);
  switch (edgeState(edge)) {
    case "secure":
      return (
        <p className="security good">
          <Lock kind="closed" label="Encrypted" /> mTLS Enabled
        </p>
      );
    case "mixed":
      return (
        <p className="security warn">
          <Lock kind="open" label="Partly encrypted" /> mTLS Enabled [{percent}% of request traffic]: {100 - percent}% came in plaintext
        </p>
      );
    case "plaintext":
      return (
        <p className="security warn">
          <Lock kind="open" label="Not encrypted" /> Plaintext, let in{target ? ` (${target.workload} is ${target.mode})` : ""}
        </p>
      );
    case "refused":
      return (
        <p className="security bad">
          <Lock kind="refused" label="Refused" /> Nothing got in
        </p>
      );
    default:
      return (
        <p className="security">
          <Lock kind="partial" label="Unknown" /> The destination has no proxy that could tell
        </p>
      );
  }
}

function Principals({ title, list }: { title: string; list: string[] }) {
  return list.map((principal) => (
    <p key={principal} className="principal">
      <small>{title}</small>
      <code>{principal}</code>
      <Copy text={principal} label={`Copy ${principal}`} />
    </p>
  ));
}

function TrafficTable({ traffic }: { traffic: EdgeTraffic[] }) {
  const total = traffic.reduce((sum, t) => sum + t.rate, 0);
  return (
    <section>
      <h3>Traffic</h3>
      <table>
        <thead>
          <tr>
            <th>Protocol</th>
            <th>Code</th>
            <th>Flags</th>
            <th className="number">Rate</th>
            <th className="number">Share</th>
          </tr>
        </thead>
        <tbody>
          {traffic
            .toSorted((a, b) => b.rate - a.rate)
            .map((t) => (
              <tr key={`${t.protocol}${t.code}${t.flags}${t.host}`} className={isErrorTraffic(t) ? "bad" : undefined} title={t.host}>
                <td>{t.protocol}</td>
                <td>{t.code}</td>
                <td>
                  {t.flags === "-"
                    ? "–"
                    : t.flags.split(",").map((flag) => (
                        <abbr key={flag} title={FLAG_TEXT[flag] ?? flag}>
                          {flag}
                        </abbr>
                      ))}
                </td>
                <td className="number">{t.protocol === "tcp" ? formatBytes(t.rate) : formatRate(t.rate)}</td>
                <td className="number">{total > 0 ? `${((t.rate / total) * 100).toFixed(0)}%` : "–"}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </section>
  );
}
