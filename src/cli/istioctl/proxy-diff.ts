import { fromBinary, toJson, type JsonObject } from "@bufbuild/protobuf";
import { readFileSync } from "node:fs";
import { ChainmailError, errorText } from "../../base/index.ts";
import { loadRegistry } from "../../proto/index.ts";
import { unifiedDiff } from "./format/unified-diff.ts";
import { askIstiod, resourcesOf } from "./istiod-xds.ts";
import type { KubeAccess, PodRef } from "./kube-access.ts";
import { clustersOf, list, listenersOf, parseDump, routesOf, section, text, type ConfigDump, type Json } from "./proxy-config/dump.ts";
import { printMessage } from "./proxy-config/messages.ts";

const CONFIG_DUMP = "istio.io/debug/config_dump";

interface CompareOptions {
  /** A config dump that stands for the proxy's own. */
  readonly file?: string;
  readonly proxyAdminPort: number;
  readonly revision?: string;
}

/** Whether a proxy runs what the control plane would send it: three verdicts, with a diff where they differ. */
export async function compareProxy(kube: KubeAccess, pod: PodRef, { file, proxyAdminPort, revision }: CompareOptions): Promise<string> {
  const name = `${pod.name}.${pod.namespace}`;
  const [dump, answers] = await Promise.all([
    file === undefined ? proxyDump(kube, pod, proxyAdminPort) : Promise.resolve(parseDump(readFileSync(file, "utf8"))),
    askIstiod(kube, CONFIG_DUMP, [name], revision),
  ]);
  const registry = await loadRegistry();
  const configs = resourcesOf(answers).flatMap(({ typeUrl, value }) => {
    const schema = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
    return schema ? [{ "@type": typeUrl, ...(toJson(schema, fromBinary(schema, value), { registry, useProtoFieldName: true }) as JsonObject) }] : [];
  });
  if (configs.length === 0) throw new ChainmailError("PROXY_UNKNOWN", `istiod knows no proxy ${name}`);
  return compareDumps(dump, { text: "", configs });
}

async function proxyDump(kube: KubeAccess, pod: PodRef, port: number): Promise<ConfigDump> {
  try {
    return parseDump((await kube.request(pod, port, "GET", "config_dump")).body);
  } catch (cause) {
    throw new ChainmailError("PROXY_REQUEST_FAILED", `could not contact sidecar: ${errorText(cause)}`, { cause });
  }
}

export async function compareDumps(proxy: ConfigDump, istiod: ConfigDump): Promise<string> {
  const print = async (type: string, resources: readonly Json[]): Promise<string> => {
    const sorted = [...resources].sort((a, b) => (text(a.name) < text(b.name) ? -1 : 1));
    return (await Promise.all(sorted.map((resource) => printMessage(type, resource, "json")))).join("");
  };
  const verdict = async (title: string, type: string, select: (dump: ConfigDump) => Json[], detail = ""): Promise<string> => {
    const [from, to] = await Promise.all([print(type, dynamicOnly(istiod, select)), print(type, dynamicOnly(proxy, select))]);
    return from === to ? `${title} Match${detail}\n` : `${title} Don't Match${detail}\n${unifiedDiff(from, to, `Istiod ${title}`, `Envoy ${title}`)}`;
  };
  return [
    await verdict("Clusters", "envoy.config.cluster.v3.Cluster", clustersOf),
    await verdict("Listeners", "envoy.config.listener.v3.Listener", listenersOf),
    await verdict("Routes", "envoy.config.route.v3.RouteConfiguration", routesOf, routesLoaded(proxy)),
  ].join("");
}

/** Static resources are the proxy's own business. */
function dynamicOnly(dump: ConfigDump, select: (dump: ConfigDump) => Json[]): Json[] {
  const stripped = dump.configs.map((config) => Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith("static_"))));
  return select({ text: "", configs: stripped });
}

/** When the newest route came, in the words of RFC 1123. */
function routesLoaded(dump: ConfigDump): string {
  const times = list(section(dump, "RoutesConfigDump").dynamic_route_configs).map(({ last_updated }) => Date.parse(text(last_updated)));
  const newest = Math.max(...times);
  return Number.isFinite(newest) ? ` (RDS last loaded at ${new Date(newest).toUTCString().replace("GMT", "UTC")})` : "";
}
