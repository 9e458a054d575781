import { expect, test } from "bun:test";
import { configTable } from "./config-list.ts";
import type { KubeAccess } from "./kube-access.ts";
import { workloadMetrics } from "./workload-metrics.ts";

function mesh(values: Record<string, string>, pods = 1): { kube: KubeAccess; asked: string[] } {
  const asked: string[] = [];
  const kube = {
    istioNamespace: "istio-system",
    client: { list: () => Promise.resolve({ items: Array.from({ length: pods }, () => ({ metadata: { name: "prometheus-1" } })) }) },
    request: (_pod: unknown, _port: number, _method: string, path: string) => {
      const query = decodeURIComponent(path.slice(path.indexOf("=") + 1));
      asked.push(query);
      const value = Object.entries(values).find(([part]) => query.includes(part))?.[1];
      return Promise.resolve({
        status: 200,
        body: JSON.stringify({ status: "success", data: { resultType: "vector", result: value === undefined ? [] : [{ metric: {}, value: [0, value] }] } }),
      });
    },
  } as unknown as KubeAccess;
  return { kube, asked };
}

test("a workload's rates and latencies, in Istio's columns", async () => {
  const { kube, asked } = mesh({ response_code: "0.25", "sum(rate(istio_requests_total": "12.5", "0.500000": "4.9", "0.900000": "1500", "0.990000": "NaN" });
  let out = "";
  await workloadMetrics(kube, ["web-api.shop"], 120_000, (line) => (out += line));
  expect(out).toBe(
    `${"WORKLOAD".padStart(42)}    TOTAL RPS    ERROR RPS  P50 LATENCY  P90 LATENCY  P99 LATENCY\n${"web-api.shop".padStart(42)}${"12.500".padStart(13)}${"0.250".padStart(13)}${"4ms".padStart(13)}${"1.5s".padStart(13)}${"0s".padStart(13)}\n`,
  );
  expect(asked[0]).toBe(
    'sum(rate(istio_requests_total{destination_workload=~"web-api.*", destination_workload_namespace=~"shop.*",reporter="destination"}[2m0s]))',
  );
});

test("without a metrics store there is nothing to ask", () => {
  expect(workloadMetrics(mesh({}, 0).kube, ["a"], 60_000, () => {})).rejects.toThrow("no Prometheus pods found");
});

test("the defaults of istioctl, and what the environment makes of them", () => {
  expect(configTable({ ISTIOCTL_XDS_PORT: "99" })).toBe(
    "FLAG                    VALUE            FROM\nauthority                                default\ncert-dir                                 default\ninsecure                                 default\nistioNamespace          istio-system     default\nplaintext                                default\nprefer-experimental                      default\nxds-address                              default\nxds-port                99               $ISTIOCTL_XDS_PORT\n",
  );
});
