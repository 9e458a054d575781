import { expect, test } from "bun:test";
import { XDS_TYPES } from "../../proto/index.ts";
import type { KubeObject } from "../../resources/index.ts";
import { snapshotOf } from "../registry/snapshot.ts";
import { createGenerator } from "../xds/generator.ts";
import { parseNode } from "../xds/node.ts";
import type { XdsGenerator, XdsResource } from "../xds/types.ts";
import { warmUp } from "./warm-up.ts";

const { CDS, EDS, LDS, RDS } = XDS_TYPES;
const CLUSTER = "outbound|80||web.shop.svc.cluster.local";

const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "shop" },
  spec: { clusterIP: "10.96.0.1", selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
};
const snapshot = snapshotOf([
  SERVICE,
  pod("web-1", { "security.istio.io/tlsMode": "istio" }, "10.0.0.1"),
  pod("web-2", { "security.istio.io/tlsMode": "istio" }, "10.0.0.2"),
  pod("plain", {}, "10.0.0.3"),
] as KubeObject[]);

test("what a proxy asks for first is there before it comes", async () => {
  const { generator, made } = recording();
  const warm = await warmUp({ generator, snapshot: () => snapshot, over: () => false });
  expect(warm.map(({ id }) => id)).toEqual(["sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local"]);
  const before = new Set(made.flatMap(({ resources }) => resources));
  const node = parseNode("sidecar~10.0.0.2~web-2.shop~shop.svc.cluster.local", {
    NAMESPACE: "shop",
    INSTANCE_IPS: "10.0.0.2",
    INTERCEPTION_MODE: "REDIRECT",
    LABELS: { app: "web", "security.istio.io/tlsMode": "istio" },
  });
  for (const [type, names] of [
    [CDS, undefined],
    [EDS, [CLUSTER]],
    [LDS, undefined],
    [RDS, ["80"]],
  ] as const) {
    const asked = generator.generate(node, snapshot, type, names);
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((resource) => !before.has(resource))).toEqual([]);
  }
});

test("as the agent of a pod describes it, however it starts its proxy", async () => {
  const given = { concurrency: 1, proxyHeaders: { server: { disabled: true } } };
  const container = {
    name: "istio-proxy",
    env: [
      { name: "PROXY_CONFIG", value: JSON.stringify(given) },
      { name: "ISTIO_META_INTERCEPTION_MODE", value: "REDIRECT" },
    ],
  };
  const injected = snapshotOf([SERVICE, { ...pod("web-1", {}, "10.0.0.1"), spec: { containers: [container] } }, pod("web-2", {}, "10.0.0.2")] as KubeObject[]);
  const { generator, made } = recording();
  await warmUp({ generator, snapshot: () => injected, over: () => false });
  const before = new Set(made.flatMap(({ resources }) => resources));
  const metadata = {
    CHAINMAIL_PROXY: "true",
    CLUSTER_ID: "Kubernetes",
    ENVOY_PROMETHEUS_PORT: 15090,
    ENVOY_STATUS_PORT: 15021,
    INSTANCE_IPS: "10.0.0.2",
    INTERCEPTION_MODE: "REDIRECT",
    LABELS: { app: "web" },
    NAMESPACE: "shop",
  };
  const node = parseNode("sidecar~10.0.0.2~web-2.shop~shop.svc.cluster.local", {
    ...metadata,
    PROXY_CONFIG: { binaryPath: "envoy", statusPort: 15020, ...given },
  });
  for (const type of [CDS, LDS])
    expect(
      generator
        .generate(node, injected, type)
        .filter((resource) => !before.has(resource))
        .map(({ name }) => name),
    ).toEqual([]);
});

test("it makes what every type of a proxy consists of, and stops when proxies are here", async () => {
  const all = recording();
  await warmUp({ generator: all.generator, snapshot: () => snapshot, over: () => false });
  expect(all.made.map(({ type }) => type)).toEqual([CDS, EDS, LDS, RDS]);
  const cut = recording();
  await warmUp({ generator: cut.generator, snapshot: () => snapshot, over: () => cut.made.length === 1 });
  expect(cut.made.map(({ type }) => type)).toEqual([CDS]);
});

function recording(): { generator: XdsGenerator; made: { type: string; resources: readonly XdsResource[] }[] } {
  const made: { type: string; resources: readonly XdsResource[] }[] = [];
  const real = createGenerator();
  const generate: XdsGenerator["generate"] = (node, at, type, names) => {
    const resources = real.generate(node, at, type, names);
    made.push({ type, resources });
    return resources;
  };
  return { generator: { generate, affected: real.affected.bind(real) }, made };
}

function pod(name: string, labels: Record<string, string>, podIP: string) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", labels: { app: "web", ...labels } },
    spec: { containers: [] },
    status: { podIP, phase: "Running" },
  };
}
