import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { DumpEntry, DumpInput } from "./dump-input.ts";

const ASSIGNMENT_TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/** Envoy's default: 1.4 times the healthy hosts before a priority spills over. */
const OVERPROVISIONING = 140;

/** Endpoints as Envoy holds them: each host with its health, each locality with its weight, clusters by name. */
export function endpointConfigs(input: DumpInput, decode: (entry: DumpEntry) => JsonObject, matches: (name: string) => boolean): JsonObject {
  const assigned = new Map(input.endpoints.map((entry) => [entry.name, entry]));
  const configs = (entries: readonly DumpEntry[]): JsonObject[] =>
    entries
      .map((entry) => decode(entry))
      .filter(({ name }) => matches(String(name)))
      .sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1))
      .map((cluster) => {
        const name = String(cluster.name);
        const eds = cluster.eds_cluster_config as JsonObject | undefined;
        const assignment = assigned.get(String(eds?.service_name ?? name));
        const source = cluster.type === "EDS" ? assignment && decode(assignment) : (cluster.load_assignment as JsonObject | undefined);
        return { endpoint_config: endpointConfig(name, source ?? {}, input.unhealthy[name] ?? {}) };
      });
  const fixed = configs(input.clusters.fixed);
  const dynamic = configs(input.clusters.dynamic.flatMap(({ active }) => (active ? [active] : [])));
  return { ...(fixed.length > 0 && { static_endpoint_configs: fixed }), ...(dynamic.length > 0 && { dynamic_endpoint_configs: dynamic }) };
}

function endpointConfig(name: string, assignment: JsonObject, unhealthy: Readonly<Record<string, string>>): JsonObject {
  const policy = assignment.policy as JsonObject | undefined;
  const localities = objects(assignment.endpoints).map((group) => ({
    locality: group.locality ?? {},
    lb_endpoints: objects(group.lb_endpoints).map((host) => hostConfig(host, unhealthy)),
    load_balancing_weight: group.load_balancing_weight ?? 0,
    ...(group.priority !== undefined && { priority: group.priority }),
  }));
  return {
    "@type": ASSIGNMENT_TYPE,
    cluster_name: name,
    ...(localities.length > 0 && { endpoints: localities }),
    policy: { overprovisioning_factor: policy?.overprovisioning_factor ?? OVERPROVISIONING },
  };
}

function hostConfig(host: JsonObject, unhealthy: Readonly<Record<string, string>>): JsonObject {
  const endpoint = (host.endpoint ?? {}) as JsonObject;
  const address = (endpoint.address ?? {}) as JsonObject;
  const socket = address.socket_address as JsonObject | undefined;
  const metadata = host.metadata;
  return {
    endpoint: {
      address,
      health_check_config: endpoint.health_check_config ?? {},
      ...(endpoint.hostname !== undefined && { hostname: endpoint.hostname }),
    },
    health_status: (socket && unhealthy[`${String(socket.address)}:${String(socket.port_value)}`]) ?? "HEALTHY",
    ...(metadata !== undefined && { metadata }),
    load_balancing_weight: host.load_balancing_weight ?? 1,
  };
}

function objects(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? (value as JsonObject[]) : [];
}
