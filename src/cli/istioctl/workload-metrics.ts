import { Command } from "commander";
import { ChainmailError } from "../../base/index.ts";
import { PODS } from "../../kube/index.ts";
import { goDuration, parseGoDuration } from "./format/go-duration.ts";
import { globalsOf, withGlobals } from "./globals.ts";
import { openKube, type KubeAccess, type PodRef } from "./kube-access.ts";
import { withHelp } from "./line/index.ts";
import { list, object, text, type Json } from "./proxy-config/dump.ts";

const PROMETHEUS_PORT = 9090;
const QUANTILES = [0.5, 0.9, 0.99];
/** Istio's columns: at least so wide, two spaces between them, the first one wider. */
const COLUMN = 13;
const GAP = 2;
const WORKLOAD_COLUMN = 40;

/** `istioctl experimental metrics`: what a workload is asked, by itself and not by its clients. */
export function metricsCommand(): Command {
  const command = withGlobals(new Command("metrics"))
    .alias("m")
    .summary("Prints the metrics for the specified workload(s) when running in Kubernetes")
    .description("Requests and errors a second, and latencies, of workloads as they count them themselves, from the metrics store of the mesh.")
    .argument("[workload...]", "name of a workload, or its beginning, with .namespace behind it where others have the same")
    .option("-d, --duration <duration>", "how far back rates and latencies look", "1m0s");
  command.action(async (workloads: string[], { duration }: { duration: string }) => {
    if (workloads.length === 0) {
      command.outputHelp();
      throw new ChainmailError("USAGE", "metrics requires workload name");
    }
    await workloadMetrics(
      await openKube(globalsOf(command)),
      workloads,
      parseGoDuration(duration, "-d, --duration"),
      (line) => void process.stdout.write(line),
    );
  });
  return withHelp(command, {
    noFlags: true,
    use: "<workload name>...",
    example: "  istioctl experimental metrics productpage-v1\n  istioctl experimental metrics productpage-v1.foo -d 2m",
  });
}

/** A line for each workload, as it is known. */
export async function workloadMetrics(kube: KubeAccess, workloads: readonly string[], durationMs: number, write: (line: string) => void): Promise<void> {
  const { items } = await kube.client.list(PODS, { namespace: kube.istioNamespace, labelSelector: "app.kubernetes.io/name=prometheus" });
  const [pod] = items;
  if (!pod) throw new ChainmailError("NO_PROMETHEUS", "no Prometheus pods found", { hint: "istioctl install --set values.prometheus.enabled=true" });
  const prometheus: PodRef = { name: pod.metadata.name, namespace: kube.istioNamespace };
  write(row("WORKLOAD", ["TOTAL RPS", "ERROR RPS", "P50 LATENCY", "P90 LATENCY", "P99 LATENCY"]));
  for (const workload of workloads) {
    const [rates, latencies] = queriesOf(workload, goDuration(durationMs));
    const values = (queries: readonly string[]): Promise<number[]> => Promise.all(queries.map((query) => valueOf(kube, prometheus, query, workload)));
    write(row(workload, [...(await values(rates)).map((rate) => rate.toFixed(3)), ...(await values(latencies)).map(latencyText)]));
  }
}

/** Rates of all requests and of errors, and latencies by quantile. */
function queriesOf(workload: string, duration: string): [rates: string[], latencies: string[]] {
  const [name = "", namespace = ""] = workload.split(".").map((part) => part.replaceAll(/["\\]/g, "\\$&"));
  const from = `destination_workload=~"${name}.*", destination_workload_namespace=~"${namespace}.*",reporter="destination"`;
  return [
    [`sum(rate(istio_requests_total{${from}}[${duration}]))`, `sum(rate(istio_requests_total{${from},response_code=~"[45][0-9]{2}"}[${duration}]))`],
    QUANTILES.map(
      (quantile) => `histogram_quantile(${quantile.toFixed(6)}, sum(rate(istio_request_duration_milliseconds_bucket{${from}}[${duration}])) by (le))`,
    ),
  ];
}

/** What is not known counts as none. */
async function valueOf(kube: KubeAccess, pod: PodRef, query: string, workload: string): Promise<number> {
  const { body } = await kube.request(pod, PROMETHEUS_PORT, "GET", `/api/v1/query?query=${encodeURIComponent(query)}`);
  const answer = JSON.parse(body) as Json;
  if (answer.status !== "success") throw new ChainmailError("METRICS_FAILED", `could not build metrics for workload '${workload}': ${text(answer.error)}`);
  const [first] = list(object(answer.data).result);
  const value = Array.isArray(first?.value) ? Number(first.value[1]) : 0;
  return Number.isFinite(value) ? value : 0;
}

/** Whole milliseconds, as Go prints a duration. */
function latencyText(milliseconds: number): string {
  const whole = Math.trunc(milliseconds);
  return whole === 0 || whole >= 1000 ? goDuration(whole) : `${whole}ms`;
}

function row(workload: string, cells: readonly string[]): string {
  const first = workload.padStart(WORKLOAD_COLUMN);
  return `${[first.padStart(Math.max(first.length + GAP, COLUMN)), ...cells.map((cell) => cell.padStart(Math.max(cell.length + GAP, COLUMN)))].join("")}\n`;
}
