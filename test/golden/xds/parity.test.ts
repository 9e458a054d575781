import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { snapshotOf } from "../../../src/controlplane/registry/index.ts";
import { createGenerator, parseNode, type ProxyNode } from "../../../src/controlplane/xds/index.ts";
import { resourceJson } from "../../../src/cli/xds-render.ts";
import { loadRegistry, XDS_TYPES, type XdsTypeName } from "../../../src/proto/index.ts";
import type { KubeObject } from "../../../src/resources/index.ts";

type NodeName = "web-api" | "sleep" | "gateway";
type Answers = Partial<Record<Lowercase<XdsTypeName>, JsonObject[]>>;

interface Case {
  objects: KubeObject[];
  omit?: string[];
  mesh?: string;
  networks?: string;
  localities?: Partial<Record<NodeName, [string, string, string]>>;
  metadata?: Partial<Record<NodeName, JsonObject>>;
  answers: Record<NodeName, Answers>;
}

const TYPES = ["cds", "eds", "lds", "rds", "nds", "ecds"] as const;
const world = read<{ objects: KubeObject[]; mesh: string }>("world");
const nodes = read<Record<NodeName, JsonObject>>("nodes");
const names = readdirSync(import.meta.dir)
  .filter((file) => file.endsWith(".json.gz") && !["world.json.gz", "nodes.json.gz"].includes(file))
  .map((file) => file.replace(".json.gz", ""))
  .sort();
const table: string[] = [];

describe("every proxy gets what Istio sends", () => {
  afterAll(() => console.log(table.join("\n")));
  for (const name of names) {
    test(name, async () => {
      const { lines, differences } = await compare(read<Case>(name));
      table.push(`${name.padEnd(36)} ${lines.join("  ")}`, ...differences.map((difference) => `    ${difference}`));
      expect(differences).toEqual([]);
    });
  }
});

async function compare(golden: Case): Promise<{ lines: string[]; differences: string[] }> {
  const registry = await loadRegistry();
  const omitted = new Set(golden.omit);
  const kept = world.objects.filter(({ kind, metadata }) => !omitted.has(`${kind}/${metadata.namespace}/${metadata.name}`));
  const mesh = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: golden.mesh ?? world.mesh, ...(golden.networks && { meshNetworks: golden.networks }) },
  };
  const snapshot = snapshotOf([...kept, ...golden.objects, mesh]);
  const generator = createGenerator();
  const lines: string[] = [];
  const differences: string[] = [];
  for (const nodeName of Object.keys(golden.answers) as NodeName[]) {
    const node = nodeOf(nodeName, golden);
    let equal = 0;
    let total = 0;
    for (const type of TYPES) {
      const expected = golden.answers[nodeName][type] ?? [];
      const asked = type === "eds" || type === "rds" || type === "ecds" ? expected.map(nameOf) : undefined;
      const own = generator.generate(node, snapshot, XDS_TYPES[type.toUpperCase() as XdsTypeName], asked).map((resource) => resourceJson(resource, registry));
      const found = differencesOf(own, expected);
      total += expected.length;
      equal += expected.length - found.size;
      for (const [resource, paths] of found) differences.push(...paths.map((path) => `${nodeName} ${type} ${resource}${path}`));
      // Dashboards and config dumps show clusters in the order in which they came; Istio's order of inbound ones is chance.
      const order = (resources: readonly JsonObject[]): string =>
        resources
          .map(nameOf)
          .map((name) => name.replace(/^inbound\|.*/, "inbound"))
          .join();
      if (type === "cds" && order(own) !== order(expected)) differences.push(`${nodeName} cds: the order of the clusters`);
    }
    lines.push(`${nodeName} ${equal}/${total}`);
  }
  return { lines, differences };
}

function nodeOf(name: NodeName, golden: Case): ProxyNode {
  const metadata = golden.metadata?.[name] ?? nodes[name];
  const address = String(metadata["INSTANCE_IPS"]).split(",")[0];
  const [region = "", zone = "", subZone = ""] = golden.localities?.[name] ?? [];
  const type = name === "gateway" ? "router" : "sidecar";
  return parseNode(`${type}~${address}~${metadata["NAME"]}.${metadata["NAMESPACE"]}~${metadata["NAMESPACE"]}.svc.cluster.local`, metadata, {
    region,
    zone,
    subZone,
  });
}

/** The paths that differ, by the name of the resource; those that only one side has are a difference themselves. */
function differencesOf(own: readonly JsonObject[], expected: readonly JsonObject[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const mine = new Map(own.map((resource) => [nameOf(resource), resource]));
  for (const resource of expected) {
    const paths: string[] = [];
    collect(mine.get(nameOf(resource)), { "@type": mine.get(nameOf(resource))?.["@type"] ?? "", ...resource }, "", paths);
    if (paths.length > 0) found.set(nameOf(resource), paths);
    mine.delete(nameOf(resource));
  }
  for (const name of mine.keys()) found.set(name, [" is not in Istio's answer"]);
  return found;
}

function collect(own: JsonValue | undefined, expected: JsonValue | undefined, path: string, paths: string[]): void {
  if (Bun.deepEquals(own, expected)) return;
  if (Array.isArray(own) && Array.isArray(expected)) {
    for (let index = 0; index < Math.max(own.length, expected.length); index++) collect(own[index], expected[index], `${path}[${index}]`, paths);
  } else if (isObject(own) && isObject(expected)) {
    for (const key of new Set([...Object.keys(own), ...Object.keys(expected)])) collect(own[key], expected[key], `${path}.${key}`, paths);
  } else paths.push(`${path}: ${JSON.stringify(own)} instead of ${JSON.stringify(expected)}`);
}

function nameOf(resource: JsonObject): string {
  return String(resource["name"] ?? resource["clusterName"] ?? "");
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function read<Shape>(name: string): Shape {
  return JSON.parse(gunzipSync(readFileSync(join(import.meta.dir, `${name}.json.gz`))).toString("utf8")) as Shape;
}
