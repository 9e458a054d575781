import type { RouteConfiguration } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import { checkRouteFilterConfig } from "../filters/registry.ts";
import { RouteTable } from "../router/route-table.ts";
import type { Services } from "../services.ts";
import { InvalidResource } from "../types.ts";

/**
 * Compiles routes. Clusters that they name must be there where `validate_clusters` says so; without a word, as Envoy, in
 * those that stand in a listener (`inline`) only. Throws InvalidResource.
 */
export function compileRoutes(proto: RouteConfiguration, services: Services, inline: boolean): RouteTable {
  const table = new RouteTable(proto, { hostname: services.hostname, checkFilterConfig: (name, config) => checkRouteFilterConfig(name, config, services) });
  if (proto.validateClusters ?? inline) checkClusters(proto, (name) => services.clusters.has(name));
  return table;
}

function checkClusters({ virtualHosts }: RouteConfiguration, known: (name: string) => boolean): void {
  const check = (name: string, what: string): void => {
    if (!known(name)) throw new InvalidResource("UNKNOWN_CLUSTER", `route: unknown ${what} '${name}'`);
  };
  for (const { routes } of virtualHosts) {
    for (const { action } of routes) {
      if (action.case !== "route") continue;
      const { clusterSpecifier: specifier, requestMirrorPolicies } = action.value;
      if (specifier.case === "cluster") check(specifier.value, "cluster");
      if (specifier.case === "weightedClusters") for (const { name } of specifier.value.clusters) if (name !== "") check(name, "weighted cluster");
      for (const { cluster } of requestMirrorPolicies) if (cluster !== "") check(cluster, "shadow cluster");
    }
  }
}
