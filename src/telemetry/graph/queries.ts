/** The labels that tell one edge from another: Kiali's thirteen. */
export const EDGE_LABELS = [
  "source_cluster",
  "source_workload_namespace",
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "destination_cluster",
  "destination_service_namespace",
  "destination_service",
  "destination_service_name",
  "destination_workload_namespace",
  "destination_workload",
  "destination_canonical_service",
  "destination_canonical_revision",
] as const;

const RESPONSE = ["request_protocol", "response_code", "grpc_response_status", "response_flags"];
const SECURITY = ["source_principal", "destination_principal", "connection_security_policy"];

/** One PromQL query of a graph. */
export interface GraphQuery {
  name: "http-destination" | "http-source" | "tcp-destination" | "tcp-source" | "refused" | "plaintext" | "p50" | "p95" | "p99" | "bytes";
  query: string;
}

/**
 * The queries whose answers make the graph of `namespaces` over the last `seconds`. Destinations report what reached
 * them, with identities; sources report what did not (no destination proxy, or a failure before it).
 */
export function graphQueries(namespaces: string[], seconds: number, options: { responseTimes?: boolean; throughput?: boolean } = {}): GraphQuery[] {
  const anyOf = namespaces.map(escape).join("|");
  const range = `[${seconds}s]`;
  const touches = (reporter: string) => [
    `reporter="${reporter}",destination_workload_namespace=~"${anyOf}"`,
    `reporter="${reporter}",source_workload_namespace=~"${anyOf}",destination_workload_namespace!~"${anyOf}"`,
  ];
  const sourceOf = [
    `reporter="source",source_workload_namespace=~"${anyOf}"`,
    `reporter="source",source_workload_namespace!~"${anyOf}",destination_service_namespace=~"${anyOf}"`,
  ];
  const either = (metric: string, selectors: string[], labels: readonly string[]) =>
    selectors.map((selector) => `sum(rate(${metric}{${selector}} ${range})) by (${labels.join(",")}) > 0`).join(" or ");
  const queries: GraphQuery[] = [
    { name: "http-destination", query: either("istio_requests_total", touches("destination"), [...EDGE_LABELS, ...RESPONSE, ...SECURITY]) },
    { name: "http-source", query: either("istio_requests_total", sourceOf, [...EDGE_LABELS, ...RESPONSE]) },
    { name: "tcp-destination", query: either("istio_tcp_sent_bytes_total", touches("destination"), [...EDGE_LABELS, "response_flags", ...SECURITY]) },
    { name: "tcp-source", query: either("istio_tcp_sent_bytes_total", sourceOf, [...EDGE_LABELS, "response_flags"]) },
    {
      name: "plaintext",
      query: `sum(increase(chainmail_plaintext_connections_total${range})) by (namespace,pod,source_ip) > 0 or sum(chainmail_plaintext_connections_active) by (namespace,pod,source_ip) > 0`,
    },
    { name: "refused", query: `sum(increase(chainmail_refused_connections_total${range})) by (namespace,pod,source_ip,destination_port,reason) > 0` },
  ];
  if (options.responseTimes) {
    for (const [name, q] of [
      ["p50", 0.5],
      ["p95", 0.95],
      ["p99", 0.99],
    ] as const) {
      const buckets = touches("destination").map(
        (selector) => `sum(rate(istio_request_duration_milliseconds_bucket{${selector}} ${range})) by (le,${EDGE_LABELS.join(",")})`,
      );
      queries.push({ name, query: buckets.map((bucket) => `histogram_quantile(${q}, ${bucket}) > 0`).join(" or ") });
    }
  }
  if (options.throughput) queries.push({ name: "bytes", query: either("istio_response_bytes_sum", touches("destination"), EDGE_LABELS) });
  return queries;
}

/** A namespace as text inside a quoted regular expression. */
function escape(text: string): string {
  return text.replace(/[^a-zA-Z0-9_-]/g, "\\\\$&");
}
