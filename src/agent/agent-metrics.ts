import type { RelayCounts } from "./envoy/xds-relay.ts";
import type { WorkloadIdentity } from "./identity/workload-identity.ts";
import { WORKLOAD_SECRET } from "./identity/workload-identity.ts";

/** The agent's own metrics under Istio's names, in Prometheus' text format. */
export function agentMetrics(identity: WorkloadIdentity, startup: { readonly durationMs: number | undefined }, now: number, relay?: RelayCounts): string {
  const lines: string[] = [];
  const metric = (name: string, kind: "counter" | "gauge", help: string, samples: readonly (readonly [labels: string, value: number])[]): void => {
    if (samples.length === 0) return;
    lines.push(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`, ...samples.map(([labels, value]) => `${name}${labels} ${value}\n`));
  };
  const { expires, requests } = identity;
  const resource = `{resource_name="${WORKLOAD_SECRET}"}`;
  metric(
    "istio_agent_cert_expiry_seconds",
    "gauge",
    "Seconds until the workload's certificate ends.",
    expires === undefined ? [] : [[resource, (expires - now) / 1000]],
  );
  metric("istio_agent_num_outgoing_requests", "counter", "Requests to the certificate authority.", [['{request_type="csr"}', requests.sent]]);
  metric("istio_agent_num_failed_outgoing_requests", "counter", "Requests to the certificate authority that failed.", [
    ['{request_type="csr"}', requests.failed],
  ]);
  metric(
    "istio_agent_startup_duration_seconds",
    "gauge",
    "Time from the agent's start to readiness.",
    startup.durationMs === undefined ? [] : [["", startup.durationMs / 1000]],
  );
  if (relay) {
    metric("istio_agent_xds_proxy_requests", "counter", "Requests of Envoy that were passed on to the control plane.", [["", relay.requests]]);
    metric("istio_agent_xds_proxy_responses", "counter", "Answers of the control plane.", [["", relay.responses]]);
    metric("istio_agent_istiod_connection_failures", "counter", "Connections to the control plane that failed.", [["", relay.connectionFailures]]);
    metric("istio_agent_istiod_connection_terminations", "counter", "Streams that the control plane ended.", [["", relay.terminations]]);
  }
  metric("istio_agent_process_resident_memory_bytes", "gauge", "Resident memory.", [["", process.memoryUsage().rss]]);
  return lines.join("");
}
