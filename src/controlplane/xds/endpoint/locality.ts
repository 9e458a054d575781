import type { Init } from "../../../proto/index.ts";
import type { LocalityLbEndpointsSchema } from "../../../proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
import type { LoadBalancerSettings, LocalityLbSetting } from "../../../resources/index.ts";
import type { MeshConfig, MeshEndpoint, MeshService } from "../../registry/index.ts";
import type { EndpointClient } from "./assignment.ts";

export interface LocalityGroup {
  readonly endpoints: readonly MeshEndpoint[];
  readonly lbEndpoints: Init<typeof LocalityLbEndpointsSchema>;
}

/** What holds for the localities of a cluster. */
export interface LocalitySettings {
  readonly setting: LocalityLbSetting;
  /** Whether localities fail over even where no outlier detection says that one has failed. */
  readonly force: boolean;
  /** Present when Envoy balances zones itself. */
  readonly zoneAware: { readonly enabled: boolean; readonly minClusterSize: number | undefined } | undefined;
}

type Locality = { readonly region?: string; readonly zone?: string; readonly subZone?: string };

const NETWORK = "topology.istio.io/network";
const REGION = "topology.kubernetes.io/region";
const ZONE = "topology.kubernetes.io/zone";
const SUBZONE = "topology.istio.io/subzone";
const HOSTNAME = "kubernetes.io/hostname";

/** The rule's settings, else what the service asks for, else the mesh's; undefined when they are switched off. */
export function localitySettings(balancer: LoadBalancerSettings | undefined, service: MeshService, mesh: MeshConfig): LocalitySettings | undefined {
  const zone = balancer?.zoneAwareLbSetting;
  if (zone) return zoneAware(zone);
  const own = balancer?.localityLbSetting;
  if (own) return own.enabled === false ? undefined : plain(own);
  if (service.trafficDistribution !== "Any") {
    const failoverPriority = service.trafficDistribution === "PreferSameZone" ? [NETWORK, REGION, ZONE] : [NETWORK, REGION, ZONE, SUBZONE, HOSTNAME];
    return { setting: { failoverPriority }, force: true, zoneAware: undefined };
  }
  const meshZone = mesh["zoneAwareLbSetting"] as LoadBalancerSettings["zoneAwareLbSetting"];
  if (meshZone) return zoneAware(meshZone);
  const setting = mesh.localityLbSetting as LocalityLbSetting;
  return setting.enabled === false ? undefined : plain(setting);
}

/** Gives localities weights, or priorities by how near they are to the client. */
export function prioritise(
  groups: readonly LocalityGroup[],
  settings: LocalitySettings,
  client: EndpointClient,
  outlierDetection: boolean,
): Init<typeof LocalityLbEndpointsSchema>[] {
  const { setting, force } = settings;
  if (settings.zoneAware) {
    if (!settings.zoneAware.enabled) return groups.map(({ lbEndpoints }) => lbEndpoints);
    const split = setting.failoverPriority?.length ? byLabels(groups, client.labels, setting.failoverPriority) : groups.map(({ lbEndpoints }) => lbEndpoints);
    return byDistance(split, 3, (locality) => regionDistance(client.locality, locality, setting.failover ?? []));
  }
  if (setting.distribute) return byWeights(groups, client.locality, setting.distribute);
  if (!outlierDetection && !force) return groups.map(({ lbEndpoints }) => lbEndpoints);
  const failover = setting.failover ?? [];
  if (!setting.failoverPriority?.length)
    return byDistance(
      groups.map(({ lbEndpoints }) => lbEndpoints),
      5,
      (locality) => distance(client.locality, locality, failover),
    );
  const split = byLabels(groups, client.labels, setting.failoverPriority);
  return failover.length > 0 ? byDistance(split, 5, (locality) => distance(client.locality, locality, failover)) : split;
}

const plain = (setting: LocalityLbSetting): LocalitySettings => ({ setting, force: false, zoneAware: undefined });

function zoneAware(zone: NonNullable<LoadBalancerSettings["zoneAwareLbSetting"]>): LocalitySettings {
  const enabled = zone.enabled !== false;
  return { setting: zone, force: enabled, zoneAware: { enabled, minClusterSize: zone.minClusterSize ?? undefined } };
}

