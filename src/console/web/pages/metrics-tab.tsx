import type { Chart } from "../../api/metrics-routes.ts";
import { useStored, useWatch } from "../live.ts";
import { formatBytes, formatMs, formatRate } from "../model.ts";
import { Select } from "../parts/controls.tsx";
import { type Line, Plot } from "../parts/plot.tsx";
import { Empty, Loading, Problem } from "../parts/states.tsx";

/** The time shown and the step of its points, in seconds. */
const RANGES: Record<string, [label: string, step: number]> = {
  "300": ["5 minutes", 2],
  "1800": ["30 minutes", 10],
  "10800": ["3 hours", 60],
  "43200": ["12 hours", 240],
};

/** Plots of what came in or went out. */
export function MetricsTab({ namespace, kind, name }: { namespace: string; kind: "workloads" | "services" | "apps"; name: string }) {
  const [stored, setRange] = useStored("metrics.range", "300");
  const range = stored in RANGES ? stored : "300";
  const [direction, setDirection] = useStored("metrics.direction", "inbound");
  const [by, setBy] = useStored("metrics.by", "");
  const [, step] = RANGES[range]!;
  const query = new URLSearchParams({
    duration: range,
    step: String(step),
    rateInterval: `${Math.max(step * 2, 30)}s`,
    direction: kind === "services" ? "inbound" : direction,
  });
  for (const q of ["0.5", "0.95", "0.99"]) query.append("quantiles[]", q);
  const remote = query.get("direction") === "inbound" ? "source" : "destination";
  for (const label of {
    "": [],
    remote: [`${remote}_workload`, `${remote}_workload_namespace`],
    code: ["response_code"],
    policy: ["connection_security_policy"],
  }[by] ?? [])
    query.append("byLabels[]", label);
  const answer = useWatch<{ charts: Chart[] }>(`/namespaces/${encodeURIComponent(namespace)}/${kind}/${encodeURIComponent(name)}/dashboard?${query}`);
  const end = Math.floor((answer.time || Date.now()) / 1000);
  const charts = answer.data?.charts.filter(({ metrics }) => metrics.some(({ datapoints }) => datapoints.length > 0)) ?? [];
  return (
    <>
      <div className="table-tools">
        {kind !== "services" && <Select label="Traffic" value={direction} options={{ inbound: "Inbound", outbound: "Outbound" }} onChange={setDirection} />}
        <Select label="Last" value={range} options={Object.fromEntries(Object.entries(RANGES).map(([key, [text]]) => [key, text]))} onChange={setRange} />
        <Select
          label="By"
          value={by}
          options={{ "": "all together", remote: remote === "source" ? "caller" : "called", code: "response code", policy: "security" }}
          onChange={setBy}
        />
      </div>
      <Problem of={answer} />
      {!answer.data && !answer.problem && <Loading what="the metrics" />}
      {answer.data && charts.length === 0 && (
        <Empty title="No metrics in this time">
          <p>Plots appear with the first request. A workload without a sidecar has none.</p>
        </Empty>
      )}
      <div className="plots">
        {charts.map((chart) => (
          <Plot
            key={chart.name}
            title={`${chart.name}${unitText(chart.unit)}`}
            lines={linesOf(chart)}
            format={formatter(chart.unit)}
            start={end - Number(range)}
            end={end}
          />
        ))}
      </div>
    </>
  );
}

function linesOf({ metrics }: Chart): Line[] {
  return metrics.map(({ labels, stat, datapoints }) => ({
    name: [...Object.values(labels), stat && (stat === "avg" ? "average" : `p${Number(stat) * 100}`)].filter(Boolean).join(" ") || "all",
    points: datapoints.map(([time, value]): [number, number] => [time, Number(value)]),
  }));
}

function unitText(unit: string): string {
  return unit === "msg/s" ? ", messages a second" : unit === "conn/s" ? ", connections a second" : "";
}

function formatter(unit: string): (value: number) => string {
  switch (unit) {
    case "ops":
      return formatRate;
    case "milliseconds":
      return formatMs;
    case "bytes/s":
      return formatBytes;
    case "bytes":
      return (value) => formatBytes(value).replace("/s", "");
    default:
      return (value) => value.toFixed(value >= 10 ? 0 : 2);
  }
}
