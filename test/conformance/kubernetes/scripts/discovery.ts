import type { Script } from "../types.ts";
import { get, script } from "./dsl.ts";

const AGGREGATED = { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json" };
/** What our server has of the real one's. */
export const GROUP_VERSIONS = [
  "apps/v1",
  "events.k8s.io/v1",
  "authentication.k8s.io/v1",
  "authorization.k8s.io/v1",
  "autoscaling/v2",
  "autoscaling/v1",
  "batch/v1",
  "certificates.k8s.io/v1",
  "networking.k8s.io/v1",
  "policy/v1",
  "rbac.authorization.k8s.io/v1",
  "storage.k8s.io/v1",
  "admissionregistration.k8s.io/v1",
  "apiextensions.k8s.io/v1",
  "scheduling.k8s.io/v1",
  "coordination.k8s.io/v1",
  "node.k8s.io/v1",
  "discovery.k8s.io/v1",
  "apiregistration.k8s.io/v1",
];
const GROUPS = new Set(GROUP_VERSIONS.map((version) => version.split("/")[0]));

interface Named {
  name?: string;
  metadata?: { name?: string };
}

/** Storage versions' hashes are the storage's own. */
const sortedResources = (body: unknown): unknown => {
  const { resources, ...rest } = body as { resources?: { name: string; storageVersionHash?: string }[] };
  return { ...rest, resources: resources?.map((resource) => ({ ...resource, storageVersionHash: "" })).toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
};
const knownGroups = (body: unknown): unknown => {
  const { groups } = body as { groups?: Named[] };
  return { ...(body as object), groups: groups?.filter(({ name = "" }) => GROUPS.has(name)) };
};
const oneGroup =
  (group: string) =>
  (body: unknown): unknown => {
    const { items } = body as { items?: Named[] };
    return items?.find(({ metadata }) => (metadata?.name ?? "") === group) ?? body;
  };

/** What there is. */
export const discoveryScripts: readonly Script[] = [
  script("discovery", [
    get("versions of the core", "/api", { only: (body) => ({ ...(body as object), serverAddressByClientCIDRs: [] }) }),
    get("groups", "/apis", { only: knownGroups }),
    get("resources of the core", "/api/v1", { only: sortedResources }),
    ...GROUP_VERSIONS.map((version) => get(`resources of ${version}`, `/apis/${version}`, { only: sortedResources })),
    ...[...GROUPS].map((group) => get(`the group ${group}`, `/apis/${group}`)),
    get("aggregated core", "/api", { headers: AGGREGATED, only: oneGroup("") }),
    ...[...GROUPS].map((group) => get(`aggregated ${group}`, "/apis", { headers: AGGREGATED, only: oneGroup(group ?? "") })),
    get("an unknown group", "/apis/nonesuch.io"),
    get("an unknown version", "/apis/apps/v9"),
    get("version", "/version", {
      only: (body) =>
        Object.keys(body as object)
          .filter((key) => !/emulation|Compat/i.test(key))
          .sort(),
    }),
    get("health", "/healthz"),
    get("liveness", "/livez"),
    get("readiness", "/readyz"),
    get("readiness of one check", "/readyz/ping"),
    get("readiness of an unknown check", "/readyz/nonesuch"),
    get("slash", "/apis/", { only: knownGroups }),
  ]),
];
