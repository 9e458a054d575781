import { fromBinary, toJson, type JsonObject } from "@bufbuild/protobuf";
import { readFileSync } from "node:fs";
import { ChainmailError, errorText } from "../../base/index.ts";
import { loadRegistry } from "../../proto/index.ts";
import { fileError } from "./format/file-error.ts";
import { unifiedDiff } from "./format/unified-diff.ts";
import { askIstiod, resourcesOf } from "./istiod-xds.ts";
import type { KubeAccess, PodRef } from "./kube-access.ts";
import { list, object, parseDump, section, text, type ConfigDump, type Json } from "./proxy-config/dump.ts";
import { printMessage } from "./proxy-config/messages.ts";
import type { XdsOptions } from "./xds-flags.ts";

interface CompareOptions extends XdsOptions {
  /** A config dump that stands for the proxy's own. */
  readonly file?: string;
  readonly proxyAdminPort: number;
}

const CONFIG_DUMP = "istio.io/debug/config_dump";

/** Whether a proxy runs what the control plane would send it: three verdicts, with a diff where they differ. */
export async function compareProxy(kube: KubeAccess, pod: PodRef, { file, proxyAdminPort, ...xds }: CompareOptions): Promise<string> {
  const name = `${pod.name}.${pod.namespace}`;
  const [dump, answers] = await Promise.all([
    file === undefined ? proxyDump(kube, pod, proxyAdminPort) : Promise.resolve(parseDump(readDump(file))),
    askIstiod(kube, CONFIG_DUMP, [name], xds),
  ]);
  const registry = await loadRegistry();
  const configs = resourcesOf(answers).flatMap(({ typeUrl, value }) => {
    const schema = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
    return schema ? [{ "@type": typeUrl, ...(toJson(schema, fromBinary(schema, value), { registry, useProtoFieldName: true }) as JsonObject) }] : [];
  });
  if (configs.length === 0) throw new ChainmailError("PROXY_UNKNOWN", `istiod knows no proxy ${name}`);
  return compareDumps(dump, { text: "", configs });
}

function readDump(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (cause) {
    throw new ChainmailError("FILE_UNREADABLE", `could not contact sidecar: ${fileError(path, cause)}`, { cause });
  }
}

async function proxyDump(kube: KubeAccess, pod: PodRef, port: number): Promise<ConfigDump> {
  try {
    return parseDump((await kube.request(pod, port, "GET", "config_dump")).body);
  } catch (cause) {
    throw new ChainmailError("PROXY_REQUEST_FAILED", `could not contact sidecar: ${errorText(cause)}`, { cause });
  }
}

export async function compareDumps(proxy: ConfigDump, istiod: ConfigDump): Promise<string> {
  const verdict = async (title: string, kind: string, select: (dump: ConfigDump) => Json, detail = ""): Promise<string> => {
    const print = (dump: ConfigDump): Promise<string> => printMessage(`envoy.admin.v3.${kind}`, select(dump), "json");
    const [from, to] = (await Promise.all([print(istiod), print(proxy)])).map((printed) => printed.trimEnd());
    const diff = unifiedDiff(from ?? "", to ?? "", `Istiod ${title}`, `Envoy ${title}`);
    return diff === "" ? `${title} Match${detail}\n` : `${title} Don't Match${detail}\n${diff}\n`;
  };
  return [
    await verdict("Clusters", "ClustersConfigDump", dynamicClusters),
    await verdict("Listeners", "ListenersConfigDump", dynamicListeners),
    await verdict("Routes", "RoutesConfigDump", dynamicRoutes, routesLoaded(proxy)),
  ].join("");
}

/** Static resources are the proxy's own business; when and as what version something came does not matter. */
function dynamicClusters(dump: ConfigDump): Json {
  const active = list(section(dump, "ClustersConfigDump").dynamic_active_clusters);
  return { dynamic_active_clusters: byName(active, "cluster").map(({ cluster }) => ({ cluster })) };
}

/** A listener that is being replaced counts with what replaces it, one that is going only with what it became. */
function dynamicListeners(dump: ConfigDump): Json {
  const active = list(section(dump, "ListenersConfigDump").dynamic_listeners)
    .filter(({ active_state }) => active_state !== undefined)
    .map((listener) => ({ ...without(listener, "name", "draining_state"), active_state: { listener: object(object(listener.active_state).listener) } }));
  return { dynamic_listeners: [...active].sort((a, b) => compare(a.active_state.listener.name, b.active_state.listener.name)) };
}

function dynamicRoutes(dump: ConfigDump): Json {
  const configs = byName(list(section(dump, "RoutesConfigDump").dynamic_route_configs), "route_config").map((entry) => {
    const config = object(entry.route_config);
    const hosts = [...list(config.virtual_hosts)].sort((a, b) => compare(a.name, b.name));
    return { ...without(entry, "version_info", "last_updated"), route_config: { ...config, ...(hosts.length > 0 && { virtual_hosts: hosts }) } };
  });
  return { dynamic_route_configs: configs };
}

function without(entry: Json, ...fields: readonly string[]): Json {
  return Object.fromEntries(Object.entries(entry).filter(([field]) => !fields.includes(field)));
}

function byName(entries: readonly Json[], field: string): Json[] {
  return [...entries].sort((a, b) => compare(object(a[field]).name, object(b[field]).name));
}

function compare(a: unknown, b: unknown): number {
  return text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0;
}

/** When the newest route came, in the words of RFC 1123. */
function routesLoaded(dump: ConfigDump): string {
  const times = list(section(dump, "RoutesConfigDump").dynamic_route_configs).map(({ last_updated }) => Date.parse(text(last_updated)));
  const newest = Math.max(...times);
  return Number.isFinite(newest) ? ` (RDS last loaded at ${new Date(newest).toUTCString().replace("GMT", "UTC")})` : "";
}
