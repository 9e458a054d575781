import { expect, test } from "bun:test";
import type { KubeObject, Service } from "../../resources/index.ts";
import { indexNetworks, parseMeshNetworks } from "./networks.ts";
import { ObjectStore } from "./object-store.ts";
import { SnapshotBuilder } from "./snapshot-builder.ts";

const gateway = (labels: Record<string, string>, more: Partial<Service> = {}): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "eastwest", namespace: "istio-system", labels },
  spec: {
    type: "LoadBalancer",
    ports: [
      { name: "tls", port: 15443 },
      { name: "other", port: 9 },
    ],
  },
  status: { loadBalancer: { ingress: [{ ip: "198.51.100.7" }, { hostname: "gw.example.com" }] } },
  ...more,
});
const index = (yaml: string, services: Service[] = [], addresses: Record<string, string[]> = {}) =>
  indexNetworks({ config: parseMeshNetworks(yaml), services, clusterId: "c1", domain: "cluster.local", addressesOf: (name) => addresses[name] ?? [] });

test("gateways come from labels and from the mesh networks; names without an address are passed over", () => {
  const networks = index(
    "networks: {n2: {gateways: [{address: 203.0.113.1, port: 15443}, {address: 203.0.113.2, port: 1}, {address: gw.example.com, port: 1}]}}",
    [gateway({ "topology.istio.io/network": "n3" })],
  );
  expect(networks.gateways.map(({ network, cluster, address, port }) => [network, cluster, address, port])).toEqual([
    ["n3", "c1", "198.51.100.7", 15443],
    ["n2", "", "203.0.113.1", 15443],
    ["n2", "", "203.0.113.2", 1],
  ]);
  expect(networks.scale).toBe(2);
  expect(networks.gatewaysOf("n3", "another").length).toBe(1);
  expect(networks.gatewaysOf("n9", "c1")).toEqual([]);
});

test("names of gateways stand for their addresses, and for themselves where clusters resolve names", () => {
  const yaml = "networks: {n: {gateways: [{address: gw.example.com, port: 15443}, {address: 203.0.113.1, port: 15443}]}}";
  const networks = index(yaml, [], { "gw.example.com": ["203.0.113.5", "2001:db8::5"] });
  expect(networks.gateways.map(({ address }) => address)).toEqual(["2001:db8::5", "203.0.113.1", "203.0.113.5"]);
  expect([networks.scale, networks.unresolved.scale]).toEqual([3, 2]);
  expect(networks.unresolved.gatewaysOf("n", "").map(({ address }) => address)).toEqual(["203.0.113.1", "gw.example.com"]);

  const builder = new SnapshotBuilder(new ObjectStore());
  builder.set("ConfigMap", {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { meshNetworks: yaml },
  } as KubeObject);
  expect(builder.build().snapshot.networks.gateways).toHaveLength(1);
  builder.setGatewayNames(new Map([["gw.example.com", ["203.0.113.5"]]]));
  expect(builder.changed).toBe(true);
  const { snapshot, change } = builder.build();
  expect([snapshot.networks.gateways.length, [...change.kinds]]).toEqual([2, ["ConfigMap"]]);
});

test("ranges of addresses are in order of the numbers that they are", () => {
  expect(
    index(
      "networks: {a: {endpoints: [{fromCidr: 'fd00::/8'}, {fromCidr: 10.10.0.0/16}, {fromCidr: nonsense}, {fromRegistry: x}]}, b: {endpoints: [{fromCidr: 10.9.0.0/24}, {fromCidr: 10.9.0.0/16}, {fromCidr: 10.9.0.7}]}}",
    ).ranges,
  ).toEqual(["10.9.0.0/16", "10.9.0.0/24", "10.9.0.7", "10.10.0.0/16", "fd00::/8"]);
});

test("a labelled Service needs the port; a Service that mesh networks name needs the cluster to be in that network", () => {
  expect(index("", [gateway({ "topology.istio.io/network": "n", "networking.istio.io/gatewayPort": "9" })]).gateways[0]?.port).toBe(9);
  expect(index("", [gateway({ "topology.istio.io/network": "n", "networking.istio.io/gatewayPort": "8" })]).gateways).toEqual([]);
  const named = (registry: string): string =>
    `networks: {n: {endpoints: [{fromRegistry: ${registry}}], gateways: [{registryServiceName: eastwest.istio-system.svc.cluster.local, port: 15443}]}}`;
  expect(index(named("c1"), [gateway({})]).gateways).toHaveLength(1);
  expect(index(named("c2"), [gateway({})]).gateways).toEqual([]);
});

test("addresses are in the network that names their range", () => {
  const networks = index(
    "networks: {a: {endpoints: [{fromCidr: 10.1.0.0/16}, {fromCidr: nonsense}, {fromCidr: 'fd00::/8'}]}, b: {endpoints: [{fromCidr: 10.2.0.0/99}]}}",
  );
  expect(["10.1.2.3", "fd00::1", "10.2.0.1", "unix"].map((address) => networks.networkOf(address))).toEqual(["a", "a", "", ""]);
});

test("what is no mapping of networks is an error that says where", () => {
  for (const yaml of ["networks: [a]", "networks: {a: 1}", "{"]) expect(() => parseMeshNetworks(yaml)).toThrow("mesh networks in ConfigMap istio");
  expect(parseMeshNetworks("# nothing")).toEqual({});
});

test("the address that a gateway gets later is a change; the status of other Services is none", () => {
  const builder = new SnapshotBuilder(new ObjectStore());
  const bare = gateway({ "topology.istio.io/network": "n" }, { status: {} });
  builder.set("Service", bare);
  expect(builder.build().snapshot.networks.gateways).toEqual([]);
  builder.set("Service", gateway({ "topology.istio.io/network": "n" }));
  expect(builder.changed).toBe(true);
  expect(builder.build().snapshot.networks.gateways).toHaveLength(1);
  builder.set("Service", gateway({}, { metadata: { name: "plain", namespace: "a" } }));
  builder.build();
  builder.set("Service", gateway({}, { metadata: { name: "plain", namespace: "a" }, status: {} } as Partial<Service>));
  expect(builder.changed).toBe(false);
});

test("mesh networks that cannot be read leave the last ones in force, and are reported", () => {
  const told: unknown[] = [];
  const builder = new SnapshotBuilder(new ObjectStore(), { onInvalid: (reason) => told.push(reason) });
  const config = (meshNetworks: string): KubeObject =>
    ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "istio", namespace: "istio-system" }, data: { mesh: "", meshNetworks } }) as KubeObject;
  builder.set("ConfigMap", config("networks: {n: {gateways: [{address: 203.0.113.1, port: 1}]}}"));
  expect(builder.build().snapshot.networks.gateways).toHaveLength(1);
  builder.set("ConfigMap", config("networks: 1"));
  expect(builder.build().snapshot.networks.gateways).toHaveLength(1);
  expect(told).toHaveLength(1);
});
