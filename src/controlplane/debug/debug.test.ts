import { describe, expect, test } from "bun:test";
import { XDS_TYPES } from "../../proto/index.ts";
import type { KubeObject } from "../../resources/index.ts";
import { CaError, type Authenticator } from "../ca/index.ts";
import { snapshotOf } from "../registry/index.ts";
import { FakeMesh } from "../testing/fake-mesh.ts";
import { parseNode } from "../xds/node.ts";
import { createDebugAccess, isLoopback } from "./access.ts";
import { MetricsRegistry } from "./metrics.ts";
import { DebugPages } from "./pages.ts";
import { endpointPage, registryPage } from "./registry-pages.ts";
import { clientConfig, syncStatus } from "./sync-status.ts";
import type { ConnectionView, WatchView } from "./views.ts";

const version = "2026-11-24T06:08:08Z/48";
const watch = (changes: Partial<WatchView> = {}): WatchView => ({
  wildcard: true,
  names: new Set(),
  sent: new Map([["a", "1"]]),
  nonceSent: `${version}x`,
  nonceAcked: `${version}x`,
  error: undefined,
  sentAt: Date.parse("2026-11-24T06:08:08.389Z"),
  ...changes,
});

function connection(watches: Record<string, WatchView>): ConnectionView {
  return {
    id: "web-api-1.istioinaction-1",
    node: parseNode("sidecar~10.244.1.11~web-api-1.istioinaction~istioinaction.svc.cluster.local", {
      NAMESPACE: "istioinaction",
      CLUSTER_ID: "Kubernetes",
      ISTIO_VERSION: "1.31.0",
    }),
    connectedAt: 0,
    address: "127.0.0.1:5",
    watches: new Map(Object.entries(watches)),
  };
}

describe("sync status", () => {
  test("has the fields that istioctl and Kiali read", () => {
    expect(syncStatus(connection({ [XDS_TYPES.CDS]: watch(), [XDS_TYPES.EDS]: watch({ nonceAcked: "" }) }))).toEqual({
      cluster_id: "Kubernetes",
      proxy: "web-api-1.istioinaction",
      proxy_type: "sidecar",
      istio_version: "1.31.0",
      cluster_sent: `${version}x`,
      cluster_acked: `${version}x`,
      endpoint_sent: `${version}x`,
      resources: {
        [XDS_TYPES.CDS]: { sent: `${version}x`, acked: `${version}x`, sentTime: "2026-11-24T06:08:08.389Z" },
        [XDS_TYPES.EDS]: { sent: `${version}x`, sentTime: "2026-11-24T06:08:08.389Z" },
      },
    });
  });

  test("states of a type: synced, stale, not sent, error", () => {
    const states = clientConfig(
      connection({
        [XDS_TYPES.CDS]: watch(),
        [XDS_TYPES.EDS]: watch({ nonceAcked: "old" }),
        [XDS_TYPES.LDS]: watch({ nonceSent: "", nonceAcked: "", sentAt: 0 }),
        [XDS_TYPES.RDS]: watch({ error: "no" }),
      }),
    );
    expect(states.genericXdsConfigs.map(({ configStatus }) => configStatus)).toEqual([1, 3, 2, 4]);
    expect(states.node?.metadata).toEqual({ CLUSTER_ID: "Kubernetes", ISTIO_VERSION: "1.31.0", NAMESPACE: "istioinaction" });
  });
});

