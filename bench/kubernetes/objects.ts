/** What the benchmark writes and reads. */
import type { Call } from "./load-client.ts";

export const NAMESPACE = "load";

export function configMap(name: string, value: string) {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: NAMESPACE, labels: { app: "load", tier: "bench" }, annotations: { "example.com/note": "written by the benchmark" } },
    data: { value, "app.properties": "color=blue\nsize=12\nretries=3\nendpoint=http://backend.load.svc:8080\n", level: "info" },
  };
}

/** A pod as an injected mesh has it: with its managedFields and status 7.7 KB in JSON. */
export function pod(index: number) {
  const probe = { httpGet: { path: "/healthz", port: 8080 }, initialDelaySeconds: 1, periodSeconds: 5, failureThreshold: 3 };
  const container = (name: string, image: string) => ({
    name,
    image,
    args: ["--port", "8080", "--name", `app-${index}`],
    ports: [{ name: `${name}-http`.slice(0, 15), containerPort: name === "app" ? 8080 : 15090, protocol: "TCP" }],
    env: [
      { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
      { name: "MESSAGE", value: `Hello from app-${index}` },
    ],
    resources: { requests: { cpu: "10m", memory: "40Mi" }, limits: { cpu: "2", memory: "1Gi" } },
    readinessProbe: probe,
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, runAsNonRoot: true, runAsUser: 1337 },
  });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `app-${String(index).padStart(5, "0")}`,
      namespace: NAMESPACE,
      labels: { app: `app-${index % 50}`, version: "v1", "security.istio.io/tlsMode": "istio", "service.istio.io/canonical-name": `app-${index % 50}` },
      annotations: { "prometheus.io/path": "/stats/prometheus", "prometheus.io/port": "15020", "prometheus.io/scrape": "true" },
    },
    spec: { nodeName: "node-0", containers: [container("app", "example/app:1"), container("istio-proxy", "example/proxy:1")] },
  };
}

export function podStatus(index: number) {
  const time = "2026-01-01T00:00:00Z";
  const container = (name: string) => ({
    name,
    image: `example/${name}:1`,
    imageID: "",
    ready: true,
    restartCount: 0,
    started: true,
    state: { running: { startedAt: time } },
  });
  return {
    status: {
      phase: "Running",
      podIP: `10.20.${index >> 8}.${index & 255}`,
      hostIP: "10.0.0.1",
      conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({ type, status: "True", lastTransitionTime: time })),
      containerStatuses: [container("app"), container("istio-proxy")],
    },
  };
}

export const CONFIG_MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
export const POD_LIST = `/api/v1/namespaces/${NAMESPACE}/pods`;

/** What a pod needs to be admitted: the namespace, and an account that a controller would make. */
export const WORLD: Call[] = [
  { method: "POST", path: "/api/v1/namespaces", body: JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }) },
  {
    method: "POST",
    path: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
    body: JSON.stringify({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: NAMESPACE } }),
  },
];

const MERGE_PATCH = "application/merge-patch+json";
const APPLY_PATCH = "application/apply-patch+yaml";

/** The operations with a bar, in an order in which each finds what it needs. `set`: names of their own. */
export const OPERATIONS: Record<string, (set: string, count: number) => Call[]> = {
  create: (set, count) => times(count, (i) => ({ method: "POST", path: CONFIG_MAPS, body: JSON.stringify(configMap(`${set}-${i}`, "1")) })),
  get: (set, count) => times(count, (i) => ({ method: "GET", path: `${CONFIG_MAPS}/${set}-${i}` })),
  "merge patch": (set, count) =>
    times(count, (i) => ({ method: "PATCH", path: `${CONFIG_MAPS}/${set}-${i}`, type: MERGE_PATCH, body: JSON.stringify({ data: { value: "2" } }) })),
  "apply, new": (set, count) => times(count, (i) => apply(`${set}-applied-${i}`, "1")),
  "apply, changed": (set, count) => times(count, (i) => apply(`${set}-applied-${i}`, "2")),
  "apply, same": (set, count) => times(count, (i) => apply(`${set}-applied-${i}`, "2")),
};

function apply(name: string, value: string): Call {
  return { method: "PATCH", path: `${CONFIG_MAPS}/${name}?fieldManager=bench&force=true`, type: APPLY_PATCH, body: JSON.stringify(configMap(name, value)) };
}

function times(count: number, make: (index: number) => Call): Call[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
