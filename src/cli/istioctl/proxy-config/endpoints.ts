import { tabwriter } from "../format/tabwriter.ts";
import { assignmentsOf, list, number, object, text, type ConfigDump, type Json } from "./dump.ts";
import { compare, compareSubsetKeys } from "./subset-key.ts";

export interface EndpointFilter {
  readonly address?: string;
  readonly port?: number;
  readonly cluster?: string;
  /** healthy or unhealthy, as EDS names it, in any case. */
  readonly status?: string;
}

/** Cluster statuses (/clusters?format=json) that have a host which passes. */
export function selectClusterStatuses(clusters: Json, filter: EndpointFilter): Json[] {
  return list(clusters.cluster_statuses).filter((cluster) => list(cluster.host_statuses).some((host) => matches(host, text(cluster.name), filter)));
}

export function endpointTable(clusters: Json, filter: EndpointFilter): string {
  const hosts = list(clusters.cluster_statuses).flatMap((cluster) =>
    list(cluster.host_statuses)
      .filter((host) => matches(host, text(cluster.name), filter))
      .map((host) => ({
        ...addressOf(object(host.address), true),
        cluster: text(cluster.name),
        status: statusOf(host),
        failed: object(host.health_status).failed_outlier_check === true,
      })),
  );
  hosts.sort((a, b) => compare(a.address, b.address) || a.port - b.port || compare(a.cluster, b.cluster));
  const rows = hosts.map(({ address, port, status, failed, cluster }) => [port ? `${address}:${port}` : address, status, failed ? "FAILED" : "OK", cluster]);
  return tabwriter([["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"], ...rows], 5);
}

/** Endpoints of a config_dump (`include_eds`), as `proxy-config all` and `eds` list them. */
export function edsTable(dump: ConfigDump, filter: EndpointFilter, typed: boolean): string {
  const rows = selectAssignments(dump, filter).flatMap((assignment) =>
    list(assignment.endpoints).flatMap((group) =>
      list(group.lb_endpoints).map((host) => {
        const { address, port } = assignedAddress(host);
        return [
          `${typed ? "endpoint/" : ""}${port ? `${address}:${port}` : address}`,
          assignedStatus(host),
          localityText(object(group.locality)),
          text(assignment.cluster_name),
        ];
      }),
    ),
  );
  return tabwriter([["NAME", "STATUS", "LOCALITY", "CLUSTER"], ...rows], 5);
}

/** Assignments by cluster, each with the endpoints that pass; those without any are left out. */
export function selectAssignments(dump: ConfigDump, filter: EndpointFilter): Json[] {
  return assignmentsOf(dump)
    .sort((a, b) => compareSubsetKeys(text(a.cluster_name), text(b.cluster_name)))
    .map((assignment) => ({
      ...assignment,
      endpoints: list(assignment.endpoints).map((group) => ({
        ...group,
        lb_endpoints: list(group.lb_endpoints).filter((host) => isAssigned(host, text(assignment.cluster_name), filter)),
      })),
    }))
    .filter(({ endpoints }) => endpoints.some(({ lb_endpoints }) => lb_endpoints.length > 0));
}

function isAssigned(host: Json, cluster: string, filter: EndpointFilter): boolean {
  const { address, port } = assignedAddress(host);
  if (filter.cluster && filter.cluster !== cluster) return false;
  if (filter.address && filter.address.toLowerCase() !== address.toLowerCase()) return false;
  if (filter.port && filter.port !== port) return false;
  return !filter.status || filter.status.toLowerCase() === assignedStatus(host).toLowerCase();
}

const assignedAddress = (host: Json): { address: string; port: number } => addressOf(object(object(host.endpoint).address), false);
const assignedStatus = (host: Json): string => text(host.health_status) || "UNKNOWN";

function matches(host: Json, cluster: string, filter: EndpointFilter): boolean {
  const { address, port } = addressOf(object(host.address), true);
  if (filter.address && filter.address.toLowerCase() !== address.toLowerCase()) return false;
  if (filter.port && filter.port !== port) return false;
  if (filter.cluster && filter.cluster.toLowerCase() !== cluster.toLowerCase()) return false;
  return !filter.status || filter.status.toLowerCase() === statusOf(host).toLowerCase();
}

function statusOf(host: Json): string {
  return text(object(host.health_status).eds_health_status) || "UNKNOWN";
}

function addressOf(address: Json, schemes: boolean): { address: string; port: number } {
  if (address.pipe !== undefined) return { address: `${schemes ? "unix://" : ""}${text(object(address.pipe).path)}`, port: 0 };
  if (address.envoy_internal_address !== undefined) {
    const internal = object(address.envoy_internal_address);
    const endpoint = text(internal.endpoint_id);
    return { address: `envoy://${text(internal.server_listener_name)}${endpoint ? `/${endpoint}` : ""}`, port: 0 };
  }
  const socket = object(address.socket_address);
  return { address: text(socket.address), port: number(socket.port_value) };
}

function localityText(locality: Json): string {
  return [locality.region, locality.zone, locality.sub_zone]
    .map(text)
    .filter((part) => part !== "")
    .join("/");
}