function byWeights(
  groups: readonly LocalityGroup[],
  client: Locality,
  distribute: NonNullable<LocalityLbSetting["distribute"]>,
): Init<typeof LocalityLbEndpointsSchema>[] {
  const rule = distribute.find(({ from }) => matches(client, from ?? ""));
  if (!rule) return groups.map(({ lbEndpoints }) => lbEndpoints);
  const weights = new Map<number, number>();
  for (const [target, share] of Object.entries(rule.to ?? {})) {
    const members = groups.map((_, index) => index).filter((index) => !weights.has(index) && matches(groups[index]?.lbEndpoints.locality ?? {}, target));
    const total = members.reduce((sum, index) => sum + (groups[index]?.lbEndpoints.loadBalancingWeight ?? 1), 0);
    for (const index of members) weights.set(index, Math.ceil(((groups[index]?.lbEndpoints.loadBalancingWeight ?? 1) * share) / total));
  }
  return groups.map(({ lbEndpoints }, index) => {
    const weight = weights.get(index);
    // Nothing is sent where the rule sends nothing.
    if (weight === undefined) return { ...lbEndpoints, lbEndpoints: [] };
    return weight > 0 ? { ...lbEndpoints, loadBalancingWeight: weight } : lbEndpoints;
  });
}

/** Splits localities by how many of the labels, in their order, an endpoint has in common with the client. */
function byLabels(
  groups: readonly LocalityGroup[],
  labels: Readonly<Record<string, string>>,
  priorities: readonly string[],
): Init<typeof LocalityLbEndpointsSchema>[] {
  if (Object.keys(labels).length === 0) return groups.map(({ lbEndpoints }) => lbEndpoints);
  const wanted = priorities.map((entry) => {
    const [name = "", value] = entry.split("=");
    return { name, value: value ?? labels[name] };
  });
  const priorityOf = (endpoint: MeshEndpoint): number => {
    let otherNetwork = 0;
    for (const [index, { name, value }] of wanted.entries()) {
      if (value === endpoint.labels[name]) continue;
      // Another network is only one step further away than everything in one's own.
      if (index > 0 || priorities[0] !== NETWORK) return wanted.length - index + otherNetwork;
      otherNetwork = wanted.length;
    }
    return otherNetwork;
  };
  const split = groups.flatMap(({ endpoints, lbEndpoints }) => {
    const byPriority = new Map<number, number[]>();
    for (const [index, endpoint] of endpoints.entries()) {
      const priority = priorityOf(endpoint);
      byPriority.set(priority, [...(byPriority.get(priority) ?? []), index]);
    }
    return [...byPriority.keys()]
      .sort((a, b) => a - b)
      .map((priority) => {
        const members = (byPriority.get(priority) ?? []).map((index) => lbEndpoints.lbEndpoints?.[index]).filter((member) => member !== undefined);
        return {
          ...lbEndpoints,
          priority,
          lbEndpoints: members,
          loadBalancingWeight: members.reduce((sum, member) => sum + (member.loadBalancingWeight ?? 1), 0),
        };
      });
  });
  return compact(split);
}

function byDistance(
  groups: readonly Init<typeof LocalityLbEndpointsSchema>[],
  steps: number,
  distanceOf: (locality: Locality) => number,
): Init<typeof LocalityLbEndpointsSchema>[] {
  return compact(groups.map((group) => ({ ...group, priority: (group.priority ?? 0) * steps + distanceOf(group.locality ?? {}) })));
}

/** Envoy wants priorities from 0 without gaps. */
function compact<Group extends { priority?: number }>(groups: readonly Group[]): Group[] {
  const used = [...new Set(groups.map(({ priority }) => priority ?? 0))].sort((a, b) => a - b);
  return groups.map((group) => ({ ...group, priority: used.indexOf(group.priority ?? 0) }));
}

function distance(client: Locality, locality: Locality, failover: NonNullable<LocalityLbSetting["failover"]>): number {
  if ((client.region ?? "") === (locality.region ?? "")) {
    if ((client.zone ?? "") !== (locality.zone ?? "")) return 2;
    return (client.subZone ?? "") === (locality.subZone ?? "") ? 0 : 1;
  }
  const rule = failover.find(({ from }) => from === client.region);
  return rule && rule.to !== locality.region ? 4 : 3;
}

function regionDistance(client: Locality, locality: Locality, failover: NonNullable<LocalityLbSetting["failover"]>): number {
  if ((client.region ?? "") === (locality.region ?? "")) return 0;
  return failover.find(({ from }) => from === client.region)?.to === locality.region ? 1 : 2;
}

/** Whether a locality is one that `region/zone/subzone` names; "*" and what is left out match all. */
function matches(locality: Locality, rule: string): boolean {
  const [region = "", zone = "", subZone = ""] = rule.split("/");
  const fits = (wanted: string, own: string | undefined): boolean => wanted === "*" || wanted === "" || wanted === own;
  return (region === "*" || region === (locality.region ?? "")) && fits(zone, locality.zone) && fits(subZone, locality.subZone);
}
