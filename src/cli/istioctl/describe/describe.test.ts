import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { GroupVersionResource, KubeClient, ListOptions } from "../../../kube/index.ts";
import type { KubeObject } from "../../../resources/types.ts";
import { authzTable } from "../authz-check.ts";
import type { KubeAccess } from "../kube-access.ts";
import { parseDump } from "../proxy-config/dump.ts";
import { describePod, describeService } from "./describe.ts";
import { effectiveMtls } from "./peer-authentication.ts";

const golden = (name: string): string => readFileSync(`${import.meta.dir}/../../../../test/golden/istioctl/${name}`, "utf8");
const POD = "web-api-77f9dfb8b9-wxndt";

const object = (kind: string, name: string, namespace: string, rest: Record<string, unknown>, metadata: Record<string, unknown> = {}): KubeObject => ({ apiVersion: "v1", kind, metadata: { name, namespace, ...metadata }, ...rest });

const pod = object(
  "Pod",
  POD,
  "istioinaction",
  {
    spec: { containers: [{ name: "web-api", ports: [{ containerPort: 8081, protocol: "TCP" }] }], initContainers: [{ name: "istio-init" }, { name: "istio-proxy" }] },
    status: { phase: "Running", containerStatuses: [{ name: "web-api", ready: true }] },
  },
  { labels: { app: "web-api", version: "v1" }, annotations: { "istio.io/rev": "default" } },
);
const gateway = object(
  "Pod",
  "istio-ingressgateway-1",
  "istio-system",
  { spec: { containers: [{ name: "istio-proxy" }] }, status: { phase: "Running" } },
  { labels: { istio: "ingressgateway" } },
);
const service = object("Service", "web-api", "istioinaction", { spec: { selector: { app: "web-api" }, ports: [{ name: "http", port: 8080, targetPort: 8081 }] } });
const gatewayService = object("Service", "istio-ingressgateway", "istio-system", {
  spec: { selector: { istio: "ingressgateway" }, ports: [{ name: "http2", port: 80, targetPort: 8080 }, { name: "https", port: 443, targetPort: 8443 }] },
  status: { loadBalancer: { ingress: [{ ip: "127.0.0.1" }] } },
});
const virtualService = object("VirtualService", "web-api-gw-vs", "istioinaction", { spec: { hosts: ["istioinaction.io"], http: [{ route: [{ destination: { host: "web-api.istioinaction.svc.cluster.local" } }] }] } });
const peerAuthentication = (name: string): KubeObject => object("PeerAuthentication", name, "istioinaction", { spec: { mtls: { mode: "STRICT" } } });

const dump = (clusters: unknown[], routes: unknown[]): string =>
  JSON.stringify({
    configs: [
      { "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", dynamic_active_clusters: clusters.map((cluster) => ({ cluster })) },
      { "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump" },
      { "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump", dynamic_route_configs: routes.map((route_config) => ({ route_config })) },
    ],
  });
const from = (kind: string, name: string) => ({ filter_metadata: { istio: { config: `/apis/networking.istio.io/v1alpha3/namespaces/istioinaction/${kind}/${name}` } } });
const CLUSTER = "outbound|8080||web-api.istioinaction.svc.cluster.local";
const gatewayDump = dump([{ name: CLUSTER }], [{ name: "http.8080", virtual_hosts: [{ domains: ["istioinaction.io"], routes: [{ route: { cluster: CLUSTER }, metadata: from("virtual-service", "web-api-gw-vs") }] }] }]);

/** Just the reads that describe makes. */
function access(objects: readonly KubeObject[], podDump: string): KubeAccess {
  const kinds: Record<string, string> = { pods: "Pod", services: "Service", virtualservices: "VirtualService", destinationrules: "DestinationRule", peerauthentications: "PeerAuthentication", configmaps: "ConfigMap" };
  const of = (gvr: GroupVersionResource): KubeObject[] => objects.filter(({ kind }) => kind === kinds[gvr.resource]);
  const find = async (gvr: GroupVersionResource, name: string, namespace?: string): Promise<KubeObject | undefined> => of(gvr).find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  const client = {
    find,
    async get(gvr: GroupVersionResource, name: string, namespace?: string) {
      const found = await find(gvr, name, namespace);
      if (!found) throw new Error(`${gvr.resource} ${name} not found`);
      return found;
    },
    async list(gvr: GroupVersionResource, options: ListOptions = {}) {
      const [key, value] = (options.labelSelector ?? "").split("=");
      const items = of(gvr).filter(({ metadata }) => (!options.namespace || metadata.namespace === options.namespace) && (!key || metadata.labels?.[key] === value));
      return { items, resourceVersion: "1" };
    },
  };
  return {
    client: client as unknown as KubeClient,
    namespace: "istioinaction",
    istioNamespace: "istio-system",
    connect: () => Promise.reject(new Error("not here")),
    request: async ({ name }) => ({ status: 200, body: name === POD ? podDump : gatewayDump }),
  };
}

test("a pod under PERMISSIVE, as recorded", async () => {
  const kube = access([pod, gateway, service, gatewayService, virtualService], dump([{ name: CLUSTER }], []));
  expect(await describePod(kube, POD, "istioinaction")).toBe(golden("x-describe-pod-permissive.txt"));
  expect(await describeService(kube, "web-api", "istioinaction")).toBe(golden("x-describe-service.txt"));
});

