/**
 * The samples behind the recorded answers: twenty minutes of scrapes each five seconds, made by a formula, with all that
 * happens to real targets: restarts, missed scrapes, series that end and come back, values that are no numbers.
 */

/** One series; a sample without a value is a stale marker, which Prometheus writes when a target no longer has a series. */
export interface RecordedSeries {
  labels: Record<string, string>;
  samples: { time: number; value: number | undefined }[];
}

/** No round second: what lies exactly on a window's edge is in or out by version. */
export const START = 1_790_000_000_137;
export const STEP_MS = 5_000;
const SCRAPES = 240;
export const END = START + SCRAPES * STEP_MS;

const edge = (from: string, to: string, more: Record<string, string> = {}): Record<string, string> => ({
  source_cluster: "Kubernetes",
  source_workload_namespace: "shop",
  source_workload: from,
  source_canonical_service: from,
  source_canonical_revision: "v1",
  source_principal: `spiffe://cluster.local/ns/shop/sa/${from}`,
  destination_cluster: "Kubernetes",
  destination_service_namespace: "shop",
  destination_service: `${to}.shop.svc.cluster.local`,
  destination_service_name: to,
  destination_workload_namespace: "shop",
  destination_workload: to,
  destination_canonical_service: to,
  destination_canonical_revision: "v1",
  destination_principal: `spiffe://cluster.local/ns/shop/sa/${to}`,
  connection_security_policy: "mutual_tls",
  request_protocol: "http",
  response_flags: "-",
  namespace: "shop",
  ...more,
});

