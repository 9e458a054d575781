import { FakeClock, createLogger, systemClock } from "../../src/base/index.ts";
import { createConsole } from "../../src/console/server/http.ts";
import type { Istiod } from "../../src/console/server/istiod.ts";
import { type MeshView, type PeerAuthenticationView, type PodView, type ServiceView, workloadOf } from "../../src/console/server/mesh-view.ts";
import type { PodLogs } from "../../src/console/server/pod-logs.ts";
import type { Guide } from "../../src/console/guide/index.ts";
import type { ExecRequest, ExecResult, GroupVersionResource, Transport } from "../../src/kube/index.ts";
import type { UserTransport } from "../../src/console/server/writes.ts";
import type { TraceClient } from "../../src/console/server/traces.ts";
import type { KubeObject } from "../../src/resources/types.ts";
import { labTraces } from "./fake-traces.ts";
import type { QueryClient, QuerySample } from "../../src/telemetry/index.ts";

const HASH = "7c9f8b6d5";

/** A pod as the console keeps it. */
export function fakePod(namespace: string, workload: string, ip: string, options: { sidecar?: boolean; gateway?: boolean } = {}): PodView {
  const { sidecar = true, gateway = false } = options;
  const app = workload.replace(/-v\d+$/, "");
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${workload}-${HASH}-x2k4p`,
      namespace,
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: {
        app,
        ...(workload.includes("-v") && { version: /v\d+$/.exec(workload)![0] }),
        "pod-template-hash": HASH,
        ...(gateway && { istio: "ingressgateway" }),
      },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: `${workload}-${HASH}`, uid: "1", controller: true }],
    },
    spec: {
      serviceAccountName: app,
      nodeName: "node",
      containers: gateway ? [] : [{ name: app, image: `example/${app}:1`, ports: [{ containerPort: 8081 }] }],
      initContainers: sidecar ? [{ name: "istio-proxy", image: "chainmail/proxyv2:1", restartPolicy: "Always" }] : [],
    },
    status: {
      podIP: ip,
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: gateway ? [] : [{ name: app, ready: true, restartCount: 0 }],
      initContainerStatuses: sidecar ? [{ name: "istio-proxy", ready: true, restartCount: 0 }] : [],
    },
  };
}

export interface FakeMeshOptions {
  pods?: PodView[];
  policies?: PeerAuthenticationView[];
  services?: ServiceView[];
  namespaces?: Record<string, Record<string, string>>;
  /** Objects of other kinds, by the resource's name. */
  objects?: Record<string, KubeObject[]>;
}

export interface FakeMesh extends MeshView {
  /** Puts other policies in force, as an applied manifest would. */
  setPolicies(policies: PeerAuthenticationView[]): void;
}

/** A mesh view over plain objects. */
export function fakeMesh({
  pods = LAB_PODS,
  policies = [],
  services = LAB_SERVICES,
  namespaces = LAB_NAMESPACES,
  objects = {},
}: FakeMeshOptions = {}): FakeMesh {
  let current = policies;
  const listeners = new Set<() => void>();
  return {
    synced: Promise.resolve(),
    pods: (namespace) => pods.filter((pod) => !namespace || pod.metadata.namespace === namespace),
    services: (namespace) => services.filter((service) => !namespace || service.metadata.namespace === namespace),
    namespaces: () => Object.entries(namespaces).map(([name, labels]) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } })),
    peerAuthentications: () => current,
    meshConfig: () => undefined,
    rootCertificates: () => "",
    workloadByIp: (ip) => {
      const pod = pods.find((p) => p.status?.podIP === ip);
      return pod && workloadOf(pod);
    },
    workloadByPod: (namespace, name) => {
      const pod = pods.find((p) => p.metadata.namespace === namespace && p.metadata.name === name);
      return pod && workloadOf(pod);
    },
    meshNamespaces: () => [...new Set(pods.filter((pod) => pod.spec?.initContainers?.length).map((pod) => pod.metadata.namespace ?? ""))].sort(),
    // The caller names the type of the kind that it asks for.
    objects: <T extends KubeObject>({ resource }: GroupVersionResource) =>
      Promise.resolve((resource === "peerauthentications" ? current : (objects[resource] ?? [])) as T[]),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => {},
    setPolicies(next) {
      current = next;
      listeners.forEach((listener) => listener());
    },
  };
}

export const STRICT: PeerAuthenticationView = {
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "default", namespace: "istio-system", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { mtls: { mode: "STRICT" } },
};

export const LAB_PODS: PodView[] = [
  fakePod("istio-system", "istio-ingressgateway", "10.244.0.3", { gateway: true }),
  fakePod("istioinaction", "web-api", "10.244.0.4"),
  fakePod("istioinaction", "recommendation", "10.244.0.5"),
  fakePod("istioinaction", "purchase-history-v1", "10.244.0.6"),
  fakePod("istioinaction", "sleep", "10.244.0.7"),
  fakePod("default", "sleep", "10.244.0.9", { sidecar: false }),
];

export const LAB_NAMESPACES: Record<string, Record<string, string>> = { default: {}, "istio-system": {}, istioinaction: { "istio-injection": "enabled" } };

const labService = (name: string): ServiceView => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "istioinaction", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { type: "ClusterIP", clusterIP: "10.96.0.20", selector: { app: name }, ports: [{ name: "http", port: 8080, targetPort: 8081, protocol: "TCP" }] },
});
export const LAB_SERVICES: ServiceView[] = ["web-api", "recommendation", "purchase-history"].map(labService);

const principal = (namespace: string, account: string) => `spiffe://cluster.local/ns/${namespace}/sa/${account}`;

export function flow(from: [string, string], to: string, value: number, more: Record<string, string> = {}): QuerySample {
  const app = to.replace(/-v\d+$/, "");
  return {
    labels: {
      source_cluster: "Kubernetes",
      source_workload_namespace: from[0],
      source_workload: from[1],
      source_canonical_service: from[1],
      source_canonical_revision: "v1",
      destination_cluster: "Kubernetes",
      destination_workload_namespace: "istioinaction",
      destination_workload: to,
      destination_canonical_service: app,
      destination_canonical_revision: "v1",
      destination_service_namespace: "istioinaction",
      destination_service_name: app,
      destination_service: `${app}.istioinaction.svc.cluster.local`,
      request_protocol: "http",
      response_code: "200",
      response_flags: "-",
      connection_security_policy: "mutual_tls",
      source_principal: principal(from[0], from[1]),
      destination_principal: principal("istioinaction", app),
      ...more,
    },
    value,
  };
}

/** The lab's traffic at step 7: requests through the gateway, one refused caller. */
export function labQueries(): QueryClient {
  const http = [
    flow(["istio-system", "istio-ingressgateway"], "web-api", 2.4),
    flow(["istioinaction", "web-api"], "recommendation", 2.4),
    flow(["istioinaction", "recommendation"], "purchase-history-v1", 2.2),
    flow(["istioinaction", "recommendation"], "purchase-history-v1", 0.2, { response_code: "503", response_flags: "UF,URX" }),
  ];
  const refused = [
    {
      labels: { namespace: "istioinaction", pod: `web-api-${HASH}-x2k4p`, source_ip: "10.244.0.9", destination_port: "8081", reason: "filter_chain_not_found" },
      value: 3,
    },
  ];
  return {
    async instant(query) {
      if (query.includes("chainmail_refused")) return refused;
      if (query.includes("histogram_quantile"))
        return http.slice(0, 3).map((s, i) => ({ ...s, value: Number(/histogram_quantile\(([\d.]+)/.exec(query)![1]) * (20 - 5 * i) }));
      if (query.includes('connection_security_policy="none"')) return [];
      if (query.includes("istio_requests_total{destination_service_namespace"))
        return http.map((sample) => ({ ...sample, labels: { ...sample.labels, reporter: "destination" } }));
      if (query.includes('response_code=~"0|[45]')) return http.filter(({ labels }) => labels.response_code === "503");
      return query.includes('istio_requests_total{reporter="destination"') || query.includes('istio_requests_total{destination_workload!="unknown"')
        ? http
        : [];
    },
    async range(query, start, end, step) {
      const scale = query.includes("duration") ? 12 : query.includes("bytes") ? 4_000 : 2.4;
      if (query.includes("tcp") || query.includes("messages")) return [];
      const points = Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, i): [number, number] => [
        start + i * step,
        scale * (1 + 0.3 * Math.sin(i / 9)),
      ]);
      return [{ labels: {}, points }];
    },
  };
}

