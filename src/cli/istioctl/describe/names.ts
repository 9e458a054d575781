import type { KubeObject } from "../../../resources/types.ts";
import { clustersOf, list, object, routesOf, strings, text, type ConfigDump, type Json } from "../proxy-config/dump.ts";

export interface ConfigName {
  readonly name: string;
  readonly namespace: string;
}

/** The name, with the namespace behind it where that is not the one being looked at. */
export function shownName(object: KubeObject, namespace: string): string {
  const { name, namespace: own } = object.metadata;
  return own === undefined || own === namespace ? name : `${name}.${own}`;
}

/** The DestinationRule that a proxy's cluster for a service's port came from. */
export function destinationRuleOf(dump: ConfigDump, service: KubeObject, port: number): ConfigName | undefined {
  for (const cluster of clustersOf(dump)) {
    if (!reaches(text(cluster.name), service, port)) continue;
    const found = configName(cluster.metadata, "destination-rule");
    if (found) return found;
  }
  return undefined;
}

/** The VirtualService that a proxy's route to a service's port came from. */
export function virtualServiceOf(dump: ConfigDump, service: KubeObject, port: number): ConfigName | undefined {
  for (const config of routesOf(dump)) {
    const name = text(config.name);
    if (name !== String(port) && !name.startsWith("http.") && !name.startsWith("https.")) continue;
    for (const host of list(config.virtual_hosts)) {
      for (const route of list(host.routes)) {
        if (!routeReaches(route, host, service, port)) continue;
        const found = configName(route.metadata, "virtual-service");
        if (found) return found;
      }
    }
  }
  return undefined;
}

/** By the virtual host's domains, or at a gateway, whose domains are the world's, by the cluster that it routes to. */
function routeReaches(route: Json, host: Json, service: KubeObject, port: number): boolean {
  const own = `${service.metadata.name}.${service.metadata.namespace ?? ""}.svc.cluster.local`;
  if (strings(host.domains).includes(own)) return true;
  const action = object(route.route);
  const weighted = list(object(action.weighted_clusters).clusters)[0];
  return reaches(text(action.cluster) || text(weighted?.name), service, port);
}

function reaches(cluster: string, service: KubeObject, port: number): boolean {
  const [direction, clusterPort, , host] = cluster.split("|");
  return direction === "outbound" && clusterPort === String(port) && host === `${service.metadata.name}.${service.metadata.namespace ?? ""}.svc.cluster.local`;
}

function configName(metadata: unknown, kind: string): ConfigName | undefined {
  const path = text(object(object(object(metadata).filter_metadata).istio).config);
  const [, namespace, name] = new RegExp(`^/apis/networking(?:\\.istio\\.io)?/v1(?:alpha3)?/namespaces/([^/]+)/${kind}/([^/]+)$`).exec(path) ?? [];
  return name === undefined || namespace === undefined ? undefined : { name, namespace };
}
