import type { ListenerManager } from "../listener/listener-manager.ts";
import type { ClusterManager } from "../upstream/cluster-manager.ts";
import type { StatsRegistry } from "./stats.ts";

/** Envoy's statistics of the listener and cluster managers, read off when somebody asks. */
export function publishManagerStats(stats: StatsRegistry, listeners: ListenerManager, clusters: ClusterManager): void {
  const listener = {
    added: stats.counter("envoy_listener_manager_listener_added"),
    modified: stats.counter("envoy_listener_manager_listener_modified"),
    removed: stats.counter("envoy_listener_manager_listener_removed"),
    createSuccess: stats.counter("envoy_listener_manager_listener_create_success"),
    createFailure: stats.counter("envoy_listener_manager_listener_create_failure"),
  };
  const totals = {
    active: stats.gauge("envoy_listener_manager_total_listeners_active"),
    warming: stats.gauge("envoy_listener_manager_total_listeners_warming"),
    draining: stats.gauge("envoy_listener_manager_total_listeners_draining"),
    connections: stats.gauge("envoy_server_total_connections"),
  };
  const cluster = {
    added: stats.counter("envoy_cluster_manager_cluster_added"),
    modified: stats.counter("envoy_cluster_manager_cluster_modified"),
    removed: stats.counter("envoy_cluster_manager_cluster_removed"),
  };
  const active = stats.gauge("envoy_cluster_manager_active_clusters");
  const warming = stats.gauge("envoy_cluster_manager_warming_clusters");
  stats.beforeRender(() => {
    for (const key of ["added", "modified", "removed", "createSuccess", "createFailure"] as const) listener[key].value = listeners.counts[key];
    const now = listeners.totals();
    for (const key of ["active", "warming", "draining", "connections"] as const) totals[key].set(now[key]);
    for (const key of ["added", "modified", "removed"] as const) cluster[key].value = clusters.counts[key];
    active.set(clusters.totals.active);
    warming.set(clusters.totals.warming);
  });
}
