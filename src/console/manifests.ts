import type { KubeObject } from "../resources/types.ts";

const NAMESPACE = "istio-system";
const LABELS = { app: "kiali", "app.kubernetes.io/name": "kiali", "app.kubernetes.io/part-of": "kiali" };

/** What the console reads; it writes nothing with rights of its own. */
const READ: { apiGroups: string[]; resources: string[] }[] = [
  { apiGroups: [""], resources: ["configmaps", "namespaces", "nodes", "pods", "pods/log", "services", "serviceaccounts", "endpoints"] },
  { apiGroups: ["apps"], resources: ["daemonsets", "deployments", "replicasets", "statefulsets"] },
  { apiGroups: ["batch"], resources: ["cronjobs", "jobs"] },
  { apiGroups: ["admissionregistration.k8s.io"], resources: ["mutatingwebhookconfigurations"] },
  { apiGroups: ["networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io"], resources: ["*"] },
];

/** The console of an embedded mesh, named and labelled as Istio's Kiali addon, so that `istioctl dashboard kiali` finds it. */
export function consoleManifests({ version }: { version: string }): KubeObject[] {
  const metadata = { name: "kiali", namespace: NAMESPACE, labels: LABELS };
  const clusterScoped = { name: "kiali", labels: LABELS };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: clusterScoped,
      rules: READ.map((rule) => ({ ...rule, verbs: ["get", "list", "watch"] })),
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: clusterScoped,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "kiali" },
      subjects: [{ kind: "ServiceAccount", name: "kiali", namespace: NAMESPACE }],
    },
    { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app: "kiali" }, ports: [{ name: "http", port: 20001, targetPort: 20001 }] } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: "kiali" } },
        template: {
          metadata: { labels: { ...LABELS, "sidecar.istio.io/inject": "false" } },
          spec: {
            serviceAccountName: "kiali",
            containers: [
              {
                name: "kiali",
                image: `chainmail/console:${version}`,
                ports: [{ name: "http", containerPort: 20001 }],
                readinessProbe: { httpGet: { path: "/kiali/healthz", port: 20001 }, periodSeconds: 5, failureThreshold: 3 },
                livenessProbe: { httpGet: { path: "/kiali/healthz", port: 20001 }, initialDelaySeconds: 30, periodSeconds: 15 },
                volumeMounts: [{ name: "istio-token", mountPath: "/var/run/secrets/tokens", readOnly: true }],
              },
            ],
            // istiod's debug pages take a token of istiod's namespace with its audience: no right to forward ports is needed for them.
            volumes: [
              {
                name: "istio-token",
                projected: { sources: [{ serviceAccountToken: { audience: "istio-ca", expirationSeconds: 43_200, path: "istio-token" } }] },
              },
            ],
          },
        },
      },
    },
  ];
}
