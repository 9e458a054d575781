import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../../resources/index.ts";
import { XDS_TYPES } from "../../proto/index.ts";
import { snapshotOf } from "../registry/index.ts";
import { createGenerator } from "../xds/index.ts";
import { parseNode } from "../xds/node.ts";
import { DebugPages } from "./pages.ts";
import { byteCount } from "./proxy-pages.ts";
import type { ConnectionView } from "./views.ts";

const objects: KubeObject[] = [
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: "accessLogFile: /dev/stdout\ntrustDomainAliases: [old]", meshNetworks: "networks: {n2: {gateways: [{address: 203.0.113.1, port: 15443}]}}" },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { type: "LoadBalancer", clusterIP: "10.0.0.1", selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    status: { loadBalancer: { ingress: [{ ip: "198.51.100.1" }] } },
  },
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-1", namespace: "shop", labels: { app: "web" } },
    spec: { containers: [] },
    status: { podIP: "10.1.0.1", phase: "Running" },
  },
  {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "p", namespace: "shop", annotations: { a: "b" } },
    spec: { rules: [{}] },
  },
  {
    apiVersion: "telemetry.istio.io/v1",
    kind: "Telemetry",
    metadata: { name: "t", namespace: "istio-system" },
    spec: { tracing: [{ randomSamplingPercentage: 3 }] },
  },
  { apiVersion: "networking.istio.io/v1", kind: "Sidecar", metadata: { name: "s", namespace: "shop" }, spec: { egress: [{ hosts: ["./*"] }] } },
  {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name: "e", namespace: "shop" },
    spec: { hosts: ["e.example.com"], resolution: "DNS", ports: [{ number: 80, name: "http", protocol: "HTTP" }] },
    status: {
      addresses: [
        { value: "240.240.0.1", host: "e.example.com" },
        { value: "2001:2::1", host: "e.example.com" },
      ],
    },
  },
] as unknown as KubeObject[];
const connection: ConnectionView = {
  id: "web-1.shop-1",
  node: parseNode("sidecar~10.1.0.1~web-1.shop~shop.svc.cluster.local", { NAMESPACE: "shop", LABELS: { app: "web" } }),
  connectedAt: 0,
  address: "127.0.0.1:1",
  watches: new Map([
    [XDS_TYPES.CDS, { wildcard: true, names: new Set<string>(), sent: new Map(), nonceSent: "", nonceAcked: "", error: undefined, sentAt: 0 }],
  ]),
};
let pushes = 0;
const pages = new DebugPages({
  snapshot: () => snapshotOf(objects),
  connections: () => [connection],
  generator: createGenerator(),
  version: () => "v/1",
  clusterId: "Kubernetes",
  rotation: () => ({ retired: [] }),
  changes: () => [],
  push: () => ++pushes,
});
const page = async (name: string, query = "") => (await pages.page(name, new URLSearchParams(query))).body;
const json = async (name: string, query = ""): Promise<unknown> => JSON.parse(await page(name, query));

describe("debug pages in Istio's shapes", () => {
  test("policies by namespace", async () => {
    expect(await json("authorizationz")).toEqual({
      authorization_policies: {
        namespace_to_policies: { shop: [{ name: "p", namespace: "shop", annotations: { a: "b" }, spec: { rules: [{}] } }] },
        root_namespace: "istio-system",
      },
    });
    expect(await json("telemetryz")).toEqual({
      telemetries: {
        namespace_to_telemetries: { "istio-system": [{ name: "t", namespace: "istio-system", spec: { tracing: [{ randomSamplingPercentage: 3 }] } }] },
        root_namespace: "istio-system",
      },
    });
    expect(await json("pushcontext")).toMatchObject({
      AuthorizationPolicies: { root_namespace: "istio-system" },
      NetworkGateways: [{ Network: "n2", Addr: "203.0.113.1", Port: 15443 }],
    });
  });

  test("the mesh config without what nobody set", async () => {
    const mesh = (await json("mesh")) as Record<string, unknown>;
    expect(mesh).toMatchObject({ accessLogFile: "/dev/stdout", trustDomainAliases: ["old"], defaultProviders: {}, enableAutoMtls: true });
    for (const field of ["accessLogFormat", "accessLogEncoding", "tlsDefaults", "discoverySelectors", "h2UpgradePolicy"])
      expect(mesh).not.toHaveProperty(field);
  });

  test("a proxy's services, what it sees, and what is kept for it", async () => {
    expect(await json("instancesz")).toMatchObject({
      "web-1.shop": [
        {
          Service: { hostname: "web.shop.svc.cluster.local", Attributes: { ClusterExternalAddresses: { Addresses: { Kubernetes: ["198.51.100.1"] } } } },
          Port: { name: "http", port: 80, TargetPort: 8080 },
        },
      ],
    });
    expect(await json("sidecarz", "proxyID=web-1.shop")).toMatchObject({
      version: "v/1",
      name: "s",
      namespace: "shop",
      sidecar: { egress: [{ hosts: ["./*"] }] },
      servicesByHostname: { "web.shop.svc.cluster.local": { Attributes: { Name: "web" } } },
    });
    expect(await page("sidecarz")).toBe("You must provide a proxyID in the query string");
    const cached = (await json("cachez")) as Record<string, string[]>;
    expect(cached[XDS_TYPES.CDS]).toContain("outbound|80||web.shop.svc.cluster.local");
    expect(await json("cachez", "sizes=true")).toMatchObject({ total: expect.stringMatching(/^\d+(\.\d)?k?B$/) });
    expect(await json("registryz")).toContainEqual(
      expect.objectContaining({ hostname: "e.example.com", autoAllocatedIPv4Address: "240.240.0.1", autoAllocatedIPv6Address: "2001:2::1" }),
    );
  });

  test("a push on request, and the list of all pages with their variants", async () => {
    expect(await page("adsz", "push=true")).toBe("Pushed to 1 servers\n");
    expect(pushes).toBe(1);
    const list = (await json("list")) as string[];
    for (const name of ["adsz?push=true", "cachez?sizes=true", "ecdsz", "networkz", "mcsz", "resourcesz", "ambientz", "instancesz"])
      expect(list).toContain(name);
    expect(await json("resourcesz")).toContainEqual({ group: "extensions.istio.io", version: "v1alpha1", kind: "WasmPlugin" });
    expect([await json("mcsz"), await json("ambientz")]).toEqual([null, { workloads: null, services: null, policies: null }]);
    expect(await page("")).toContain("/debug/cachez?sizes=true");
  });

  test("sizes as people read them", () => expect([0, 999, 1_000, 1_550, 2_000_000].map(byteCount)).toEqual(["0B", "999B", "1.0kB", "1.6kB", "2.0MB"]));
});
