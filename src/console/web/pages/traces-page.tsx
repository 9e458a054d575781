import { useEffect, useState } from "react";
import type { TraceRow } from "../../api/trace-routes.ts";
import { useWatch } from "../live.ts";
import { Link, navigate, useRoute } from "../navigation.tsx";
import { State } from "../parts/badges.tsx";
import { Select } from "../parts/controls.tsx";
import { Empty, Loading, Problem } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { serviceColour } from "../traces/colours.ts";
import { durationText } from "../traces/waterfall.ts";

const LOOKBACK: Record<string, string> = { "300": "5 minutes", "900": "15 minutes", "3600": "1 hour", "21600": "6 hours", "86400": "1 day" };
const SLOW: Record<string, string> = { "": "any", "10ms": "10 ms", "100ms": "100 ms", "1s": "1 s" };
/** A search begins when the typing pauses. */
const TYPING_MS = 300;

/** All traces of the mesh, found by who took part, what was done, how long it took and whether it failed. */
export function TracesPage() {
  const services = useWatch<{ services: string[] }>("/traces/services");
  const { query } = useRoute();
  const service = query.get("service") ?? "";
  const set = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    if (value) next.set(name, value);
    else next.delete(name);
    navigate(`/traces?${next}`, { replace: true });
  };
  const known = services.data?.services ?? [];
  return (
    <div className="page">
      <h1>Traces</h1>
      <Problem of={services} />
      <TraceSearch
        service={service}
        extra={
          <Select
            label="Service"
            value={service}
            options={{ "": "all", ...Object.fromEntries([...new Set([...known, ...(service ? [service] : [])])].map((name) => [name, name])) }}
            onChange={(value) => set("service", value)}
          />
        }
      />
    </div>
  );
}

/** A search with its results, which come as they happen. Without a service it looks at all. */
export function TraceSearch({ service, extra }: { service: string; extra?: React.ReactNode }) {
  const [lookback, setLookback] = useState("3600");
  const [slow, setSlow] = useState("");
  const [failed, setFailed] = useState(false);
  const [tags, setTags] = useState("");
  const settled = useSettled(tags);
  const asked = new URLSearchParams({ lookback, limit: "100", ...(service && { service }), ...(slow && { minDuration: slow }) });
  const words = [settled.trim(), failed ? "error=true" : ""].filter(Boolean).join(" ");
  if (words) asked.set("tags", words);
  const answer = useWatch<{ traces: TraceRow[] }>(`/traces?${asked}`);
  const rows = answer.data?.traces;
  const longest = Math.max(1, ...(rows ?? []).map(({ duration }) => duration));
  const narrowed = slow !== "" || words !== "";
  return (
    <>
      <div className="table-tools">
        {extra}
        <Select label="Of the last" value={lookback} options={LOOKBACK} onChange={setLookback} />
        <Select label="Took at least" value={slow} options={SLOW} onChange={setSlow} />
        <label className="search">
          <span>Tags</span>
          <input type="search" value={tags} placeholder="http.status_code=503" onChange={(event) => setTags(event.target.value)} />
        </label>
        <label className="toggle">
          <input type="checkbox" checked={failed} onChange={(event) => setFailed(event.target.checked)} /> failed only
        </label>
      </div>
      <Problem of={answer} />
      {!rows ? (
        !answer.problem && <Loading what="traces" />
      ) : rows.length === 0 && !narrowed ? (
        <NoTraces />
      ) : (
        <Table columns={columns(longest)} rows={rows} rowKey={(row) => row.traceId} label="Traces" empty="No trace fits what is asked for." />
      )}
    </>
  );
}

function columns(longest: number): Column<TraceRow>[] {
  return [
    {
      title: "Begun",
      value: ({ start }) => start,
      cell: ({ start }) => (
        <time dateTime={new Date(start / 1_000).toISOString()}>{new Date(start / 1_000).toLocaleTimeString(undefined, { hour12: false })}</time>
      ),
    },
    {
      title: "What",
      value: ({ operation }) => operation,
      cell: ({ traceId, operation, failed }) => (
        <>
          <Link to={`/traces/${traceId}`} className="link">
            {operation || traceId.slice(0, 8)}
          </Link>
          {failed > 0 && (
            <>
              {" "}
              <State good={false}>{`${failed} failed`}</State>
            </>
          )}
        </>
      ),
    },
    {
      title: "Took",
      number: true,
      value: ({ duration }) => duration,
      cell: ({ duration, failed }) => (
        <span className="trace-took">
          <span
            className={failed > 0 ? "trace-meter trace-meter-failed" : "trace-meter"}
            style={{ inlineSize: `${Math.max(2, (100 * duration) / longest)}%` }}
          />
          <span>{durationText(duration)}</span>
        </span>
      ),
    },
    { title: "Spans", number: true, value: ({ spans }) => spans, cell: ({ spans }) => spans },
    {
      title: "Who took part",
      value: ({ services }) => services.map(({ name }) => name).join(" "),
      cell: ({ services }) => (
        <span className="trace-services">
          {services.map(({ name, spans, failed }) => (
            <span key={name} className={failed ? "trace-service trace-service-failed" : "trace-service"} style={{ borderColor: serviceColour(name) }}>
              {name} <small>{spans}</small>
            </span>
          ))}
        </span>
      ),
    },
  ];
}

function NoTraces() {
  return (
    <Empty title="No traces yet">
      <p>Proxies send spans of the requests that are sampled. To have all of them:</p>
      <pre className="code">{TELEMETRY}</pre>
      <p>
        Applications make one trace of their calls by handing on the headers <code>traceparent</code> and <code>tracestate</code>, or <code>b3</code>.
      </p>
    </Empty>
  );
}

const TELEMETRY = `kubectl apply -f - <<EOF
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata:
  name: traces
  namespace: istio-system
spec:
  tracing:
  - providers:
    - name: jaeger
    randomSamplingPercentage: 100
EOF`;

function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
