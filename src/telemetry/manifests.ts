import type { KubeObject } from "../resources/types.ts";

const NAMESPACE = "istio-system";
const LABELS = { app: "prometheus", "app.kubernetes.io/name": "prometheus", "app.kubernetes.io/part-of": "prometheus" };

/** The Services of Istio's Jaeger addon: MeshConfig's providers of traces name them. One process does both jobs. */
const TRACE_SERVICES = [
  { name: "tracing", ports: [{ name: "http-query", port: 80, targetPort: 16686 }] },
  { name: "zipkin", ports: [{ name: "http-query", port: 9411, targetPort: 9411 }] },
  {
    name: "jaeger-collector",
    ports: [
      { name: "http-zipkin", port: 9411, targetPort: 9411 },
      { name: "grpc-otel", port: 4317, targetPort: 4317 },
      { name: "http-otel", port: 4318, targetPort: 4318 },
    ],
  },
];

/** The metrics and trace store of an embedded mesh, named and labelled as Istio's Prometheus addon. */
export function prometheusManifests({ version }: { version: string }): KubeObject[] {
  const metadata = { name: "prometheus", namespace: NAMESPACE, labels: LABELS };
  const clusterScoped = { name: "prometheus", labels: LABELS };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: clusterScoped,
      rules: [{ apiGroups: [""], resources: ["nodes", "services", "endpoints", "pods"], verbs: ["get", "list", "watch"] }],
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: clusterScoped,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "prometheus" },
      subjects: [{ kind: "ServiceAccount", name: "prometheus", namespace: NAMESPACE }],
    },
    { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app: "prometheus" }, ports: [{ name: "http", port: 9090, targetPort: 9090 }] } },
    ...TRACE_SERVICES.map(({ name, ports }): KubeObject => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: NAMESPACE, labels: { ...LABELS, app: "jaeger" } },
      spec: { selector: { app: "prometheus" }, ports },
    })),
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: "prometheus" } },
        template: {
          metadata: { labels: { ...LABELS, "sidecar.istio.io/inject": "false" } },
          spec: {
            serviceAccountName: "prometheus",
            containers: [
              {
                name: "prometheus-server",
                image: `chainmail/prometheus:${version}`,
                ports: [9090, 16686, 4317, 4318, 9411].map((containerPort) => ({ containerPort })),
                readinessProbe: { httpGet: { path: "/-/ready", port: 9090 }, periodSeconds: 5, timeoutSeconds: 4, failureThreshold: 3 },
                livenessProbe: { httpGet: { path: "/-/healthy", port: 9090 }, initialDelaySeconds: 30, periodSeconds: 15, timeoutSeconds: 10 },
                volumeMounts: [{ name: "storage-volume", mountPath: "/prometheus" }],
              },
            ],
            // It outlives the program, and with it what was scraped; it goes with the pod.
            volumes: [{ name: "storage-volume", emptyDir: {} }],
          },
        },
      },
    },
  ];
}
