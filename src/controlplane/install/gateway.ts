import type { ContainerPort, Deployment, EnvVar, KubeObject, Service, ServiceAccount, ServicePort, Volume, VolumeMount } from "../../resources/index.ts";
import { namespacedRole } from "./accounts.ts";
import { componentLabels } from "./labels.ts";
import { injectionValues, revisionSuffix, type InstallValues } from "./values.ts";

interface GatewayKind {
  name: string;
  /** Value of the label `istio`, which Gateways select. */
  istio: string;
  component: string;
  /** Prefix of the mounts for certificates in Secrets of fixed names. */
  certs: string;
  type: "LoadBalancer" | "ClusterIP";
  ports: ServicePort[];
}

const port = (name: string, number: number, targetPort = number): ServicePort => ({ name, port: number, protocol: "TCP", targetPort });

const INGRESS: GatewayKind = {
  name: "istio-ingressgateway",
  istio: "ingressgateway",
  component: "IngressGateways",
  certs: "ingressgateway",
  type: "LoadBalancer",
  ports: [port("status-port", 15021), port("http2", 80, 8080), port("https", 443, 8443), port("tcp", 31400), port("tls", 15443)],
};

const EGRESS: GatewayKind = {
  name: "istio-egressgateway",
  istio: "egressgateway",
  component: "EgressGateways",
  certs: "egressgateway",
  type: "ClusterIP",
  ports: [port("http2", 80, 8080), port("https", 443, 8443)],
};

export const ingressGateway = (values: InstallValues): KubeObject[] => gateway(values, INGRESS);
export const egressGateway = (values: InstallValues): KubeObject[] => gateway(values, EGRESS);

function gateway(values: InstallValues, kind: GatewayKind): KubeObject[] {
  const { namespace } = values;
  const labels = componentLabels(values, kind.name, kind.component, kind.istio);
  const account = `${kind.name}-service-account`;
  const selector = { app: kind.name, istio: kind.istio };
  const serviceAccount: ServiceAccount = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account, namespace, labels } };
  // Node ports are the API server's to choose.
  const service: Service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: kind.name, namespace, labels },
    spec: { type: kind.type, selector, ports: kind.ports },
  };
  const deployment: Deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: kind.name, namespace, labels: { ...labels, "istio.io/dataplane-mode": "none" } },
    spec: {
      replicas: 1,
      selector: { matchLabels: selector },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "100%", maxUnavailable: "25%" } },
      template: {
        metadata: {
          annotations: {
            "istio.io/rev": values.revision,
            "prometheus.io/path": "/stats/prometheus",
            "prometheus.io/port": "15020",
            "prometheus.io/scrape": "true",
            "sidecar.istio.io/inject": "false",
          },
          labels: {
            ...labels,
            "istio.io/dataplane-mode": "none",
            "service.istio.io/canonical-name": kind.name,
            "service.istio.io/canonical-revision": "latest",
            "sidecar.istio.io/inject": "false",
          },
        },
        spec: {
          serviceAccountName: account,
          securityContext: { runAsGroup: 1337, runAsNonRoot: true, runAsUser: 1337 },
          containers: [
            {
              name: "istio-proxy",
              image: `${values.hub}/proxyv2:${values.version}`,
              args: [
                "proxy",
                "router",
                "--domain",
                `$(POD_NAMESPACE).svc.${values.clusterDomain}`,
                "--proxyLogLevel=warning",
                "--proxyComponentLogLevel=misc:error",
                "--log_output_level=default:info",
              ],
              env: environment(values, kind),
              ports: containerPorts(kind),
              // No initial delay: it is ready as soon as it has its certificate and configuration.
              readinessProbe: { httpGet: { path: "/healthz/ready", port: 15021 }, periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 30 },
              resources: injectionValues(values).global.proxy.resources,
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, privileged: false, readOnlyRootFilesystem: true },
              volumeMounts: mounts(kind),
            },
          ],
          volumes: volumes(kind),
        },
      },
    },
  };
  const readsSecrets = namespacedRole(values, `${kind.name}-sds`, account, [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "watch", "list"] }]);
  return [serviceAccount, ...readsSecrets, service, deployment];
}

