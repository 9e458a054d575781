import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../../resources/index.ts";
import { ObjectStore } from "./object-store.ts";
import { SnapshotBuilder } from "./snapshot-builder.ts";
import { isRegistryKind } from "./object-store.ts";

describe("a snapshot keeps what did not change", () => {
  test("an endpoint's change leaves services, configs and the identities alone", () => {
    const builder = filled(service("web"), pod("web-1", "10.0.0.1"), pod("web-2", "10.0.0.2"), slice("web", ["web-1", "10.0.0.1"]));
    const { snapshot: before } = builder.build();
    put(builder, slice("web", ["web-1", "10.0.0.1"], ["web-2", "10.0.0.2"]));
    const { snapshot: after, change } = builder.build();
    expect([...change.endpoints]).toEqual(["shop/web.shop.svc.cluster.local"]);
    expect(change.identities.size).toBe(0);
    expect(after.services).toBe(before.services);
    expect(after.configs.DestinationRule).toBe(before.configs.DestinationRule);
    expect(after.revisions.identities).toBe(before.revisions.identities);
    expect(after.revisions.endpoints).not.toBe(before.revisions.endpoints);
  });

  test("another service account is another identity", () => {
    const builder = filled(service("web"), pod("web-1", "10.0.0.1"), slice("web", ["web-1", "10.0.0.1"]));
    const { snapshot: before } = builder.build();
    put(builder, pod("web-1", "10.0.0.1", "new"));
    const { snapshot: after, change } = builder.build();
    expect([...change.identities]).toEqual(["shop/web.shop.svc.cluster.local"]);
    const [web] = after.services.all;
    expect(web && after.backends(web).identities).toEqual(["spiffe://cluster.local/ns/shop/sa/new"]);
    expect(after.revisions.identities).not.toBe(before.revisions.identities);
  });

  test("an endpoint counts once its pod, and so its identity, is known", () => {
    const builder = filled(service("web"), slice("web", ["web-1", "10.0.0.1"]));
    const { snapshot: before } = builder.build();
    const [web] = before.services.all;
    expect(web && before.backends(web).endpoints).toEqual([]);
    put(builder, pod("web-1", "10.0.0.1"));
    const { snapshot: after, change } = builder.build();
    expect(change.endpoints.size).toBe(1);
    expect(web && after.backends(web).endpoints[0]?.identity).toBe("spiffe://cluster.local/ns/shop/sa/web");
  });

  test("a heartbeat of a pod is no change", () => {
    const builder = filled(service("web"), pod("web-1", "10.0.0.1"), slice("web", ["web-1", "10.0.0.1"]));
    builder.build();
    const beating = pod("web-1", "10.0.0.1");
    put(builder, { ...beating, metadata: { ...beating.metadata, resourceVersion: "7" } });
    expect(builder.changed).toBe(false);
  });

  test("a mesh config that cannot be read leaves the last one in force, and says so", () => {
    const refused: string[] = [];
    const builder = new SnapshotBuilder(new ObjectStore(), { onInvalid: (_thrown, object) => refused.push(object.metadata.name) });
    put(builder, meshConfig("trustDomain: first"));
    builder.build();
    put(builder, meshConfig("trustDomain: [not text"));
    expect(builder.build().snapshot.mesh.trustDomain).toBe("first");
    expect(refused).toEqual(["istio"]);
  });
});

describe("discoverySelectors", () => {
  const selectors = "discoverySelectors: [{matchLabels: {mesh: 'yes'}}, {matchExpressions: [{key: env, operator: In, values: [prod]}]}]";
  const hosts = (builder: SnapshotBuilder) => builder.build().snapshot.services.all.map(({ hostname }) => hostname);

  test("leave out what is in other namespaces, whatever came first", () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
    ]) {
      const objects = [namespace("shop", {}), service("web"), meshConfig(selectors)];
      expect(hosts(filled(...order.map((index) => objects[index] as KubeObject)))).toEqual([]);
    }
    expect(hosts(filled(namespace("shop", { env: "prod" }), service("web"), meshConfig(selectors)))).toEqual(["web.shop.svc.cluster.local"]);
  });

  test("a namespace comes in and goes out with its labels, and everything with the selectors", () => {
    const builder = filled(namespace("shop", {}), service("web"), entry("api", "2026-01-01T00:00:00Z", 80), meshConfig(selectors));
    expect(hosts(builder)).toEqual([]);
    put(builder, namespace("shop", { mesh: "yes" }));
    const { snapshot, change } = builder.build();
    expect(snapshot.services.all.length).toBe(2);
    expect([...change.kinds]).toEqual(["Namespace", "Service", "ServiceEntry"]);
    put(builder, namespace("shop", { mesh: "no" }));
    expect(hosts(builder)).toEqual([]);
    builder.delete("ServiceEntry", "api", "shop");
    put(builder, meshConfig("{}"));
    expect(hosts(builder)).toEqual(["web.shop.svc.cluster.local"]);
  });
});

test("of two ServiceEntries for one host in a namespace the older has the name", () => {
  const builder = filled(entry("young", "2026-02-02T00:00:00Z", 81), entry("old", "2026-01-01T00:00:00Z", 80));
  const found = builder.build().snapshot.services.byHostname.get("api.example.com")?.get("shop");
  expect(found?.ports.map(({ port }) => port)).toEqual([80]);
});

function filled(...objects: KubeObject[]): SnapshotBuilder {
  const builder = new SnapshotBuilder(new ObjectStore());
  for (const object of objects) put(builder, object);
  return builder;
}

function put(builder: SnapshotBuilder, object: KubeObject): void {
  if (isRegistryKind(object.kind)) builder.set(object.kind, object);
}

function service(name: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { clusterIP: "10.96.0.1", selector: { app: name }, ports: [{ name: "http", port: 80 }] },
  } as KubeObject;
}

function pod(name: string, ip: string, account = "web"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", labels: { app: "web" } },
    spec: { serviceAccountName: account },
    status: { podIP: ip, phase: "Running" },
  } as KubeObject;
}

function slice(name: string, ...pods: [name: string, address: string][]): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: pods.map(([podName, address]) => ({
      addresses: [address],
      conditions: { ready: true },
      targetRef: { kind: "Pod", name: podName, namespace: "shop" },
    })),
  } as KubeObject;
}

function entry(name: string, creationTimestamp: string, port: number): KubeObject {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name, namespace: "shop", creationTimestamp },
    spec: { hosts: ["api.example.com"], resolution: "DNS", ports: [{ number: port, name: "http", protocol: "HTTP" }] },
  } as KubeObject;
}

function namespace(name: string, labels: Record<string, string>): KubeObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } } as KubeObject;
}

function meshConfig(mesh: string): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "istio", namespace: "istio-system" }, data: { mesh } } as KubeObject;
}
