import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { timestamp } from "./json.ts";

const HTTP_CONNECTION_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/** Route configurations that stand inside listeners: Envoy lists them as static ones, in the order of filter chains. */
export function inlineRoutes(listeners: readonly { listener: JsonObject; lastUpdated: number }[]): JsonObject[] {
  const configs: JsonObject[] = [];
  for (const { listener, lastUpdated } of listeners) {
    const chains = [...objects(listener.filter_chains), ...objects([listener.default_filter_chain ?? {}])];
    for (const filter of chains.flatMap((chain) => objects(chain.filters))) {
      const config = filter.typed_config as JsonObject | undefined;
      if (config?.["@type"] !== HTTP_CONNECTION_MANAGER || !config.route_config) continue;
      configs.push({
        route_config: { "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", ...(config.route_config as JsonObject) },
        last_updated: timestamp(lastUpdated),
      });
    }
  }
  return configs;
}

function objects(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? (value as JsonObject[]) : [];
}