/** A log of two containers: the application's own words and the proxy's access log. */
export const LAB_LOGS: PodLogs = {
  async *lines({ container }) {
    if (container !== "istio-proxy") {
      yield "2026-11-24T06:23:50.400000000Z web-api listening on :8081";
      yield "2026-11-24T06:23:50.425000000Z error: upstream answered 503";
      return;
    }
    yield '2026-11-24T06:23:50.422000000Z [2026-11-24T06:23:50.422Z] "GET /hello HTTP/1.1" 200 - via_upstream - "-" 0 543 3 3 "-" "curl/7.88.1" "36e31c5f" "web-api:8080" "10.244.0.4:8081" inbound|8081|| 127.0.0.6:38900 10.244.0.4:8081 10.244.0.7:54412 outbound_.8080_._.web-api.istioinaction.svc.cluster.local default';
    yield '2026-11-24T06:23:51.422000000Z [2026-11-24T06:23:51.422Z] "GET /hello HTTP/1.1" 200 - via_upstream - "-" 0 543 3 3 "-" "curl/7.88.1" "36e31c5f" "web-api:8080" "10.244.0.4:8081" inbound|8081|| 127.0.0.6:38900 10.244.0.4:8081 10.244.0.9:54412 - default';
    yield '2026-11-24T06:23:52.422000000Z [2026-11-24T06:23:52.422Z] "POST /hello HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl/7.88.1" "36e31c5f" "web-api:8080" "-" inbound|8081|| - 10.244.0.4:8081 10.244.0.7:54412 outbound_.8080_._.web-api.istioinaction.svc.cluster.local default';
    yield '2026-11-24T06:23:53.422000000Z [2026-11-24T06:23:53.422Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.244.0.4:8081 10.244.0.9:53142 - -';
  },
};

