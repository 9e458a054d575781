import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { XDS_TYPES } from "../../../proto/index.ts";
import { ClusterSchema } from "../../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { EnvoyFilter, EnvoyFilterSpec, KubeObject } from "../../../resources/index.ts";
import { snapshotOf } from "../../registry/index.ts";
import { createGenerator } from "../generator.ts";
import { parseNode } from "../node.ts";
import { edit } from "./edit.ts";
import { mergeInto } from "./merge.ts";

const NODE = parseNode("sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local", { NAMESPACE: "shop", LABELS: { app: "web" } });
const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "shop" },
  spec: { clusterIP: "10.96.0.1", ports: [{ name: "http", port: 80 }] },
} as KubeObject;
type Patch = NonNullable<EnvoyFilterSpec["configPatches"]>[number];
const HTTP = { listener: { filterChain: { filter: { name: "envoy.filters.network.http_connection_manager" } } } };

test("a patch that cannot be applied leaves everything as it was, and is reported", () => {
  const bad: EnvoyFilterSpec["configPatches"] = [
    { applyTo: "HTTP_FILTER", match: HTTP, patch: { operation: "ADD", value: { name: "x", typedConfig: { "@type": "type.googleapis.com/no.such.Type" } } } },
    {
      applyTo: "NETWORK_FILTER",
      match: HTTP,
      patch: { operation: "MERGE", value: { typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy" } } },
    },
    { applyTo: "CLUSTER", patch: { operation: "MERGE", value: { connectTimeout: "soon" } } },
  ];
  for (const patch of bad) {
    const reported: unknown[] = [];
    const generate = (objects: KubeObject[]) => {
      const generator = createGenerator({ onInvalid: (_thrown, filters) => reported.push(...filters) });
      return [XDS_TYPES.CDS, XDS_TYPES.LDS].flatMap((type) =>
        generator.generate(NODE, snapshotOf(objects), type).map(({ name, version }) => `${name} ${version}`),
      );
    };
    expect(generate([SERVICE, envoyFilter([patch])])).toEqual(generate([SERVICE]));
    expect(reported.length).toBeGreaterThan(0);
  }
});

test("a patch that cannot be applied takes no other patch of the listener along", () => {
  const bad: Patch = {
    applyTo: "NETWORK_FILTER",
    match: HTTP,
    patch: { operation: "MERGE", value: { typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy" } } },
  };
  const good: Patch = { applyTo: "LISTENER", patch: { operation: "MERGE", value: { perConnectionBufferLimitBytes: 999 } } };
  const listeners = (patches: EnvoyFilterSpec["configPatches"]) =>
    createGenerator()
      .generate(NODE, snapshotOf([SERVICE, envoyFilter(patches)]), XDS_TYPES.LDS)
      .map(({ name, version }) => `${name} ${version}`);
  expect(listeners([bad, good])).toEqual(listeners([good]));
  expect(listeners([good])).not.toEqual(listeners([]));
});

test("an EnvoyFilter of another workload or namespace changes nothing", () => {
  const remove: EnvoyFilterSpec["configPatches"] = [{ applyTo: "CLUSTER", patch: { operation: "REMOVE" } }];
  const count = (filter: EnvoyFilter) => createGenerator().generate(NODE, snapshotOf([SERVICE, filter]), XDS_TYPES.CDS).length;
  expect(count(envoyFilter(remove))).toBe(0);
  expect(count(envoyFilter(remove, { namespace: "bank" }))).toBeGreaterThan(0);
  expect(count(envoyFilter(remove, { labels: { app: "db" } }))).toBeGreaterThan(0);
});

test("merging lets lists grow, or replaces them when asked, and sets what the patch sets", () => {
  const cluster = () =>
    create(ClusterSchema, {
      name: "a",
      connectTimeout: { seconds: 1n, nanos: 5 },
      circuitBreakers: { thresholds: [{ maxConnections: 1 }] },
      metadata: { filterMetadata: { istio: { a: "1" } } },
    });
  const patch = create(ClusterSchema, {
    connectTimeout: { seconds: 2n },
    circuitBreakers: { thresholds: [{ maxConnections: 2 }] },
    metadata: { filterMetadata: { other: { b: "2" } } },
  });
  const grown = cluster();
  mergeInto(ClusterSchema, grown, patch);
  expect(grown.circuitBreakers?.thresholds.map(({ maxConnections }) => maxConnections)).toEqual([1, 2]);
  expect(grown).toMatchObject({ name: "a", connectTimeout: { seconds: 2n, nanos: 0 }, metadata: { filterMetadata: { istio: { a: "1" }, other: { b: "2" } } } });
  const replaced = cluster();
  mergeInto(ClusterSchema, replaced, patch, true);
  expect(replaced.circuitBreakers?.thresholds.map(({ maxConnections }) => maxConnections)).toEqual([2]);
});

test("inserting without a named item goes to the ends, with one beside it, or nowhere", () => {
  const fits = (item: string) => item === "b";
  const none = () => false;
  expect(edit(["a", "b"], "INSERT_BEFORE", undefined, () => "x")).toEqual(["x", "a", "b"]);
  expect(edit(["a", "b"], "INSERT_BEFORE", fits, () => "x")).toEqual(["a", "x", "b"]);
  expect(edit(["a", "b"], "INSERT_AFTER", fits, () => "x")).toEqual(["a", "b", "x"]);
  expect(edit(["a", "b"], "INSERT_AFTER", none, () => "x")).toEqual(["a", "b"]);
  expect(edit(["a", "b"], "REPLACE", fits, () => "x")).toEqual(["a", "x"]);
  expect(edit(["a", "b"], "REMOVE", undefined, () => "x")).toEqual(["a", "b"]);
});

function envoyFilter(
  configPatches: EnvoyFilterSpec["configPatches"],
  { namespace = "shop", labels }: { namespace?: string; labels?: Record<string, string> } = {},
): EnvoyFilter {
  return {
    apiVersion: "networking.istio.io/v1alpha3",
    kind: "EnvoyFilter",
    metadata: { name: "f", namespace },
    spec: { ...(labels && { workloadSelector: { labels } }), configPatches: configPatches ?? [] },
  };
}