/** All series, in a fixed order. */
export function recordedSeries(): RecordedSeries[] {
  const all: RecordedSeries[] = [];
  /** `at` gives the value of the n-th scrape, "stale", or undefined where the scrape is missing. */
  const put = (name: string, labels: Record<string, string>, at: (n: number) => number | "stale" | undefined) => {
    const samples: RecordedSeries["samples"] = [];
    for (let n = 0; n < SCRAPES; n++) {
      const value = at(n);
      if (value !== undefined) samples.push({ time: START + n * STEP_MS, value: value === "stale" ? undefined : value });
    }
    all.push({ labels: { __name__: name, ...labels }, samples });
  };
  const job = (name: string, instance: number) => ({ job: name, instance: `10.0.0.${instance}:80` });

  for (const [j, name] of ["api", "web"].entries()) {
    for (let i = 0; i < 3; i++) {
      const base = job(name, i);
      put("http_requests_total", { ...base, code: "200", method: "get" }, (n) => n * (3 + i + 2 * j));
      put("http_requests_total", { ...base, code: "404", method: "get" }, (n) => (n * (i + 1)) % 97);
      put("http_requests_total", { ...base, code: "503", method: "post" }, (n) => (n < 100 ? 2 * n : n < 170 ? n - 100 : (n - 170) * 5));
      put("idle_total", { ...base }, () => 7);
      put("up", base, (n) => (n % 50 === 49 && i === 1 ? 0 : 1));
      put("build_info", { ...base, version: `1.${i}`, revision: i === 2 ? "" : "abc" }, () => 1);
      for (const [k, le] of ["0.1", "0.5", "1", "5", "+Inf"].entries())
        put("request_duration_seconds_bucket", { ...base, le }, (n) => Math.floor(n * (1 - Math.exp(-(k + 1 + i)))));
      put("request_duration_seconds_sum", base, (n) => n * 0.37);
      put("request_duration_seconds_count", base, (n) => n);
      for (const [k, mode] of ["user", "system", "idle"].entries())
        put("cpu_seconds_total", { ...base, mode }, (n) => Number((n * (0.13 * (k + 1) + 0.01 * i)).toFixed(4)));
    }
  }
  put("missed_total", job("gaps", 0), (n) => (n >= 60 && n < 90 ? undefined : n * 4));
  put("ended_total", job("gaps", 1), (n) => (n < 150 ? n * 2 : n === 150 ? "stale" : n < 180 ? undefined : (n - 180) * 6));
  put("ended_gauge", job("gaps", 2), (n) => (n < 215 ? 40 + (n % 7) : n === 215 ? "stale" : undefined));
  put("late_total", job("gaps", 3), (n) => (n < 200 ? undefined : (n - 199) * 9));
  put("once_total", job("gaps", 4), (n) => (n === 236 ? 5 : undefined));
  put("quiet_gauge", job("gaps", 5), (n) => (n < 190 ? 3 : undefined));
  for (const [i, room] of ["kitchen", "cellar", "attic", "hall"].entries()) {
    put("temperature", { room, floor: String(i - 1) }, (n) => Number((20 - 9 * i + 5 * Math.sin(n / (8 + i))).toFixed(3)));
  }
  put("weird", { kind: "nan" }, (n) => (n % 3 === 0 ? NaN : n));
  put("weird", { kind: "inf" }, (n) => (n % 4 === 0 ? Infinity : n));
  put("weird", { kind: "neginf" }, (n) => (n % 5 === 0 ? -Infinity : -n));
  put("weird", { kind: "allnan" }, () => NaN);
  put("size", { kind: "huge" }, (n) => n * 1e21);
  put("size", { kind: "tiny" }, (n) => n * 1e-9);
  put("size", { kind: "negative" }, (n) => -n / 3);
  put("size", { kind: "zero" }, () => 0);
  put("memory_bytes", { pod: "a" }, (n) => 1e8 + 4096 * n);
  put("memory_bytes", { pod: "b" }, () => 2.5e8);
  put("memory_bytes", { pod: "c" }, (n) => 3e8 + 1e6 * Math.cos(n));
  put("text", { path: "/a b", quoted: 'say "hi"', city: "Zürich", back: "a\\b" }, () => 1);
  put("text", { path: "/api/v1/items/42", quoted: "", city: "Łódź", back: "" }, () => 2);
  put("text", { path: "/API/v2/items/7", city: "東京", back: "c" }, () => 3);
  put("odd_bucket", { shape: "no-inf", le: "1" }, (n) => n);
  put("odd_bucket", { shape: "no-inf", le: "2" }, (n) => 2 * n);
  for (const [le, factor] of [
    ["1", 3],
    ["2", 2],
    ["4", 5],
    ["+Inf", 4],
  ] as const)
    put("odd_bucket", { shape: "falling", le }, (n) => n * factor);
  for (const [le, factor] of [
    ["-5", 1],
    ["-1", 2],
    ["0", 3],
    ["+Inf", 4],
  ] as const)
    put("odd_bucket", { shape: "negative", le }, (n) => n * factor);
  for (const [le, factor] of [
    ["1", 1],
    ["1.0", 1],
    ["bad", 9],
    ["+Inf", 4],
  ] as const)
    put("odd_bucket", { shape: "double", le }, (n) => n * factor);
  put("odd_bucket", { shape: "empty", le: "1" }, () => 0);
  put("odd_bucket", { shape: "empty", le: "+Inf" }, () => 0);
  put("odd_bucket", { shape: "alone", le: "+Inf" }, (n) => n);

  const pairs = [
    ["web", "catalog"],
    ["web", "orders"],
    ["orders", "payments"],
    ["payments", "web"],
  ] as const;
  for (const [e, [from, to]] of pairs.entries()) {
    for (const reporter of ["source", "destination"]) {
      const labels = {
        ...edge(from, to),
        reporter,
        app: reporter === "source" ? from : to,
        version: "v1",
        service_istio_io_canonical_name: to,
        service_istio_io_canonical_revision: "v1",
        pod: `${reporter === "source" ? from : to}-0`,
      };
      for (const [code, rate, grpc] of [
        ["200", 9, ""],
        ["503", 1, ""],
        ["0", 1, "14"],
        ["200", 2, "5"],
      ] as const)
        put(
          "istio_requests_total",
          { ...labels, response_code: code, grpc_response_status: grpc, request_protocol: grpc ? "grpc" : "http" },
          (n) => n * (rate + e),
        );
      for (const histogram of ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"]) {
        for (const [le, share] of [
          ["1", 0.2],
          ["5", 0.6],
          ["10", 0.9],
          ["+Inf", 1],
        ] as const)
          put(`${histogram}_bucket`, { ...labels, le }, (n) => Math.floor(n * (10 + e) * share));
        put(`${histogram}_sum`, labels, (n) => n * (40 + e));
        put(`${histogram}_count`, labels, (n) => n * (10 + e));
      }
      for (const counter of [
        "istio_tcp_sent_bytes_total",
        "istio_tcp_received_bytes_total",
        "istio_tcp_connections_opened_total",
        "istio_tcp_connections_closed_total",
        "istio_request_messages_total",
        "istio_response_messages_total",
      ])
        put(counter, labels, (n) => n * (100 + e));
    }
  }
  put(
    "istio_requests_total",
    {
      ...edge("web", "nowhere"),
      reporter: "source",
      destination_workload: "unknown",
      destination_workload_namespace: "unknown",
      destination_service: "nowhere.shop.svc.cluster.local",
      response_code: "503",
      grpc_response_status: "",
      response_flags: "UH",
      app: "web",
      pod: "web-0",
    },
    (n) => n,
  );
  put(
    "istio_requests_total",
    {
      ...edge("legacy", "web"),
      reporter: "destination",
      source_workload_namespace: "bank",
      source_principal: "unknown",
      connection_security_policy: "none",
      response_code: "200",
      grpc_response_status: "",
      app: "web",
      pod: "web-0",
    },
    (n) => 2 * n,
  );
  const istiod = {
    pod: "istiod-556dbdc76-xf5zb",
    namespace: "shop",
    app: "istiod",
    app_kubernetes_io_name: "istiod",
    app_kubernetes_io_version: "1.0.0",
    service_istio_io_canonical_name: "istiod",
    service_istio_io_canonical_revision: "1.0.0",
  };
  put("process_cpu_seconds_total", istiod, (n) => n * 0.05);
  put("process_resident_memory_bytes", istiod, (n) => 9e7 + n * 100);
  put("container_cpu_usage_seconds_total", istiod, (n) => n * 0.06);
  put("container_memory_working_set_bytes", istiod, () => 9.5e7);
  put("pilot_proxy_convergence_time_sum", istiod, (n) => n * 0.002);
  put("pilot_proxy_convergence_time_count", istiod, (n) => n);
  return all;
}
