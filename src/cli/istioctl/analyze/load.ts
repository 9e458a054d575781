import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ChainmailError, errorText } from "../../../base/index.ts";
import {
  AUTHORIZATION_POLICIES,
  DESTINATION_RULES,
  ENVOY_FILTERS,
  GATEWAYS,
  NAMESPACES,
  PEER_AUTHENTICATIONS,
  PODS,
  PROXY_CONFIGS,
  REQUEST_AUTHENTICATIONS,
  SECRETS,
  SERVICE_ENTRIES,
  SERVICES,
  SIDECARS,
  TELEMETRIES,
  VIRTUAL_SERVICES,
  WASM_PLUGINS,
  WORKLOAD_ENTRIES,
  WORKLOAD_GROUPS,
} from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { listOrEmpty, type KubeAccess } from "../kube-access.ts";
import { FILE_REFERENCE } from "./analyze.ts";

const KINDS = [
  NAMESPACES,
  PODS,
  SERVICES,
  SECRETS,
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
  VIRTUAL_SERVICES,
  WASM_PLUGINS,
  WORKLOAD_ENTRIES,
  WORKLOAD_GROUPS,
];

/** What of a cluster the analyzers look at, all namespaces: references cross them. */
export async function clusterObjects(kube: KubeAccess): Promise<KubeObject[]> {
  return (await Promise.all(KINDS.map((gvr) => listOrEmpty(kube.client, gvr)))).flat();
}

/** Objects of YAML or JSON files and folders. Objects without a namespace get the given one. */
export function fileObjects(paths: readonly string[], recursive: boolean, namespace: string): KubeObject[] {
  return paths.flatMap((path) => filesUnder(path, recursive)).flatMap((path) => readObjects(path, namespace));
}

function filesUnder(path: string, recursive: boolean): string[] {
  if (path === "-") return [path];
  if (!existing(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? (recursive ? filesUnder(join(path, entry.name), true) : []) : /\.(ya?ml|json)$/.test(entry.name) ? [join(path, entry.name)] : []))
    .sort();
}

function existing(path: string): ReturnType<typeof statSync> & object {
  try {
    return statSync(path);
  } catch (cause) {
    throw new ChainmailError("FILE_UNREADABLE", `${path}: ${errorText(cause)}`, { cause });
  }
}

function readObjects(path: string, namespace: string): KubeObject[] {
  const text = readFileSync(path === "-" ? 0 : path, "utf8");
  let line = 1;
  return text.split(/^---.*$/m).flatMap((part) => {
    const start = line + (part.match(/^\s*\n/)?.[0].split("\n").length ?? 1) - 1;
    line += part.split("\n").length - 1;
    let value: unknown;
    try {
      value = Bun.YAML.parse(part);
    } catch (cause) {
      throw new ChainmailError("FILE_INVALID", `${path}:${start}: ${errorText(cause)}`, { cause });
    }
    return objectsIn(value).map((candidate) => {
      const clustered = candidate.kind === "Namespace";
      const placed = clustered || candidate.metadata.namespace !== undefined ? candidate : { ...candidate, metadata: { ...candidate.metadata, namespace } };
      Reflect.set(placed, FILE_REFERENCE, `${path}:${start}`);
      return placed;
    });
  });
}

function objectsIn(value: unknown): KubeObject[] {
  if (typeof value !== "object" || value === null) return [];
  const candidate = value as { kind?: unknown; metadata?: unknown; items?: unknown };
  if (Array.isArray(candidate.items)) return candidate.items.flatMap(objectsIn);
  return typeof candidate.kind === "string" && typeof candidate.metadata === "object" && candidate.metadata !== null ? [value as KubeObject] : [];
}
