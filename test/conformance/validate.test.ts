import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { findEnvoy } from "../../src/cli/envoy.ts";
import { render, type Rendered } from "../../src/cli/xds-render.ts";
import { parseNode, type ProxyNode } from "../../src/controlplane/xds/index.ts";
import type { KubeObject } from "../../src/resources/index.ts";
import { reasonToSkip } from "./cluster.ts";

const GOLDEN = join(import.meta.dir, "../golden/xds");
const SKIP = reasonToSkip();

interface Case {
  readonly objects: KubeObject[];
  readonly omit?: string[];
  readonly mesh?: string;
  readonly metadata?: Record<string, JsonObject>;
}

/** Every configuration that is compared with Istio's, in the form for a plain Envoy, as that Envoy itself judges it. */
describe.skipIf(SKIP !== undefined)(`a real Envoy takes what is generated${SKIP ? ` (skipped: ${SKIP})` : ""}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "validate-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const envoy = SKIP ? "" : findEnvoy(process.env.CHAINMAIL_ENVOY).path;
  const world = read<{ objects: KubeObject[]; mesh: string }>("world");
  const nodes = read<Record<string, JsonObject>>("nodes");
  const cases = readdirSync(GOLDEN)
    .filter((file) => file.endsWith(".json.gz") && !/^(world|nodes)\./.test(file))
    .map((file) => file.replace(".json.gz", ""));

  for (const name of cases.sort()) {
    test(
      name,
      async () => {
        const golden = read<Case>(name);
        const kept = world.objects.filter(({ kind, metadata }) => !golden.omit?.includes(`${kind}/${metadata.namespace}/${metadata.name}`));
        const mesh = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "istio", namespace: "istio-system" }, data: { mesh: golden.mesh ?? world.mesh } };
        for (const nodeName of Object.keys(nodes)) {
          const metadata = { ...(golden.metadata?.[nodeName] ?? nodes[nodeName]), CHAINMAIL_DIALECT: "envoy", CHAINMAIL_TELEMETRY_PATH: "/dev/null" };
          const rendered = await render([...kept, ...golden.objects, mesh], nodeOf(nodeName, metadata));
          if (nodeName !== "gateway") expect(rendered.lds.length).toBeGreaterThan(0);
          const path = join(folder, `${name}-${nodeName}.json`);
          writeFileSync(path, JSON.stringify(bootstrapOf(rendered)));
          // Into a file: access logs open /dev/stdout anew, which the pipes of Bun do not allow.
          const { exitCode } = Bun.spawnSync([
            "sh",
            "-c",
            `exec ${envoy} --mode validate -c ${path} -l error --disable-hot-restart --concurrency 1 >${path}.log 2>&1`,
          ]);
          expect(`${nodeName}: ${exitCode === 0 ? "accepted" : readFileSync(`${path}.log`, "utf8").slice(-2_000)}`).toBe(`${nodeName}: accepted`);
        }
      },
      60_000,
    );
  }
});

function nodeOf(name: string, metadata: JsonObject): ProxyNode {
  const address = String(metadata["INSTANCE_IPS"]).split(",")[0];
  return parseNode(
    `${name === "gateway" ? "router" : "sidecar"}~${address}~${metadata["NAME"]}.${metadata["NAMESPACE"]}~${metadata["NAMESPACE"]}.svc.cluster.local`,
    metadata,
  );
}

/** All of it static: routes where listeners name them, endpoints in their clusters. */
function bootstrapOf({ cds, lds, rds, eds }: Rendered): JsonObject {
  const routes = new Map(rds.map((route) => [String((route as JsonObject)["name"]), plain(route)]));
  const assignments = new Map(eds.map((assignment) => [String((assignment as JsonObject)["clusterName"]), plain(assignment)]));
  const inline = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(inline);
    if (typeof value !== "object" || value === null) return value;
    const fields = Object.entries(value).map(([key, field]): [string, JsonValue] => {
      // Envoy 1.40 crashes on a static cluster whose secret comes over ADS, which is not there yet then.
      if (key === "sdsConfig" && "ads" in (field as JsonObject)) return [key, SDS];
      const route = key === "rds" ? routes.get(String((field as JsonObject)["routeConfigName"])) : undefined;
      return route ? ["routeConfig", route] : [key, inline(field as JsonValue)];
    });
    return Object.fromEntries(fields);
  };
  const grpc = (name: string): JsonObject => ({
    name,
    type: "STATIC",
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address: { pipe: { path: `./${name}` } } } }] }] },
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicitHttpConfig: { http2ProtocolOptions: {} },
      },
    },
  });
  const clusters = cds.map((cluster) => {
    const { edsClusterConfig, ...own } = plain(cluster) as JsonObject;
    const assignment = edsClusterConfig && assignments.get(String((edsClusterConfig as JsonObject)["serviceName"] ?? own["name"]));
    return inline(assignment ? { ...own, type: "STATIC", loadAssignment: assignment } : plain(cluster));
  });
  return {
    node: { id: "validate", cluster: "validate" },
    dynamicResources: { adsConfig: { apiType: "DELTA_GRPC", transportApiVersion: "V3", grpcServices: [{ envoyGrpc: { clusterName: "xds-grpc" } }] } },
    staticResources: { clusters: [grpc("xds-grpc"), grpc("sds-grpc"), ...clusters], listeners: lds.map((listener) => inline(plain(listener))) },
  };
}

const SDS = {
  apiConfigSource: { apiType: "GRPC", transportApiVersion: "V3", grpcServices: [{ envoyGrpc: { clusterName: "sds-grpc" } }] },
  resourceApiVersion: "V3",
};

/** A resource without the type that it travels under. */
function plain(resource: JsonValue): JsonValue {
  const { "@type": _, ...fields } = resource as JsonObject;
  return fields;
}

function read<Shape>(name: string): Shape {
  return JSON.parse(gunzipSync(readFileSync(join(GOLDEN, `${name}.json.gz`))).toString("utf8")) as Shape;
}
