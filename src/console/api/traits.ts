import { DESTINATION_RULES, SERVICE_ENTRIES, VIRTUAL_SERVICES, WORKLOAD_ENTRIES } from "../../kube/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { type MeshView, type PodView, type ServiceView, workloadOf } from "../server/mesh-view.ts";
import { type Fields, fields, items, list, strings, text } from "./fields.ts";
import { isHost, podsOf, routesTo } from "./service-routes.ts";

/** What Istio's configuration does to a node, by the words of Kiali's find expressions. */
export const FEATURES = [
  "virtualservice",
  "circuitbreaker",
  "faultinjection",
  "mirroring",
  "requestrouting",
  "requesttimeout",
  "tcptrafficshifting",
  "trafficshifting",
  "serviceentry",
  "workloadentry",
] as const;
export type Feature = (typeof FEATURES)[number];

/** What the objects behind a node of the graph say beyond its traffic. */
export interface NodeTraits {
  labels: Record<string, string>;
  features: Feature[];
  /** Hosts of the VirtualServices that route to it. */
  hosts?: string[];
  serviceEntry?: { namespace: string; location: string; hosts: string[] };
  workloadEntries?: string[];
}

/** By the ids of the graph's nodes: `workload/ns/name`, `app/ns/name/`, `app/ns/name/version`, `service/ns/name`. */
export type Traits = Record<string, NodeTraits>;

/** The objects that traits come from. */
export interface TraitObjects {
  pods: readonly PodView[];
  services: readonly ServiceView[];
  virtualServices: readonly KubeObject[];
  destinationRules: readonly KubeObject[];
  serviceEntries: readonly KubeObject[];
  workloadEntries: readonly KubeObject[];
}

export async function meshTraits(mesh: MeshView): Promise<Traits> {
  const [virtualServices, destinationRules, serviceEntries, workloadEntries] = await Promise.all(
    [VIRTUAL_SERVICES, DESTINATION_RULES, SERVICE_ENTRIES, WORKLOAD_ENTRIES].map((kind) => mesh.objects(kind)),
  );
  return traitsOf({
    pods: mesh.pods(),
    services: mesh.services(),
    virtualServices: virtualServices!,
    destinationRules: destinationRules!,
    serviceEntries: serviceEntries!,
    workloadEntries: workloadEntries!,
  });
}

/** Traits of every workload, application and service. A workload has those of the services that select it. Pure. */
export function traitsOf(objects: TraitObjects): Traits {
  const traits: Traits = {};
  const at = (id: string) => (traits[id] ??= { labels: {}, features: [] });
  for (const pod of objects.pods) for (const id of nodesOf(pod)) Object.assign(at(id).labels, pod.metadata.labels);
  for (const service of objects.services) {
    const { namespace = "", name, labels } = service.metadata;
    const own = at(`service/${namespace}/${name}`);
    Object.assign(own.labels, labels);
    const pods = podsOf([...objects.pods], service);
    const behind = [...new Set(pods.flatMap(nodesOf))].map(at);
    for (const route of objects.virtualServices) {
      if (!routesTo(route, name, namespace)) continue;
      for (const node of [own, ...behind]) {
        add(node, ...routing(fields(route.spec)));
        node.hosts = [...new Set([...(node.hosts ?? []), ...strings(fields(route.spec).hosts)])];
      }
    }
    for (const rule of objects.destinationRules) {
      const spec = fields(rule.spec);
      if (!isHost(spec.host, name, namespace, rule.metadata.namespace ?? "")) continue;
      if (breaks(fields(spec.trafficPolicy))) for (const node of [own, ...behind]) add(node, "circuitbreaker");
      for (const subset of items(spec.subsets)) {
        if (!breaks(fields(subset.trafficPolicy))) continue;
        const wanted = Object.entries(fields(subset.labels));
        add(own, "circuitbreaker");
        for (const pod of pods)
          if (wanted.every(([label, value]) => pod.metadata.labels?.[label] === value)) for (const id of nodesOf(pod)) add(at(id), "circuitbreaker");
      }
    }
  }
  for (const { metadata, spec } of objects.serviceEntries) {
    const { location, hosts } = fields(spec);
    for (const host of strings(hosts)) {
      const node = at(`service/${metadata.namespace}/${host}`);
      add(node, "serviceentry");
      node.serviceEntry = { namespace: metadata.namespace ?? "", location: text(location) || "MESH_EXTERNAL", hosts: strings(hosts) };
    }
  }
  for (const { metadata, spec } of objects.workloadEntries) {
    const labels = fields(fields(spec).labels) as Record<string, string>;
    const app = labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? labels.app ?? metadata.name;
    for (const id of [`workload/${metadata.namespace}/${metadata.name}`, `app/${metadata.namespace}/${app}/`]) {
      const node = at(id);
      Object.assign(node.labels, labels);
      add(node, "workloadentry");
      node.workloadEntries = [...(node.workloadEntries ?? []), metadata.name];
    }
  }
  return traits;
}

/** What a VirtualService does with requests. */
function routing(spec: Fields): Feature[] {
  const http = items(spec.http);
  const splits = (route: Fields) => list(route.route).length > 1;
  return [
    "virtualservice",
    ...(http.some(({ fault }) => fault !== undefined) ? (["faultinjection"] as const) : []),
    ...(http.some(({ mirror, mirrors }) => mirror !== undefined || list(mirrors).length > 0) ? (["mirroring"] as const) : []),
    ...(http.some(({ match }) => list(match).length > 0) ? (["requestrouting"] as const) : []),
    ...(http.some(({ timeout }) => timeout !== undefined) ? (["requesttimeout"] as const) : []),
    ...(http.some(splits) ? (["trafficshifting"] as const) : []),
    ...([...items(spec.tcp), ...items(spec.tls)].some(splits) ? (["tcptrafficshifting"] as const) : []),
  ];
}

/** As Kiali counts it: limits of a connection pool, or outlier detection, for all ports or one. */
function breaks(policy: Fields): boolean {
  return policy.connectionPool !== undefined || policy.outlierDetection !== undefined || items(policy.portLevelSettings).some(breaks);
}

function nodesOf(pod: PodView): string[] {
  const { namespace, workload, app, version } = workloadOf(pod);
  return [`workload/${namespace}/${workload}`, `app/${namespace}/${app}/`, `app/${namespace}/${app}/${version}`];
}

function add(node: NodeTraits, ...features: Feature[]): void {
  for (const feature of features) if (!node.features.includes(feature)) node.features.push(feature);
}
