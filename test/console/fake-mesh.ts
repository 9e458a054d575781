import { FakeClock, createLogger, systemClock } from "../../src/base/index.ts";
import { createConsole } from "../../src/console/server/http.ts";
import { type MeshView, type PeerAuthenticationView, type PodView, workloadOf } from "../../src/console/server/mesh-view.ts";
import type { QueryClient, QuerySample } from "../../src/telemetry/index.ts";

const HASH = "7c9f8b6d5";

/** A pod as the console keeps it. */
export function fakePod(namespace: string, workload: string, ip: string, options: { sidecar?: boolean; gateway?: boolean } = {}): PodView {
  const { sidecar = true, gateway = false } = options;
  const app = workload.replace(/-v\d+$/, "");
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `${workload}-${HASH}-x2k4p`, namespace, labels: { app, "pod-template-hash": HASH, ...(gateway && { istio: "ingressgateway" }) }, ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: `${workload}-${HASH}`, uid: "1", controller: true }] },
    spec: { serviceAccountName: app, containers: [{ name: app }, ...(sidecar ? [{ name: "istio-proxy" }] : [])] },
    status: { podIP: ip, phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  };
}

/** A mesh view over plain objects. */
export function fakeMesh(pods: PodView[], policies: PeerAuthenticationView[]): MeshView {
  const names = ["default", "istio-system", "istioinaction"];
  return {
    synced: Promise.resolve(),
    pods: (namespace) => pods.filter((pod) => !namespace || pod.metadata.namespace === namespace),
    services: () => [],
    namespaces: () => names.map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels: (name === "istioinaction" ? { "istio-injection": "enabled" } : {}) as Record<string, string> } })),
    peerAuthentications: () => policies,
    meshConfig: () => undefined,
    workloadByIp: (ip) => {
      const pod = pods.find((p) => p.status?.podIP === ip);
      return pod && workloadOf(pod);
    },
    workloadByPod: (namespace, name) => {
      const pod = pods.find((p) => p.metadata.namespace === namespace && p.metadata.name === name);
      return pod && workloadOf(pod);
    },
    meshNamespaces: () => ["istio-system", "istioinaction"],
    onChange: () => () => {},
    stop: () => {},
  };
}

export const STRICT: PeerAuthenticationView = { apiVersion: "security.istio.io/v1", kind: "PeerAuthentication", metadata: { name: "default", namespace: "istio-system", creationTimestamp: "2026-01-01T00:00:00Z" }, spec: { mtls: { mode: "STRICT" } } };

export const LAB_PODS: PodView[] = [
  fakePod("istio-system", "istio-ingressgateway", "10.244.0.3", { gateway: true }),
  fakePod("istioinaction", "web-api", "10.244.0.4"),
  fakePod("istioinaction", "recommendation", "10.244.0.5"),
  fakePod("istioinaction", "purchase-history-v1", "10.244.0.6"),
  fakePod("istioinaction", "sleep", "10.244.0.7"),
  fakePod("default", "sleep", "10.244.0.9", { sidecar: false }),
];

const principal = (namespace: string, account: string) => `spiffe://cluster.local/ns/${namespace}/sa/${account}`;

function flow(from: [string, string], to: string, value: number, more: Record<string, string> = {}): QuerySample {
  const app = to.replace(/-v\d+$/, "");
  return {
    labels: {
      source_cluster: "Kubernetes", source_workload_namespace: from[0], source_workload: from[1], source_canonical_service: from[1], source_canonical_revision: "v1",
      destination_cluster: "Kubernetes", destination_workload_namespace: "istioinaction", destination_workload: to, destination_canonical_service: app, destination_canonical_revision: "v1",
      destination_service_namespace: "istioinaction", destination_service_name: app, destination_service: `${app}.istioinaction.svc.cluster.local`, request_protocol: "http", response_code: "200", response_flags: "-",
      connection_security_policy: "mutual_tls", source_principal: principal(from[0], from[1]), destination_principal: principal("istioinaction", app),
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
  const refused = [{ labels: { namespace: "istioinaction", pod: `web-api-${HASH}-x2k4p`, source_ip: "10.244.0.9", destination_port: "8081", reason: "plaintext" }, value: 3 }];
  return {
    async instant(query) {
      if (query.includes("chainmail_refused")) return refused;
      if (query.includes("histogram_quantile")) return http.slice(0, 3).map((s, i) => ({ ...s, value: Number(/histogram_quantile\(([\d.]+)/.exec(query)![1]) * (20 - 5 * i) }));
      return query.includes('istio_requests_total{reporter="destination"') ? http : [];
    },
    range: async () => [],
  };
}

/** A console over the lab's mesh, its page from `webRoot`. */
export function fakeConsole(options: { webRoot: string; policies?: PeerAuthenticationView[]; queries?: QueryClient; frozen?: boolean }): (request: Request) => Promise<Response> {
  return createConsole({
    mesh: fakeMesh(LAB_PODS, options.policies ?? [STRICT]),
    queries: options.queries ?? labQueries(),
    webRoot: options.webRoot,
    allowedHosts: [],
    clock: options.frozen ? new FakeClock(1_700_000_000_000) : systemClock,
    log: createLogger("test", { level: "none" }),
  });
}
