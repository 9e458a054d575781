import { bootstrapSummary } from "./bootstrap.ts";
import { clusterTable, type ClusterFilter } from "./clusters.ts";
import type { ConfigDump } from "./dump.ts";
import { edsTable, type EndpointFilter } from "./endpoints.ts";
import { listenerTable, type ListenerFilter } from "./listeners.ts";
import { routeTable } from "./routes.ts";
import { secretTable } from "./secrets.ts";

export interface AllFilters {
  readonly clusters: ClusterFilter;
  readonly listeners: ListenerFilter;
  readonly route: string | undefined;
  readonly endpoints: EndpointFilter;
}

/** `proxy-config all`: every table, each name with its kind before it. */
export function allTables(dump: ConfigDump, filters: AllFilters, options: { verbose: boolean; headers: boolean; now: number }): string {
  const { verbose, headers, now } = options;
  const parts: [title: string, text: string][] = [
    ["BOOTSTRAP INFO", bootstrapSummary(dump)],
    ["CLUSTER INFO", clusterTable(dump, filters.clusters, true)],
    ["LISTENER INFO", listenerTable(dump, filters.listeners, { verbose, typed: true })],
    ["ROUTE INFO", routeTable(dump, filters.route, { verbose, typed: true })],
    ["SECRET INFO", secretTable(dump, now, true)],
    ["ENDPOINTS INFO", edsTable(dump, filters.endpoints, true)],
  ];
  return parts.map(([title, text]) => (headers ? `------ ${title} ------\n\n${text}` : text)).join("\n");
}
