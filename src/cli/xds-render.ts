import { readFile } from "node:fs/promises";
import { fromBinary, toJson, type JsonObject, type JsonValue, type Registry } from "@bufbuild/protobuf";
import { Command, Option } from "commander";
import { loadAll } from "js-yaml";
import { ChainmailError, errorText } from "../base/index.ts";
import { snapshotOf } from "../controlplane/registry/index.ts";
import { createGenerator, parseNode, type ProxyNode, type XdsResource } from "../controlplane/xds/index.ts";
import { loadRegistry, XDS_TYPES } from "../proto/index.ts";
import type { KubeObject } from "../resources/index.ts";

/** What a proxy is sent, as protojson, under the names of its subscriptions. */
export interface Rendered {
  cds: JsonValue[];
  lds: JsonValue[];
  rds: JsonValue[];
  eds: JsonValue[];
}

/** `chainmail xds render`: what the control plane would send, from files alone. */
export function xdsCommand(): Command {
  const xds = new Command("chainmail xds").description("Look at the configuration of proxies without a cluster");
  xds
    .command("render")
    .description("Print the clusters, listeners, routes and endpoints of one proxy as JSON")
    .requiredOption("--objects <files...>", "Kubernetes and Istio objects, as YAML or JSON; Lists are taken apart")
    .requiredOption("--node <file>", "the metadata of the proxy's node as JSON: NAME, NAMESPACE, INSTANCE_IPS, LABELS, …")
    .addOption(new Option("--type <type>", "what kind of proxy it is").choices(["sidecar", "router"]).default("sidecar"))
    .action(async (options: { objects: string[]; node: string; type: "sidecar" | "router" }) => {
      const objects = (await Promise.all(options.objects.map(readObjects))).flat();
      const rendered = await render(objects, await readNode(options.node, options.type));
      process.stdout.write(`${JSON.stringify(rendered, null, 2)}\n`);
    });
  return xds;
}

/** Generates as for a proxy that asks for all clusters and listeners, and then for what those refer to. */
export async function render(objects: readonly KubeObject[], node: ProxyNode): Promise<Rendered> {
  const registry = await loadRegistry();
  const snapshot = snapshotOf(objects);
  const generator = createGenerator();
  const generate = (typeUrl: string, names?: readonly string[]) =>
    generator.generate(node, snapshot, typeUrl, names).map((resource) => resourceJson(resource, registry));
  const cds = generate(XDS_TYPES.CDS);
  const lds = generate(XDS_TYPES.LDS);
  return { cds, lds, rds: generate(XDS_TYPES.RDS, routeNames(lds)), eds: generate(XDS_TYPES.EDS, cds.flatMap(endpointName)) };
}

/** One resource as protojson, with its type. */
export function resourceJson({ typeUrl, value }: XdsResource, registry: Registry): JsonObject {
  const name = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
  const schema = registry.getMessage(name);
  if (!schema) throw new ChainmailError("PROTO_UNKNOWN_TYPE", `There is no message ${name}`);
  return { "@type": typeUrl, ...(toJson(schema, fromBinary(schema, value), { registry }) as JsonObject) };
}

/** The names by which listeners ask for their routes, each once. */
function routeNames(listeners: readonly JsonValue[]): string[] {
  const names = new Set<string>();
  const visit = (value: JsonValue): void => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (isRecord(value)) {
      const rds = value["rds"];
      if (isRecord(rds) && typeof rds["routeConfigName"] === "string") names.add(rds["routeConfigName"]);
      Object.values(value).forEach(visit);
    }
  };
  listeners.forEach(visit);
  return [...names];
}

function endpointName(cluster: JsonValue): string[] {
  if (!isRecord(cluster) || cluster["type"] !== "EDS") return [];
  const config = cluster["edsClusterConfig"];
  return [isRecord(config) && typeof config["serviceName"] === "string" ? config["serviceName"] : String(cluster["name"])];
}

async function readNode(path: string, type: "sidecar" | "router"): Promise<ProxyNode> {
  let metadata: unknown;
  try {
    metadata = JSON.parse(await readText(path));
  } catch (cause) {
    if (cause instanceof ChainmailError) throw cause;
    throw new ChainmailError("RENDER_NODE_INVALID", `${path} is not JSON: ${errorText(cause)}`, { cause });
  }
  const field = (name: string): string => (isRecord(metadata) && typeof metadata[name] === "string" ? metadata[name] : "");
  const [name, namespace, ips] = [field("NAME"), field("NAMESPACE"), field("INSTANCE_IPS")];
  if (!name || !namespace)
    throw new ChainmailError("RENDER_NODE_INVALID", `${path} lacks the pod's NAME or NAMESPACE`, {
      hint: "take the metadata of a running proxy: istioctl proxy-config bootstrap <pod> -o json",
    });
  const address = ips.split(",")[0]?.trim() || "127.0.0.1";
  return parseNode(`${type}~${address}~${name}.${namespace}~${namespace}.svc.cluster.local`, metadata);
}

async function readObjects(path: string): Promise<KubeObject[]> {
  let documents: unknown[];
  try {
    documents = loadAll(await readText(path));
  } catch (cause) {
    if (cause instanceof ChainmailError) throw cause;
    throw new ChainmailError("RENDER_OBJECTS_INVALID", `${path} is neither YAML nor JSON: ${errorText(cause)}`, { cause });
  }
  return documents.filter((document) => document !== null && document !== undefined).flatMap((document) => flatten(document, path));
}

function flatten(document: unknown, path: string): KubeObject[] {
  if (isRecord(document) && Array.isArray(document["items"])) return document["items"].flatMap((item: unknown) => flatten(item, path));
  if (!isObject(document))
    throw new ChainmailError("RENDER_OBJECTS_INVALID", `${path} holds something that is no Kubernetes object: it lacks apiVersion, kind or metadata.name`);
  return [document];
}

async function readText(path: string): Promise<string> {
  try {
    return path === "-" ? await Bun.stdin.text() : await readFile(path, "utf8");
  } catch (cause) {
    throw new ChainmailError("RENDER_FILE_UNREADABLE", `${path} cannot be read: ${errorText(cause)}`, { cause });
  }
}

function isObject(value: unknown): value is KubeObject {
  if (!isRecord(value) || typeof value["apiVersion"] !== "string" || typeof value["kind"] !== "string") return false;
  const metadata = value["metadata"];
  return isRecord(metadata) && typeof metadata["name"] === "string";
}

function isRecord(value: unknown): value is Record<string, JsonValue> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