test("a pod with a rule that contradicts its policies, as recorded", async () => {
  const rule = object("DestinationRule", "bad-dr", "istioinaction", { spec: { host: "web-api.istioinaction.svc.cluster.local", trafficPolicy: { tls: { mode: "DISABLE" } } } });
  const kube = access([pod, gateway, service, gatewayService, virtualService, rule, peerAuthentication("strict"), peerAuthentication("strict2")], dump([{ name: CLUSTER, metadata: from("destination-rule", "bad-dr") }], []));
  expect(await describePod(kube, POD, "istioinaction")).toBe(golden("x-describe-pod-bad.txt"));
});

test("subsets and weights: what reaches the pod and what does not", async () => {
  const rule = object("DestinationRule", "web-api", "istioinaction", { spec: { host: "web-api", subsets: [{ name: "v1", labels: { version: "v1" } }, { name: "v2", labels: { version: "v2" } }] } });
  const split = object("VirtualService", "web-api-vs", "istioinaction", {
    spec: { http: [{ match: [{ headers: { user: { exact: "Tom" } } }], route: [{ destination: { host: "web-api", subset: "v2" } }] }, { route: [{ destination: { host: "web-api", subset: "v1" }, weight: 80 }, { destination: { host: "web-api", subset: "v2" }, weight: 20 }] }] },
  });
  const routes = [{ name: "8080", virtual_hosts: [{ domains: ["web-api.istioinaction.svc.cluster.local"], routes: [{ route: { cluster: CLUSTER }, metadata: from("virtual-service", "web-api-vs") }] }] }];
  const kube = access([pod, service, rule, split], dump([{ name: CLUSTER, metadata: from("destination-rule", "web-api") }], routes));
  expect(await describeService(kube, "web-api", "istioinaction")).toBe(`Service: web-api
   Port: http 8080/HTTP targets pod port 8081
DestinationRule: web-api for "web-api"
   Matching subsets: v1
      (Non-matching subsets v2)
   No Traffic Policy
VirtualService: web-api-vs
   Weight 80%
   1 additional destination(s) that will not reach this pod
Skipping Gateway information (no ingress gateway pods)
`);
});

test("a pod outside the mesh is said to be so", async () => {
  const plain = object("Pod", "plain", "default", { spec: { containers: [{ name: "app" }] }, status: { phase: "Running" } });
  expect(await describePod(access([plain], ""), "plain", "default")).toBe("Pod: plain\n   Pod does not expose ports\nWARNING: plain is not part of mesh; no Istio sidecar\n");
});

test("effective mutual TLS: workload over namespace over mesh, the oldest of equals, ports from the workload only", () => {
  const policy = (name: string, namespace: string, spec: Record<string, unknown>, created: string): KubeObject => object("PeerAuthentication", name, namespace, { spec }, { creationTimestamp: created });
  const mesh = policy("default", "istio-system", { mtls: { mode: "STRICT" } }, "2026-01-01T00:00:00Z");
  const younger = policy("young", "ns", { mtls: { mode: "DISABLE" } }, "2026-01-03T00:00:00Z");
  const older = policy("old", "ns", { mtls: { mode: "UNSET" } }, "2026-01-02T00:00:00Z");
  const own = policy("own", "ns", { selector: { matchLabels: { app: "a" } }, portLevelMtls: { 8080: { mode: "DISABLE" }, 9090: {} } }, "2026-01-04T00:00:00Z");
  const ignored = policy("sel", "istio-system", { selector: { matchLabels: { app: "a" } }, mtls: { mode: "DISABLE" } }, "2025-01-01T00:00:00Z");
  const all = [mesh, younger, older, own, ignored];
  const effective = effectiveMtls(all, "istio-system", "ns", { app: "a" });
  expect([effective.mode, [...effective.perPort]]).toEqual(["STRICT", [[8080, "DISABLE"], [9090, "STRICT"]]]);
  expect(effectiveMtls([younger], "istio-system", "ns", {}).mode).toBe("DISABLE");
  expect(effectiveMtls([], "istio-system", "ns", {}).mode).toBe("PERMISSIVE");
});

test("x authz check: the recorded table from filters of HTTP and TCP chains", () => {
  const rbac = (type: string, action: string | undefined, policies: string[]) => ({ typed_config: { "@type": `type.googleapis.com/envoy.extensions.filters.${type}.rbac.v3.RBAC`, rules: { ...(action && { action }), policies: Object.fromEntries(policies.map((name) => [name, {}])) } } });
  const text = JSON.stringify({
    configs: [
      {
        "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
        dynamic_listeners: [
          {
            active_state: {
              listener: {
                name: "virtualInbound",
                filter_chains: [
                  { filters: [{ typed_config: { http_filters: [rbac("http", "DENY", ["ns[istioinaction]-policy[web-api-deny]-rule[0]"]), rbac("http", undefined, ["ns[istioinaction]-policy[web-api-allow]-rule[0]"])] } }] },
                  { filters: [rbac("network", undefined, [])] },
                ],
              },
            },
          },
        ],
      },
    ],
  });
  expect(authzTable(parseDump(text))).toBe(golden("x-authz-check.txt"));
});