function environment(values: InstallValues, kind: GatewayKind): EnvVar[] {
  const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } });
  return [
    { name: "PILOT_CERT_PROVIDER", value: "istiod" },
    { name: "CA_ADDR", value: `istiod${revisionSuffix(values)}.${values.namespace}.svc:15012` },
    field("NODE_NAME", "spec.nodeName"),
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    field("INSTANCE_IP", "status.podIP"),
    field("HOST_IP", "status.hostIP"),
    { name: "ISTIO_CPU_LIMIT", valueFrom: { resourceFieldRef: { divisor: "1", resource: "limits.cpu" } } },
    field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    { name: "ISTIO_META_WORKLOAD_NAME", value: kind.name },
    { name: "ISTIO_META_OWNER", value: `kubernetes://apis/apps/v1/namespaces/${values.namespace}/deployments/${kind.name}` },
    { name: "ISTIO_META_MESH_ID", value: values.trustDomain },
    { name: "TRUST_DOMAIN", value: values.trustDomain },
    { name: "ISTIO_META_UNPRIVILEGED_POD", value: "true" },
    { name: "ISTIO_META_CLUSTER_ID", value: "Kubernetes" },
    field("ISTIO_META_NODE_NAME", "spec.nodeName"),
    ...(values.proxy === "envoy" ? [{ name: "CHAINMAIL_PROXY", value: "envoy" }] : []),
  ];
}

function containerPorts(kind: GatewayKind): ContainerPort[] {
  return [
    ...kind.ports.map(({ targetPort }) => ({ containerPort: Number(targetPort), protocol: "TCP" as const })),
    { containerPort: 15090, name: "http-envoy-prom", protocol: "TCP" as const },
  ];
}

function mounts(kind: GatewayKind): VolumeMount[] {
  return [
    { name: "workload-socket", mountPath: "/var/run/secrets/workload-spiffe-uds" },
    { name: "credential-socket", mountPath: "/var/run/secrets/credential-uds" },
    { name: "workload-certs", mountPath: "/var/run/secrets/workload-spiffe-credentials" },
    { name: "istio-envoy", mountPath: "/etc/istio/proxy" },
    { name: "config-volume", mountPath: "/etc/istio/config" },
    { name: "istiod-ca-cert", mountPath: "/var/run/secrets/istio" },
    { name: "istio-token", mountPath: "/var/run/secrets/tokens", readOnly: true },
    { name: "istio-data", mountPath: "/var/lib/istio/data" },
    { name: "podinfo", mountPath: "/etc/istio/pod" },
    { name: `${kind.certs}-certs`, mountPath: `/etc/istio/${kind.certs}-certs`, readOnly: true },
    { name: `${kind.certs}-ca-certs`, mountPath: `/etc/istio/${kind.certs}-ca-certs`, readOnly: true },
  ];
}

function volumes(kind: GatewayKind): Volume[] {
  const file = (path: string): { path: string; fieldRef: { fieldPath: string } } => ({ path, fieldRef: { fieldPath: `metadata.${path}` } });
  return [
    { name: "workload-socket", emptyDir: {} },
    { name: "credential-socket", emptyDir: {} },
    { name: "workload-certs", emptyDir: {} },
    { name: "istiod-ca-cert", configMap: { name: "istio-ca-root-cert" } },
    { name: "podinfo", downwardAPI: { items: [file("labels"), file("annotations")] } },
    { name: "istio-envoy", emptyDir: {} },
    { name: "istio-data", emptyDir: {} },
    { name: "istio-token", projected: { sources: [{ serviceAccountToken: { audience: "istio-ca", expirationSeconds: 43_200, path: "istio-token" } }] } },
    { name: "config-volume", configMap: { name: "istio", optional: true } },
    { name: `${kind.certs}-certs`, secret: { secretName: `${kind.name}-certs`, optional: true } },
    { name: `${kind.certs}-ca-certs`, secret: { secretName: `${kind.name}-ca-certs`, optional: true } },
  ];
}
