import type { KubeObject } from "../resources/types.ts";

const NAMESPACE = "istio-system";
const LABELS = { app: "prometheus", "app.kubernetes.io/name": "prometheus", "app.kubernetes.io/part-of": "prometheus" };

/** The metrics store of an embedded mesh, named and labelled as Istio's Prometheus addon. */
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
                ports: [{ containerPort: 9090 }],
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
