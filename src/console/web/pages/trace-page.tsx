import { useMemo, useState } from "react";
import type { JaegerTrace } from "../../../telemetry/index.ts";
import { useWatch } from "../live.ts";
import { Link, useRoute } from "../navigation.tsx";
import { State } from "../parts/badges.tsx";
import { Empty, Loading, Problem } from "../parts/states.tsx";
import { serviceColour } from "../traces/colours.ts";
import { type WaterfallRow, durationText, ticks, waterfall } from "../traces/waterfall.ts";
import { Crumbs } from "./workload-page.tsx";

/** Tags that say at a glance what a span was. */
const SHORT_TAGS = ["http.method", "http.status_code", "response_flags", "grpc.status_code"];

/** One request's way through the mesh: who called whom, and what took the time. */
export function TracePage() {
  const { parts } = useRoute();
  const id = parts[1] ?? "";
  const answer = useWatch<{ data: JaegerTrace }>(`/traces/${encodeURIComponent(id)}`);
  const trace = answer.data?.data;
  const drawn = useMemo(() => trace && waterfall(trace), [trace]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [open, setOpen] = useState<string>();
  if (!drawn) {
    if (!answer.problem) return <Loading what="the trace" />;
    return (
      <Empty title="This trace cannot be shown">
        <p>{answer.problem.message}</p>
        <p>
          <Link to="/traces" className="link">
            All traces
          </Link>
        </p>
      </Empty>
    );
  }
  const shown = visible(drawn.rows, folded);
  const failed = drawn.rows.filter((row) => row.failed).length;
  const toggle = (spanId: string) => setFolded((now) => (now.has(spanId) ? new Set([...now].filter((key) => key !== spanId)) : new Set([...now, spanId])));
  return (
    <div className="page">
      <Crumbs steps={[["Traces", "/traces"]]} />
      <h1>
        {drawn.rows[0]?.span.operationName} {failed > 0 && <State good={false}>{`${failed} failed`}</State>}
      </h1>
      <Problem of={answer} />
      <p className="muted">
        {durationText(drawn.duration)}, {drawn.rows.length} spans of {drawn.services.length} services, begun {new Date(drawn.start / 1_000).toLocaleString()},{" "}
        <code>{id}</code>
      </p>
      <div className="waterfall" role="table" aria-label="Spans of the trace">
        <div className="waterfall-row waterfall-scale" role="row">
          <span role="columnheader">Service and operation</span>
          <span role="columnheader" className="waterfall-ruler" aria-label="Time">
            {ticks(drawn.duration).map((tick) => (
              <span key={tick} style={{ insetInlineStart: `${(100 * tick) / drawn.duration}%` }}>
                {durationText(tick)}
              </span>
            ))}
          </span>
        </div>
        {shown.map((row) => (
          <Span
            key={`${row.span.spanID}${row.service}${row.span.startTime}`}
            row={row}
            folded={folded.has(row.span.spanID)}
            onFold={() => toggle(row.span.spanID)}
            open={open === row.span.spanID}
            onOpen={() => setOpen(open === row.span.spanID ? undefined : row.span.spanID)}
          />
        ))}
      </div>
    </div>
  );
}

function Span({ row, folded, onFold, open, onOpen }: { row: WaterfallRow; folded: boolean; onFold(): void; open: boolean; onOpen(): void }) {
  const { span, service, depth, children, failed, left, width, own } = row;
  const short = SHORT_TAGS.flatMap((key) =>
    span.tags.filter((tag) => tag.key === key && tag.value !== "-" && tag.value !== "").map(({ value }) => String(value)),
  );
  return (
    <>
      <div className={failed ? "waterfall-row waterfall-failed" : "waterfall-row"} role="row">
        <span role="cell" className="waterfall-name" style={{ paddingInlineStart: `${depth * 1.1}rem` }}>
          {children > 0 ? (
            <button
              type="button"
              className="waterfall-fold"
              aria-expanded={!folded}
              aria-label={`${children} ${children === 1 ? "call" : "calls"} of ${service}`}
              onClick={onFold}
            >
              {folded ? "▸" : "▾"}
            </button>
          ) : (
            <span className="waterfall-fold" />
          )}
          <button type="button" className="waterfall-title" aria-expanded={open} onClick={onOpen}>
            <strong style={{ borderColor: serviceColour(service) }}>{service}</strong> <span>{span.operationName}</span>
          </button>
        </span>
        <span role="cell" className="waterfall-time">
          <span
            className="waterfall-bar"
            style={{ insetInlineStart: `${100 * left}%`, inlineSize: `max(3px, ${100 * width}%)`, background: failed ? undefined : serviceColour(service) }}
          />
          <span className="waterfall-text" style={{ insetInlineStart: `calc(${100 * (left + width)}% + .4rem)` }}>
            {durationText(span.duration)} <small>{short.join(" ")}</small>
          </span>
        </span>
      </div>
      {open && (
        <div className="waterfall-detail" role="row">
          <dl className="facts wide" role="cell">
            <dt>kind</dt>
            <dd>{String(span.tags.find(({ key }) => key === "span.kind")?.value ?? "unspecified")}</dd>
            <dt>took</dt>
            <dd>
              {durationText(span.duration)}, {durationText(own)} of it without a call of its own
            </dd>
            {span.tags
              .filter(({ key }) => key !== "span.kind")
              .map(({ key, value }, i) => [
                <dt key={`${key}${i}`}>{key}</dt>,
                <dd key={`${key}${i}v`}>
                  <code>{String(value)}</code>
                </dd>,
              ])}
            {span.logs.map(({ timestamp, fields }, i) => [
              <dt key={`log${i}`}>+{durationText(timestamp - span.startTime)}</dt>,
              <dd key={`log${i}v`}>
                <code>{fields.map(({ key, value }) => `${key}=${value}`).join(" ")}</code>
              </dd>,
            ])}
          </dl>
        </div>
      )}
    </>
  );
}

/** Rows that are not below a folded one. */
function visible(rows: readonly WaterfallRow[], folded: ReadonlySet<string>): WaterfallRow[] {
  const shown: WaterfallRow[] = [];
  let below = Number.POSITIVE_INFINITY;
  for (const row of rows) {
    if (row.depth > below) continue;
    below = folded.has(row.span.spanID) ? row.depth : Number.POSITIVE_INFINITY;
    shown.push(row);
  }
  return shown;
}
