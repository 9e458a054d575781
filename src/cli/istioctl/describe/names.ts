import type { KubeObject } from "../../../resources/types.ts";
import { list, object, section, strings, text, type ConfigDump, type Json } from "../proxy-config/dump.ts";

export interface ConfigName {
  readonly name: string;
  readonly namespace: string;
}

/** The name, with the namespace behind it where that is not the one being looked at. */
export function shownName(object: KubeObject, namespace: string): string {
  const { name, namespace: own } = object.metadata;
  return own === undefined || own === namespace ? name : `${name}.${own}`;
}

/** The DestinationRule that a proxy's first cluster for a service's port came from. */
export function destinationRuleOf(dump: ConfigDump, service: KubeObject, port: number): ConfigName | undefined {
  const clusters = list(section(dump, "ClustersConfigDump").dynamic_active_clusters).map(({ cluster }) => object(cluster));
  const cluster = clusters.find(({ name, metadata }) => metadata !== undefined && reaches(text(name), service, port));
  return cluster && configName(cluster.metadata, "destination-rule");
}

/** The VirtualService that a proxy's first route to a service's port came from; routes in the order of their names. */
export function virtualServiceOf(dump: ConfigDump, service: KubeObject, port: number): ConfigName | undefined {
  const configs = list(section(dump, "RoutesConfigDump").dynamic_route_configs).map(({ route_config }) => object(route_config));
  for (const config of configs.sort(byName)) {
    const name = text(config.name);
    if (name !== String(port) && !name.startsWith("http.") && !name.startsWith("https.")) continue;
    for (const host of list(config.virtual_hosts).sort(byName)) {
      const route = list(host.routes).find((candidate) => routeReaches(candidate, host, service, port));
      if (route) return configName(route.metadata, "virtual-service");
    }
  }
  return undefined;
}

function byName(a: Json, b: Json): number {
  return text(a.name) < text(b.name) ? -1 : 1;
}

/** By the virtual host's domains, or at a gateway, whose domains are the world's, by the cluster that it routes to. */
function routeReaches(route: Json, host: Json, service: KubeObject, port: number): boolean {
  const own = `${service.metadata.name}.${service.metadata.namespace ?? ""}.svc.cluster.local`;
  if (strings(host.domains).some((domain) => domain === own || domain.endsWith(`.${own}`))) return true;
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