describe("registry pages", () => {
  const objects: KubeObject[] = [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web-api", namespace: "istioinaction", resourceVersion: "568", creationTimestamp: "2026-11-24T05:48:09Z" },
      spec: {
        type: "ClusterIP",
        clusterIP: "10.96.125.31",
        clusterIPs: ["10.96.125.31"],
        selector: { app: "web-api" },
        ports: [{ name: "http", port: 8080, protocol: "TCP", targetPort: 8081 }],
      },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web-api-1", namespace: "istioinaction", labels: { app: "web-api", "security.istio.io/tlsMode": "istio" } },
      spec: { serviceAccountName: "web-api", nodeName: "n1", containers: [] },
      status: { podIP: "10.244.1.11" },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "web-api-x", namespace: "istioinaction", labels: { "kubernetes.io/service-name": "web-api" } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8081, protocol: "TCP" }],
      endpoints: [{ addresses: ["10.244.1.11"], conditions: { ready: true }, targetRef: { kind: "Pod", name: "web-api-1", namespace: "istioinaction" } }],
    },
  ];
  const snapshot = snapshotOf(objects);

  test("a service in Istio's shape", () => {
    expect(registryPage(snapshot)).toEqual([
      {
        Attributes: {
          ServiceRegistry: "Kubernetes",
          Name: "web-api",
          Namespace: "istioinaction",
          Labels: null,
          ExportTo: null,
          Visibility: 0,
          LabelSelectors: { app: "web-api" },
          Aliases: null,
          ClusterExternalAddresses: { Addresses: null },
          ClusterExternalPorts: null,
          PassthroughTargetPorts: null,
          Type: "ClusterIP",
          ExternalName: "",
          NodeLocal: false,
          TrafficDistribution: 0,
          ObjectName: "",
          DNSConnectStrategy: 0,
          PublishNotReadyAddresses: false,
        },
        ports: [{ name: "http", port: 8080, protocol: "HTTP" }],
        creationTime: "2026-11-24T05:48:09Z",
        hostname: "web-api.istioinaction.svc.cluster.local",
        clusterVIPs: { Addresses: { Kubernetes: ["10.96.125.31"] } },
        defaultAddress: "10.96.125.31",
        Resolution: 0,
        MeshExternal: false,
        ResourceVersion: "568",
      },
    ]);
  });

  test("its endpoints with their identities", () => {
    expect(endpointPage(snapshot)).toMatchObject({
      "web-api.istioinaction.svc.cluster.local": {
        istioinaction: {
          Shards: {
            "Kubernetes/Kubernetes": [
              {
                Addresses: ["10.244.1.11"],
                EndpointPort: 8081,
                ServicePortName: "http",
                TLSMode: "istio",
                HealthStatus: 1,
                ServiceAccount: "spiffe://cluster.local/ns/istioinaction/sa/web-api",
              },
            ],
          },
          ServiceAccounts: { "spiffe://cluster.local/ns/istioinaction/sa/web-api": {} },
        },
      },
    });
  });
});

describe("who may look", () => {
  const mesh = new FakeMesh();
  const pages = new DebugPages({
    snapshot: () => mesh.snapshot(),
    connections: () => [connection({})],
    generator: mesh.generator,
    version: () => version,
    clusterId: "Kubernetes",
    rotation: () => ({ retired: [] }),
    changes: () => [],
    push: () => 1,
  });
  const authenticator: Authenticator = {
    authenticate({ authorization }) {
      const namespace = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
      if (!namespace) return Promise.reject(new CaError("CA_UNAUTHENTICATED", "no"));
      return Promise.resolve({ id: { trustDomain: "cluster.local", namespace, serviceAccount: "a" }, spiffe: "", source: "token" });
    },
  };
  const access = createDebugAccess({ authenticator, pages, namespace: "istio-system" });
  const ask = async (page: string, remoteAddress: string, authorization?: string, query = ""): Promise<number | undefined> =>
    (await access({ page, query: new URLSearchParams(query), remoteAddress, authorization }))?.status;

  test("loopback sees all, the pod network needs a token of istiod's namespace", async () => {
    expect(await ask("syncz", "127.0.0.1")).toBeUndefined();
    expect(await ask("syncz", "10.0.0.5")).toBe(401);
    expect(await ask("syncz", "10.0.0.5", "Bearer istio-system")).toBeUndefined();
    expect(await ask("syncz", "10.0.0.5", "Bearer istioinaction")).toBe(403);
  });
  test("a namespace may look at its own proxies' configuration only", async () => {
    expect(await ask("config_dump", "10.0.0.5", "Bearer istioinaction", "proxyID=web-api-1.istioinaction")).toBeUndefined();
    expect(await ask("config_dump", "10.0.0.5", "Bearer other", "proxyID=web-api-1.istioinaction")).toBe(403);
    expect(await ask("config_dump", "10.0.0.5", "Bearer other", "proxyID=nobody.x")).toBe(403);
  });
  test("what is loopback", () => {
    expect(["127.0.0.1", "::1", "::ffff:127.0.0.1"].every(isLoopback)).toBe(true);
    expect(["10.127.0.1", "", "::ffff:10.0.0.1", "127.evil"].some(isLoopback)).toBe(false);
  });
});

test("metrics: text format, Go's numbers, no memory without end", () => {
  const metrics = new MetricsRegistry();
  metrics.counter("b_total", 'says "x"\nand y').add({ type: 'a"b\\c\n' }, 2);
  metrics.gauge("a_seconds", "g").set(2110859192);
  metrics.histogram("c", "h", [1, 1_000_000]).observe(5);
  const many = metrics.counter("d", "many");
  for (let i = 0; i < 5_000; i++) many.add({ i: String(i) });
  const text = metrics.render();
  expect(text).toStartWith("# HELP a_seconds g\n# TYPE a_seconds gauge\na_seconds 2.110859192e+09\n");
  expect(text).toContain('b_total{type="a\\"b\\\\c\\n"} 2\n');
  expect(text).toContain('c_bucket{le="1"} 0\nc_bucket{le="1e+06"} 1\nc_bucket{le="+Inf"} 1\nc_sum 5\nc_count 1\n');
  expect(text.split("\n").filter((line) => line.startsWith("d{"))).toHaveLength(2_000);
});
