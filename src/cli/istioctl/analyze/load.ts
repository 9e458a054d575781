import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ChainmailError, errorText } from "../../../base/index.ts";
import { SYSTEM_NAMESPACES } from "../../../controlplane/injection/index.ts";
import { parseMeshConfig, type MeshConfig } from "../../../controlplane/registry/index.ts";
import {
  AUTHORIZATION_POLICIES,
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DEPLOYMENTS,
  DESTINATION_RULES,
  ENVOY_FILTERS,
  GATEWAYS,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NAMESPACES,
  NODES,
  PEER_AUTHENTICATIONS,
  PODS,
  PROXY_CONFIGS,
  REQUEST_AUTHENTICATIONS,
  SECRETS,
  SERVICE_ENTRIES,
  SERVICES,
  SIDECARS,
  TELEMETRIES,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  VIRTUAL_SERVICES,
  WASM_PLUGINS,
  WORKLOAD_ENTRIES,
  WORKLOAD_GROUPS,
  type GroupVersionResource,
} from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { listOrEmpty, type KubeAccess } from "../kube-access.ts";
import { object, type Json } from "../proxy-config/dump.ts";
import { readObjects } from "./file-objects.ts";
import { isTakenFromFiles } from "./kinds.ts";

/** Secrets of other programs that can be many and large, and are nobody's certificate. */
const SECRET_FILTER = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token";
const gateways = (resource: string): GroupVersionResource => ({ group: "gateway.networking.k8s.io", version: "v1", resource });
const TRAFFIC_EXTENSIONS: GroupVersionResource = { group: "extensions.istio.io", version: "v1alpha1", resource: "trafficextensions" };

const CLUSTER_KINDS = [NAMESPACES, NODES, CUSTOM_RESOURCE_DEFINITIONS, MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS];
const KINDS = [
  SERVICES,
  PODS,
  DEPLOYMENTS,
  AUTHORIZATION_POLICIES,
  DESTINATION_RULES,
  ENVOY_FILTERS,
  GATEWAYS,
  PEER_AUTHENTICATIONS,
  PROXY_CONFIGS,
  REQUEST_AUTHENTICATIONS,
  SERVICE_ENTRIES,
  SIDECARS,
  TELEMETRIES,
  TRAFFIC_EXTENSIONS,
  VIRTUAL_SERVICES,
  WASM_PLUGINS,
  WORKLOAD_ENTRIES,
  WORKLOAD_GROUPS,
  gateways("gateways"),
  gateways("httproutes"),
  gateways("grpcroutes"),
];

/** What of a cluster the analyzers look at, in all namespaces but the cluster's own: references cross them. */
export async function clusterObjects(kube: KubeAccess): Promise<KubeObject[]> {
  const { client, istioNamespace } = kube;
  const [secrets, configMaps, ...others] = await Promise.all([
    client.list(SECRETS, { fieldSelector: SECRET_FILTER }).then(({ items }) => items),
    client.list(CONFIG_MAPS, { namespace: istioNamespace }).then(({ items }) => items),
    ...[...CLUSTER_KINDS, ...KINDS].map((resource) => listOrEmpty(client, resource)),
  ]);
  const istios = configMaps.filter(
    ({ metadata }) => metadata.name.startsWith("istio") && metadata.annotations?.["control-plane.alpha.kubernetes.io/leader"] === undefined,
  );
  return [...secrets, ...istios, ...others.flat()].filter(
    ({ kind, metadata }) => !SYSTEM_NAMESPACES.has(kind === "Namespace" ? metadata.name : (metadata.namespace ?? "")),
  );
}

/** The mesh's own configuration from the ConfigMap `istio`; Istio's defaults where there is none. */
export async function clusterMesh(kube: KubeAccess, revision: string): Promise<{ mesh?: MeshConfig; networks?: Json }> {
  const name = revision === "" || revision === "default" ? "istio" : `istio-${revision}`;
  const found = await kube.client.find(CONFIG_MAPS, name, kube.istioNamespace);
  const { mesh, meshNetworks } = object(found?.data);
  return {
    ...(typeof mesh === "string" && { mesh: parseMeshConfig(mesh) }),
    ...(typeof meshNetworks === "string" && { networks: object(object(Bun.YAML.parse(meshNetworks)).networks) }),
  };
}

export function fileMesh(path: string): MeshConfig {
  return parseMeshConfig(read(path));
}

const EXTENSIONS = [".json", ".yaml", ".yml"];

/** Files that arguments lead to, folders with all below them. */
export function gatherFiles(paths: readonly string[], warn: (text: string) => void): string[] {
  return paths.flatMap((path) => {
    if (path === "-") return [path];
    const found = existing(path);
    return found.isDirectory() ? under(path).filter((file) => isReadable(file, warn)) : isReadable(path, warn) ? [path] : [];
  });
}

function under(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? under(join(folder, entry.name)) : [join(folder, entry.name)]));
}

function isReadable(file: string, warn: (text: string) => void): boolean {
  if (EXTENSIONS.some((extension) => file.endsWith(extension))) return true;
  warn(`Skipping file ${file}, recognized file extensions are: [${EXTENSIONS.join(" ")}]\n`);
  return false;
}

function existing(path: string): ReturnType<typeof statSync> & object {
  try {
    return statSync(path);
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw new ChainmailError("FILE_UNREADABLE", missing ? `stat ${path}: no such file or directory` : errorText(cause), { cause });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (cause) {
    throw new ChainmailError("FILE_UNREADABLE", `${path}: ${errorText(cause)}`, { cause });
  }
}

/** Objects of files, and the texts of what could not be read in each. */
export function fileObjects(files: readonly string[], namespace: string | undefined): { objects: KubeObject[]; problems: string[] } {
  const contents = files.map((file) => ({ file, ...readObjects(file, read(file), { namespace, takes: isTakenFromFiles }) }));
  const inMesh = ({ kind, metadata }: KubeObject): boolean => !SYSTEM_NAMESPACES.has(kind === "Namespace" ? metadata.name : (metadata.namespace ?? ""));
  return {
    objects: contents.flatMap(({ objects }) => objects).filter(inMesh),
    problems: contents
      .filter(({ problems }) => problems.length > 0)
      .map(({ file, problems }) => `errors parsing content ${JSON.stringify(file)}: ${listed(problems)}`),
  };
}

/** Several errors as Go lists them. */
export function listed(texts: readonly string[]): string {
  return `${texts.length} error${texts.length === 1 ? "" : "s"} occurred:\n${texts.map((text) => `\t* ${text}\n`).join("")}\n`;
}
