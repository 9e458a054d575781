import { afterEach, expect, test } from "bun:test";
import { FakeApi } from "../testing/fake-api.ts";
import { createRegistry } from "./registry.ts";
import type { Registry, RegistryChange } from "./types.ts";

const SERVICES = "/api/v1/namespaces/shop/services";
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";
let registry: Registry | undefined;

afterEach(() => registry?.stop());

test("is empty until everything has been listed once, then has it all", async () => {
  const api = new FakeApi();
  api.put(SERVICES, service("web"));
  registry = createRegistry(api.client);
  expect(registry.current().services.all).toEqual([]);
  await registry.synced;
  expect(registry.current().services.all.map(({ hostname }) => hostname)).toEqual(["web.shop.svc.cluster.local"]);
});

test("a burst of events is one change that names what differs", async () => {
  const api = new FakeApi();
  api.put(SERVICES, service("web"));
  registry = createRegistry(api.client);
  await registry.synced;
  const changes: RegistryChange[] = [];
  registry.onChange((change) => changes.push(change));
  for (const address of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) api.put(SLICES, slice("web", address));
  await until(() => changes.length > 0);
  const [change] = changes;
  expect([...(change?.endpoints ?? [])]).toEqual(["shop/web.shop.svc.cluster.local"]);
  expect([...(change?.keys ?? [])]).toEqual(["EndpointSlice/shop/web-1"]);
  const [web] = registry.current().services.all;
  expect(
    web &&
      registry
        .current()
        .backends(web)
        .endpoints.map(({ address }) => address),
  ).toEqual(["10.0.0.3"]);
});

test("what does not matter to any proxy is no change", async () => {
  const api = new FakeApi();
  const stored = api.put(SERVICES, service("web"));
  registry = createRegistry(api.client);
  await registry.synced;
  const changes: RegistryChange[] = [];
  registry.onChange((change) => changes.push(change));
  api.put(SERVICES, { ...stored, status: { loadBalancer: {} } } as typeof stored);
  api.put(SERVICES, service("other"));
  await until(() => changes.length > 0);
  expect(changes.flatMap(({ keys }) => [...keys])).toEqual(["Service/shop/other"]);
});

test("pods are known while they are followed, and one that goes raises a doubt", async () => {
  const api = new FakeApi();
  const path = "/api/v1/namespaces/shop/pods";
  api.put(path, { apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "shop" } });
  registry = createRegistry(api.client);
  const { pods } = registry;
  let doubts = 0;
  pods?.onDoubt(() => doubts++);
  expect(pods?.live()).toBe(false);
  await registry.synced;
  expect(pods?.live()).toBe(true);
  expect(pods?.get("web-1", "shop")?.metadata.name).toBe("web-1");
  expect(doubts).toBe(0);
  api.remove(`${path}/web-1`);
  await until(() => doubts === 1);
  expect(pods?.get("web-1", "shop")).toBeUndefined();
});

function service(name: string) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { clusterIP: "10.96.0.1", selector: { app: name }, ports: [{ name: "http", port: 80 }] },
  };
}

function slice(name: string, address: string) {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; waited < 200 && !condition(); waited++) await Bun.sleep(5);
  expect(condition()).toBe(true);
}
