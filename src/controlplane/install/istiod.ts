import type { Deployment, EnvVar, Service, Volume, VolumeMount } from "../../resources/index.ts";
import { istiodAccount } from "./accounts.ts";
import { componentLabels } from "./labels.ts";
import type { InstallValues } from "./values.ts";

/** The control plane's Service and Deployment. */
export function istiod(values: InstallValues): (Service | Deployment)[] {
  const { namespace, revision } = values;
  const labels = componentLabels(values, "istiod", "Pilot", "pilot");
  const name = revision === "default" ? "istiod" : `istiod-${revision}`;
  const service: Service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, labels },
    spec: {
      type: "ClusterIP",
      ports: [
        { name: "grpc-xds", port: 15010, protocol: "TCP", targetPort: 15010 },
        { name: "https-dns", port: 15012, protocol: "TCP", targetPort: 15012 },
        { name: "https-webhook", port: 443, protocol: "TCP", targetPort: 15017 },
        { name: "http-monitoring", port: 15014, protocol: "TCP", targetPort: 15014 },
      ],
      selector: { app: "istiod", istio: "pilot", ...(revision === "default" ? {} : { "istio.io/rev": revision }) },
    },
  };
  const deployment: Deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels },
    spec: {
      replicas: values.replicas,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "100%", maxUnavailable: "25%" } },
      selector: { matchLabels: { istio: "pilot", ...(revision === "default" ? {} : { "istio.io/rev": revision }) } },
      template: {
        metadata: {
          annotations: { "prometheus.io/port": "15014", "prometheus.io/scrape": "true", "sidecar.istio.io/inject": "false" },
          labels: { ...labels, "istio.io/dataplane-mode": "none", "sidecar.istio.io/inject": "false" },
        },
        spec: {
          serviceAccountName: istiodAccount(values),
          containers: [
            {
              name: "discovery",
              image: `${values.hub}/pilot:${values.version}`,
              args: [
                "discovery",
                "--monitoringAddr=:15014",
                "--log_output_level=default:info",
                "--domain",
                values.clusterDomain,
                "--keepaliveMaxServerConnectionAge",
                "30m",
              ],
              ports: [
                { containerPort: 8080, name: "http-debug", protocol: "TCP" },
                { containerPort: 15010, name: "grpc-xds", protocol: "TCP" },
                { containerPort: 15012, name: "tls-xds", protocol: "TCP" },
                { containerPort: 15017, name: "https-webhooks", protocol: "TCP" },
                { containerPort: 15014, name: "http-monitoring", protocol: "TCP" },
              ],
              // No initial delay: it starts in well under a second, and everything else in the mesh waits for it.
              readinessProbe: { httpGet: { path: "/ready", port: 8080 }, periodSeconds: 3, timeoutSeconds: 5 },
              env: environment(values),
              resources: { requests: { cpu: "10m", memory: "100Mi" } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                runAsNonRoot: true,
                runAsUser: 1337,
                runAsGroup: 1337,
                capabilities: { drop: ["ALL"] },
              },
              volumeMounts: MOUNTS,
            },
          ],
          volumes: VOLUMES,
          tolerations: [{ key: "cni.istio.io/not-ready", operator: "Exists" }],
        },
      },
    },
  };
  return [service, deployment];
}

function environment(values: InstallValues): EnvVar[] {
  const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } });
  return [
    { name: "REVISION", value: values.revision },
    { name: "PILOT_CERT_PROVIDER", value: "istiod" },
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    { name: "CLUSTER_ID", value: "Kubernetes" },
  ];
}

/** The places where Istio's istiod finds an operator's CA: people look for them, and other tools fill them. */
const MOUNTS: VolumeMount[] = [
  { name: "istio-token", mountPath: "/var/run/secrets/tokens", readOnly: true },
  { name: "local-certs", mountPath: "/var/run/secrets/istio-dns" },
  { name: "cacerts", mountPath: "/etc/cacerts", readOnly: true },
  { name: "istio-csr-dns-cert", mountPath: "/var/run/secrets/istiod/tls", readOnly: true },
  { name: "istio-csr-ca-configmap", mountPath: "/var/run/secrets/istiod/ca", readOnly: true },
];

const VOLUMES: Volume[] = [
  { name: "local-certs", emptyDir: { medium: "Memory" } },
  { name: "istio-token", projected: { sources: [{ serviceAccountToken: { audience: "istio-ca", expirationSeconds: 43_200, path: "istio-token" } }] } },
  { name: "cacerts", secret: { secretName: "cacerts", optional: true } },
  { name: "istio-csr-dns-cert", secret: { secretName: "istiod-tls", optional: true } },
  { name: "istio-csr-ca-configmap", configMap: { name: "istio-ca-root-cert", optional: true } },
];
