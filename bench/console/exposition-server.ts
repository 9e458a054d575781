/** A mesh's worth of proxies to scrape: /w/N is the metrics of the N-th workload. Arguments: how many. Prints its port. */
const WORKLOADS = Number(process.argv[2]);
/** Who a workload calls: so many others. */
const CALLS = 2;
/** Istio's buckets of request durations. */
const BUCKETS = [
  "0.5",
  "1",
  "5",
  "10",
  "25",
  "50",
  "100",
  "250",
  "500",
  "1000",
  "2500",
  "5000",
  "10000",
  "30000",
  "60000",
  "300000",
  "600000",
  "1800000",
  "3600000",
  "+Inf",
];
const NAMESPACE = "shop";

const started = Date.now();
/** The text before each value; all counters count at the same pace. */
const lines = Array.from({ length: WORKLOADS }, (_, n) => templates(n));

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const found = lines[Number(/\/w\/(\d+)$/.exec(request.url)?.[1])];
    if (!found) return new Response("", { status: 404 });
    const count = Math.floor((Date.now() - started) / 100);
    return new Response(found.map(([text, share]) => `${text} ${Math.floor(count * share)}\n`).join(""), {
      headers: { "content-type": "text/plain; version=0.0.4" },
    });
  },
});
console.log(server.port);

function templates(n: number): [text: string, share: number][] {
  const edges = Array.from({ length: CALLS }, (_, i): ["source" | "destination", number, number][] => [
    ["source", n, (n + i + 1) % WORKLOADS],
    ["destination", (n + WORKLOADS - i - 1) % WORKLOADS, n],
  ]).flat();
  const help = (name: string, type: string): [string, number][] => [[`# HELP ${name} Of a mesh.\n# TYPE ${name} ${type}\nbench_up`, 1]];
  return [
    ...help("istio_requests_total", "counter"),
    ...edges.map(([reporter, from, to]): [string, number] => [
      `istio_requests_total{${labels(reporter, from, to)},response_code="200",grpc_response_status=""}`,
      1,
    ]),
    ...help("istio_request_duration_milliseconds", "histogram"),
    ...edges.flatMap(([reporter, from, to]): [string, number][] => [
      ...BUCKETS.map((le, i): [string, number] => [
        `istio_request_duration_milliseconds_bucket{${labels(reporter, from, to)},le="${le}"}`,
        1 - Math.exp(-(i + 1) / 2),
      ]),
      [`istio_request_duration_milliseconds_sum{${labels(reporter, from, to)}}`, 12],
      [`istio_request_duration_milliseconds_count{${labels(reporter, from, to)}}`, 1],
    ]),
  ];
}

function labels(reporter: string, from: number, to: number): string {
  const ends = (side: string, n: number) =>
    `${side}_cluster="Kubernetes",${side}_workload_namespace="${NAMESPACE}",${side}_workload="workload-${n}",${side}_canonical_service="workload-${n}",${side}_canonical_revision="v1",${side}_app="workload-${n}",${side}_version="v1",${side}_principal="spiffe://cluster.local/ns/${NAMESPACE}/sa/workload-${n}"`;
  return `reporter="${reporter}",${ends("source", from)},${ends("destination", to)},destination_service="workload-${to}.${NAMESPACE}.svc.cluster.local",destination_service_name="workload-${to}",destination_service_namespace="${NAMESPACE}",request_protocol="http",response_flags="-",connection_security_policy="${reporter === "destination" ? "mutual_tls" : "unknown"}"`;
}
