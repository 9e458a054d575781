import type { CircuitBreakerThresholds, ClusterSnapshot, HostSnapshot } from "../types.ts";

/** /clusters as Envoy's text: one `::`-separated fact a line. */
export function clustersText(clusters: readonly ClusterSnapshot[]): string {
  let text = "";
  for (const cluster of clusters) {
    const line = (...parts: (string | number | boolean)[]): void => void (text += `${cluster.name}::${parts.join("::")}\n`);
    line("observability_name", cluster.observabilityName);
    for (const [priority, limits] of [
      ["default_priority", cluster.circuitBreakers.default],
      ["high_priority", cluster.circuitBreakers.high],
    ] as const) {
      line(priority, "max_connections", limits.maxConnections);
      line(priority, "max_pending_requests", limits.maxPendingRequests);
      line(priority, "max_requests", limits.maxRequests);
      line(priority, "max_retries", limits.maxRetries);
    }
    line("added_via_api", cluster.addedViaApi);
    if (cluster.edsServiceName) line("eds_service_name", cluster.edsServiceName);
    for (const host of cluster.hosts) {
      const { stats, locality } = host;
      const facts: [string, string | number | boolean][] = [
        ["cx_active", stats.cxActive],
        ["cx_connect_fail", stats.cxConnectFail],
        ["cx_total", stats.cxTotal],
        ["rq_active", stats.rqActive],
        ["rq_error", stats.rqError],
        ["rq_pending_active", stats.rqPendingActive],
        ["rq_success", stats.rqSuccess],
        ["rq_timeout", stats.rqTimeout],
        ["rq_total", stats.rqTotal],
        ["hostname", host.hostname],
        ["health_flags", host.healthFlags.length === 0 ? "healthy" : host.healthFlags.map((flag) => `/${flag}`).join("")],
        ["weight", host.weight],
        ["region", locality.region],
        ["zone", locality.zone],
        ["sub_zone", locality.subZone],
        ["canary", false],
        ["priority", host.priority],
        ["success_rate", host.successRate],
        ["local_origin_success_rate", host.localOriginSuccessRate],
      ];
      for (const [name, value] of facts) line(addressText(host), name, value);
    }
  }
  return text;
}

/** /clusters?format=json: envoy.admin.v3.Clusters, empty values left out. */
export function clustersJson(clusters: readonly ClusterSnapshot[]): object {
  if (clusters.length === 0) return {};
  return {
    cluster_statuses: clusters.map((cluster) => ({
      name: cluster.name,
      ...(cluster.addedViaApi && { added_via_api: true }),
      ...(cluster.hosts.length > 0 && { host_statuses: cluster.hosts.map(hostJson) }),
      circuit_breakers: {
        thresholds: [thresholdsJson(cluster.circuitBreakers.default), { priority: "HIGH", ...thresholdsJson(cluster.circuitBreakers.high) }],
      },
      observability_name: cluster.observabilityName,
      ...(cluster.edsServiceName && { eds_service_name: cluster.edsServiceName }),
    })),
  };
}

function hostJson(host: HostSnapshot): object {
  const { stats, locality, address } = host;
  const counter = (name: string, value: number): object => ({ ...(value && { value: String(value) }), name });
  const gauge = (name: string, value: number): object => ({ type: "GAUGE", ...counter(name, value) });
  const flags = new Set(host.healthFlags);
  return {
    address: { socket_address: { address: address.address, port_value: address.port } },
    stats: [
      counter("cx_connect_fail", stats.cxConnectFail),
      counter("cx_total", stats.cxTotal),
      counter("rq_error", stats.rqError),
      counter("rq_success", stats.rqSuccess),
      counter("rq_timeout", stats.rqTimeout),
      counter("rq_total", stats.rqTotal),
      gauge("cx_active", stats.cxActive),
      gauge("rq_active", stats.rqActive),
      gauge("rq_pending_active", stats.rqPendingActive),
    ],
    health_status: {
      ...(flags.has("failed_active_hc") && { failed_active_health_check: true }),
      ...(flags.has("failed_outlier_check") && { failed_outlier_check: true }),
      ...(flags.has("degraded_active_hc") && { failed_active_degraded_check: true }),
      eds_health_status: flags.has("failed_eds_health") ? "UNHEALTHY" : flags.has("degraded_eds_health") ? "DEGRADED" : "HEALTHY",
    },
    ...(host.successRate >= 0 && { success_rate: { value: host.successRate } }),
    weight: host.weight,
    ...(host.hostname && { hostname: host.hostname }),
    ...(host.priority && { priority: host.priority }),
    ...(host.localOriginSuccessRate >= 0 && { local_origin_success_rate: { value: host.localOriginSuccessRate } }),
    locality: {
      ...(locality.region && { region: locality.region }),
      ...(locality.zone && { zone: locality.zone }),
      ...(locality.subZone && { sub_zone: locality.subZone }),
    },
  };
}

function thresholdsJson(limits: CircuitBreakerThresholds): object {
  return {
    max_connections: limits.maxConnections,
    max_pending_requests: limits.maxPendingRequests,
    max_requests: limits.maxRequests,
    max_retries: limits.maxRetries,
  };
}

function addressText({ address }: HostSnapshot): string {
  return address.address.includes(":") ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
