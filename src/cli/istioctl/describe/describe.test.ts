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

const object = (kind: string, name: string, namespace: string, rest: Record<string, unknown>, metadata: Record<string, unknown> = {}): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace, ...metadata },
  ...rest,
});

const pod = object(
  "Pod",
  POD,
  "istioinaction",
  {
    spec: {
      containers: [{ name: "web-api", ports: [{ containerPort: 8081, protocol: "TCP" }] }],
      initContainers: [{ name: "istio-init" }, { name: "istio-proxy" }],
    },
    status: {
      phase: "Running",
      containerStatuses: [{ name: "web-api", ready: true }],
      initContainerStatuses: [
        { name: "istio-init", ready: true },
        { name: "istio-proxy", ready: true },
      ],
    },
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
const service = object("Service", "web-api", "istioinaction", {
  spec: { selector: { app: "web-api" }, ports: [{ name: "http", port: 8080, targetPort: 8081 }] },
});
const gatewayService = object("Service", "istio-ingressgateway", "istio-system", {
  spec: {
    selector: { istio: "ingressgateway" },
    ports: [
      { name: "http2", port: 80, targetPort: 8080 },
      { name: "https", port: 443, targetPort: 8443 },
    ],
  },
  status: { loadBalancer: { ingress: [{ ip: "127.0.0.1" }] } },
});
const coffee = object("Gateway", "web-api-gateway", "istioinaction", { spec: { selector: { istio: "ingressgateway" } } });
const virtualService = object("VirtualService", "web-api-gw-vs", "istioinaction", {
  spec: {
    hosts: ["istioinaction.io"],
    gateways: ["web-api-gateway"],
    http: [{ route: [{ destination: { host: "web-api.istioinaction.svc.cluster.local" } }] }],
  },
});
const peerAuthentication = (name: string): KubeObject => object("PeerAuthentication", name, "istioinaction", { spec: { mtls: { mode: "STRICT" } } });

const dump = (clusters: unknown[], routes: unknown[]): string =>
  JSON.stringify({
    configs: [
      { "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", dynamic_active_clusters: clusters.map((cluster) => ({ cluster })) },
      { "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump" },
      { "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump", dynamic_route_configs: routes.map((route_config) => ({ route_config })) },
    ],
  });
const from = (kind: string, name: string) => ({
  filter_metadata: { istio: { config: `/apis/networking.istio.io/v1alpha3/namespaces/istioinaction/${kind}/${name}` } },
});
const CLUSTER = "outbound|8080||web-api.istioinaction.svc.cluster.local";
const gatewayDump = dump(
  [{ name: CLUSTER }],
  [
    {
      name: "http.8080",
      virtual_hosts: [{ domains: ["istioinaction.io"], routes: [{ route: { cluster: CLUSTER }, metadata: from("virtual-service", "web-api-gw-vs") }] }],
    },
  ],
);

/** Just the reads that describe makes. */
function access(objects: readonly KubeObject[], podDump: string): KubeAccess {
  const kinds: Record<string, string> = {
    pods: "Pod",
    services: "Service",
    virtualservices: "VirtualService",
    destinationrules: "DestinationRule",
    peerauthentications: "PeerAuthentication",
    gateways: "Gateway",
    configmaps: "ConfigMap",
  };
  const of = (gvr: GroupVersionResource): KubeObject[] => objects.filter(({ kind }) => kind === kinds[gvr.resource]);
  const find = async (gvr: GroupVersionResource, name: string, namespace?: string): Promise<KubeObject | undefined> =>
    of(gvr).find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  const client = {
    find,
    async get(gvr: GroupVersionResource, name: string, namespace?: string) {
      const found = await find(gvr, name, namespace);
      if (!found) throw new Error(`${gvr.resource} ${name} not found`);
      return found;
    },
    async list(gvr: GroupVersionResource, options: ListOptions = {}) {
      const [key, value] = (options.labelSelector ?? "").split("=");
      const items = of(gvr).filter(
        ({ metadata }) => (!options.namespace || metadata.namespace === options.namespace) && (!key || metadata.labels?.[key] === value),
      );
      return { items, resourceVersion: "1" };
    },
  };
  return {
    client: client as unknown as KubeClient,
    namespace: "istioinaction",
    istioNamespace: "istio-system",
    connect: () => Promise.reject(new Error("not here")),
    request: async ({ name }) => {
      if (name === "plain") throw new Error("connection refused");
      return { status: 200, body: name === POD ? podDump : gatewayDump };
    },
  };
}

async function all(parts: AsyncIterable<string>): Promise<string> {
  return (await Array.fromAsync(parts)).join("");
}

test("a pod under PERMISSIVE, as recorded", async () => {
  const kube = access([pod, gateway, service, gatewayService, coffee, virtualService], dump([{ name: CLUSTER }], []));
  expect(await all(describePod(kube, POD, "istioinaction"))).toBe(golden("x-describe-pod-permissive.txt"));
  expect(await all(describeService(kube, "web-api", "istioinaction"))).toBe(golden("x-describe-service.txt"));
});

test("a pod with a rule that contradicts its policies, as recorded", async () => {
  const rule = object("DestinationRule", "bad-dr", "istioinaction", {
    spec: { host: "web-api.istioinaction.svc.cluster.local", trafficPolicy: { tls: { mode: "DISABLE" } } },
  });
  const kube = access(
    [pod, gateway, service, gatewayService, coffee, virtualService, rule, peerAuthentication("strict"), peerAuthentication("strict2")],
    dump([{ name: CLUSTER, metadata: from("destination-rule", "bad-dr") }], []),
  );
  expect(await all(describePod(kube, POD, "istioinaction"))).toBe(golden("x-describe-pod-bad.txt"));
});

test("subsets and weights: what reaches the pod and what does not", async () => {
  const rule = object("DestinationRule", "web-api", "istioinaction", {
    spec: {
      host: "web-api",
      subsets: [
        { name: "v1", labels: { version: "v1" } },
        { name: "v2", labels: { version: "v2" } },
      ],
    },
  });
  const split = object("VirtualService", "web-api-vs", "istioinaction", {
    spec: {
      http: [
        { match: [{ headers: { user: { exact: "Tom" } } }], route: [{ destination: { host: "web-api", subset: "v2" } }] },
        {
          route: [
            { destination: { host: "web-api", subset: "v1" }, weight: 80 },
            { destination: { host: "web-api", subset: "v2" }, weight: 20 },
          ],
        },
      ],
    },
  });
  const routes = [
    {
      name: "8080",
      virtual_hosts: [
        { domains: ["web-api.istioinaction.svc.cluster.local"], routes: [{ route: { cluster: CLUSTER }, metadata: from("virtual-service", "web-api-vs") }] },
      ],
    },
  ];
  const kube = access([pod, service, rule, split], dump([{ name: CLUSTER, metadata: from("destination-rule", "web-api") }], routes));
  expect(await all(describeService(kube, "web-api", "istioinaction"))).toBe(`Service: web-api
   Port: http 8080/HTTP targets pod port 8081
DestinationRule: web-api for "web-api"
   Matching subsets: v1
      (Non-matching subsets v2)
   No Traffic Policy
VirtualService: web-api-vs
   Route to host "web-api" subset "v1" with weight 80%
   1 additional destination(s) that will not reach this pod
Skipping Gateway information (no ingress gateway pods)
`);
});

test("a pod outside the mesh is said to be so, and its proxy cannot be asked", async () => {
  const plain = object("Pod", "plain", "default", {
    spec: { containers: [{ name: "app", securityContext: { runAsUser: 1337 } }] },
    status: { phase: "Running" },
  });
  const selecting = object("Service", "plain", "default", { spec: { selector: { app: "plain" }, ports: [{ port: 80 }] } });
  const told: string[] = [];
  const parts = describePod(access([plain], ""), "plain", "default");
  const reading = (async () => {
    for await (const part of parts) told.push(part);
  })();
  expect(reading).rejects.toThrow("failed to execute command on sidecar: connection refused");
  await reading.catch(() => undefined);
  expect(told.join("")).toBe(`WARNING: User ID (UID) 1337 is reserved for the sidecar proxy.
Pod: plain.default
   Pod Revision: \n   Pod does not expose ports
WARNING: plain.default is not part of mesh; no Istio sidecar
Warning: No Kubernetes Services select pod plain.default (see https://istio.io/docs/setup/kubernetes/additional-setup/requirements/ )
--------------------
`);
  const labelled = { ...plain, metadata: { ...plain.metadata, labels: { app: "plain" } } };
  expect(await all(describeService(access([labelled, selecting], ""), "plain", "default"))).toBe(
    'Pod plain.default: no container "istio-proxy" in pod\nService "plain.default" has no Istio pods.  (1 pods in service).\nUse `istioctl kube-inject` or redeploy with Istio automatic sidecar injection.\n',
  );
  expect(await all(describeService(access([selecting], ""), "plain", "default"))).toBe('Service "plain.default" has no pods.\n');
});

test("several ports: each says which one it is about, rules stand further in", async () => {
  const wide = object("Service", "web-api", "istioinaction", {
    spec: {
      selector: { app: "web-api" },
      ports: [
        { name: "http", port: 8080, targetPort: 8081 },
        { name: "tcp-db", port: 5432, targetPort: "db" },
        { port: 53, protocol: "UDP" },
      ],
    },
  });
  const rule = object("DestinationRule", "web-api", "istioinaction", {
    spec: {
      host: "web-api",
      trafficPolicy: {
        loadBalancer: {},
        connectionPool: {},
        outlierDetection: {},
        portLevelSettings: [{ port: { number: 8080 }, tls: { mode: "SIMPLE" }, connectionPool: {} }],
      },
      subsets: [{ name: "v9", labels: { version: "v9" } }],
    },
  });
  const odd = object("VirtualService", "odd", "istioinaction", {
    spec: {
      http: [
        { route: [{ destination: { host: "web-api", subset: "v9" } }] },
        { match: [{ uri: { prefix: "/x" } }], route: [{ destination: { host: "web-api", subset: "v8" } }] },
        { route: [{ destination: { host: "elsewhere", subset: "v1" } }] },
      ],
    },
  });
  const routes = [
    {
      name: "8080",
      virtual_hosts: [
        { domains: ["web-api.istioinaction.svc.cluster.local"], routes: [{ route: { cluster: CLUSTER }, metadata: from("virtual-service", "odd") }] },
      ],
    },
  ];
  const rbac = {
    name: "virtualInbound",
    filter_chains: [
      {
        filters: [
          {
            typed_config: {
              "@type": "x.HttpConnectionManager",
              http_filters: [
                { name: "envoy.filters.http.rbac", typed_config: { rules: { policies: { b: {}, a: {} } } } },
                { name: "envoy.filters.http.rbac", typed_config: { rules: { policies: { c: {} } } } },
              ],
            },
          },
        ],
      },
    ],
  };
  const full = JSON.parse(dump([{ name: CLUSTER, metadata: from("destination-rule", "web-api") }], routes)) as { configs: Record<string, unknown>[] };
  Object.assign(full.configs[1] ?? {}, { dynamic_listeners: [{ active_state: { listener: rbac } }] });
  const kube = access([{ ...pod, metadata: { ...pod.metadata, uid: "u-1" } }, wide, rule, odd], JSON.stringify(full));
  expect(await all(describeService(kube, "web-api", "istioinaction"))).toBe(`Service: web-api
   Port: http 8080/HTTP targets pod port 8081
   no suitable port for manifest: u-1
8080:
   DestinationRule: web-api for "web-api"
      WARNING POD DOES NOT MATCH ANY SUBSETS.  (Non matching subsets v9)
      Matching subsets: \n         (Non-matching subsets v9)
      Policies: load balancer/connection pool/outlier detection
      Port Level Settings:
    8080:
         TLS Mode: SIMPLE
         Policies: connection pool
   VirtualService: odd
      WARNING: No destinations match pod subsets (checked 3 HTTP routes)
         Route to non-matching subset v9 for (everything)
         Warning: Route to UNKNOWN subset v8; check DestinationRule web-api
         Route to elsewhere with invalid config
8080 RBAC policies: a, b
5432:
5432 RBAC policies: a, b
53:
53 RBAC policies: a, b
Skipping Gateway information (no ingress gateway pods)
`);
});

test("effective mutual TLS: workload over namespace over mesh, the oldest of equals, ports from the workload only", () => {
  const policy = (name: string, namespace: string, spec: Record<string, unknown>, created: string): KubeObject =>
    object("PeerAuthentication", name, namespace, { spec }, { creationTimestamp: created });
  const mesh = policy("default", "istio-system", { mtls: { mode: "STRICT" } }, "2026-01-01T00:00:00Z");
  const younger = policy("young", "ns", { mtls: { mode: "DISABLE" } }, "2026-01-03T00:00:00Z");
  const older = policy("old", "ns", { mtls: { mode: "UNSET" } }, "2026-01-02T00:00:00Z");
  const own = policy("own", "ns", { selector: { matchLabels: { app: "a" } }, portLevelMtls: { 8080: { mode: "DISABLE" }, 9090: {} } }, "2026-01-04T00:00:00Z");
  const ignored = policy("sel", "istio-system", { selector: { matchLabels: { app: "a" } }, mtls: { mode: "DISABLE" } }, "2025-01-01T00:00:00Z");
  const all = [mesh, younger, older, own, ignored];
  const effective = effectiveMtls(all, "istio-system", "ns", { app: "a" });
  expect([effective.mode, [...effective.perPort]]).toEqual([
    "STRICT",
    [
      [8080, "DISABLE"],
      [9090, "STRICT"],
    ],
  ]);
  expect(effectiveMtls([younger], "istio-system", "ns", {}).mode).toBe("DISABLE");
  expect(effectiveMtls([], "istio-system", "ns", {}).mode).toBe("PERMISSIVE");
});

test("x authz check: the recorded table from filters of HTTP and TCP chains", () => {
  const rbac = (type: string, action: string | undefined, policies: string[]) => ({
    typed_config: {
      "@type": `type.googleapis.com/envoy.extensions.filters.${type}.rbac.v3.RBAC`,
      rules: { ...(action && { action }), policies: Object.fromEntries(policies.map((name) => [name, {}])) },
    },
  });
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
                  {
                    filters: [
                      {
                        typed_config: {
                          http_filters: [
                            rbac("http", "DENY", ["ns[istioinaction]-policy[web-api-deny]-rule[0]"]),
                            rbac("http", undefined, ["ns[istioinaction]-policy[web-api-allow]-rule[0]"]),
                          ],
                        },
                      },
                    ],
                  },
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
