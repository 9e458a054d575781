import { ChainmailError } from "../../../base/index.ts";

/** A JSON object of Envoy's admin pages, whose fields have the .proto files' names. */
export interface Json {
  readonly [key: string]: unknown;
}

/** A config_dump as it was read. */
export interface ConfigDump {
  readonly text: string;
  readonly configs: readonly Json[];
}

export function parseDump(text: string): ConfigDump {
  const root = parseObject(text);
  return { text, configs: list(root.configs) };
}

export function parseObject(text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ChainmailError(
      "DUMP_UNREADABLE",
      `error unmarshalling config dump response from Envoy: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  return object(value);
}

/** One dump of a kind such as `ClustersConfigDump`. Throws when the document has none. */
export function section(dump: ConfigDump, kind: string): Json {
  const found = dump.configs.find((config) => text(config["@type"]) === `type.googleapis.com/envoy.admin.v3.${kind}`);
  if (!found) throw new ChainmailError("DUMP_SECTION_MISSING", `config dump has no configuration type type.googleapis.com/envoy.admin.v3.${kind}`);
  return found;
}

/** Clusters, dynamic ones first, in the order of the dump. */
export function clustersOf(dump: ConfigDump): Json[] {
  const config = section(dump, "ClustersConfigDump");
  return [...list(config.dynamic_active_clusters), ...list(config.static_clusters)].map(({ cluster }) => object(cluster));
}

/** Active listeners, dynamic ones first, in the order of the dump. */
export function listenersOf(dump: ConfigDump): Json[] {
  const config = section(dump, "ListenersConfigDump");
  const dynamic = list(config.dynamic_listeners).flatMap(({ active_state }) => (active_state === undefined ? [] : [object(object(active_state).listener)]));
  return [...dynamic, ...list(config.static_listeners).map(({ listener }) => object(listener))];
}

/** Route configurations, dynamic ones first, in the order of the dump. */
export function routesOf(dump: ConfigDump): Json[] {
  const config = section(dump, "RoutesConfigDump");
  return [...list(config.dynamic_route_configs), ...list(config.static_route_configs)].flatMap(({ route_config }) =>
    route_config === undefined ? [] : [object(route_config)],
  );
}

/** Endpoint assignments; empty when the dump was taken without them. */
export function assignmentsOf(dump: ConfigDump): Json[] {
  const config = dump.configs.find((candidate) => text(candidate["@type"]).endsWith(".EndpointsConfigDump"));
  return [...list(config?.dynamic_endpoint_configs), ...list(config?.static_endpoint_configs)].flatMap(({ endpoint_config }) =>
    endpoint_config === undefined ? [] : [object(endpoint_config)],
  );
}

export function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

export function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(text) : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A number, or 0: protojson leaves zeros out. */
export function number(value: unknown): number {
  return typeof value === "number" ? value : typeof value === "string" && value !== "" ? Number(value) : 0;
}