const object = (kind: string, apiVersion: string, namespace: string, name: string, spec: unknown): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace, creationTimestamp: "2026-01-01T00:00:00Z" },
  spec,
});

/** Istio objects of the lab, some of them wrong. */
export const LAB_OBJECTS: Record<string, KubeObject[]> = {
  gateways: [
    object("Gateway", "networking.istio.io/v1", "istioinaction", "outfitters-gateway", {
      selector: { istio: "ingressgateway" },
      servers: [
        { port: { number: 443, name: "https", protocol: "HTTPS" }, hosts: ["istioinaction.io"], tls: { mode: "SIMPLE", credentialName: "istioinaction-cert" } },
      ],
    }),
  ],
  virtualservices: [
    object("VirtualService", "networking.istio.io/v1", "istioinaction", "web-api-gw-vs", {
      hosts: ["istioinaction.io"],
      gateways: ["outfitters-gateway"],
      http: [{ route: [{ destination: { host: "web-api", subset: "v9", port: { number: 8080 } } }, { destination: { host: "nowhere" }, weight: 10 }] }],
    }),
  ],
  authorizationpolicies: [
    object("AuthorizationPolicy", "security.istio.io/v1", "istioinaction", "allow-sleep", {
      selector: { matchLabels: { app: "gone" } },
      rules: [{ from: [{ source: { principals: ["cluster.local/ns/istioinaction/sa/nobody"] } }] }],
    }),
  ],
  serviceaccounts: ["web-api", "sleep"].map((name) => object("ServiceAccount", "v1", "istioinaction", name, undefined)),
};

/** Logs of no pod. */
export const NO_LOGS: PodLogs = { lines: async function* () {} };

/** An istiod with all proxies in sync. */
export function fakeIstiod(pods: PodView[] = LAB_PODS): Istiod {
  return {
    syncz: async () =>
      pods
        .filter((pod) => pod.spec?.initContainers?.length)
        .map((pod) => ({
          proxy: `${pod.metadata.name}.${pod.metadata.namespace}`,
          proxy_type: "sidecar",
          istio_version: "1.27.0",
          cluster_sent: "1",
          cluster_acked: "1",
          listener_sent: "1",
          listener_acked: "1",
          route_sent: "1",
          route_acked: "1",
          endpoint_sent: "1",
          endpoint_acked: "1",
        })),
    configDump: async () => ({ configs: [] }),
    changes: async () => [{ at: Date.now(), proxies: 7, unaffected: 1, applied: 6, refused: [], waiting: 0, milliseconds: 18 }],
    version: async () => "1.27.0-test-Clean",
  };
}

export interface FakeConsoleOptions {
  webRoot: string;
  mesh?: MeshView;
  policies?: PeerAuthenticationView[];
  queries?: QueryClient;
  traces?: TraceClient;
  asUser?: UserTransport;
  logs?: PodLogs;
  istiod?: Istiod;
  guides?: readonly Guide[];
  own?: Transport;
  execAs?: (token: string) => (request: ExecRequest) => Promise<ExecResult>;
  frozen?: boolean;
}

/** A console over the lab's mesh, its page from `webRoot`. */
export function fakeConsole(options: FakeConsoleOptions): (request: Request) => Promise<Response> {
  return createConsole({
    mesh: options.mesh ?? fakeMesh({ policies: options.policies ?? [STRICT] }),
    queries: options.queries ?? labQueries(),
    traces: options.traces ?? labTraces(),
    logs: options.logs ?? NO_LOGS,
    istiod: options.istiod ?? fakeIstiod(),
    asUser: options.asUser ?? (() => async () => Response.json({ message: "Unauthorized" }, { status: 401 })),
    execAs: options.execAs ?? (() => async () => ({ stdout: "", stderr: "", exitCode: 0 })),
    own: options.own ?? (async () => Response.json({ message: "not found" }, { status: 404 })),
    guides: options.guides ?? [],
    webRoot: options.webRoot,
    allowedHosts: [],
    clock: options.frozen ? new FakeClock(1_700_000_000_000) : systemClock,
    log: createLogger("test", { level: "none" }),
  });
}
