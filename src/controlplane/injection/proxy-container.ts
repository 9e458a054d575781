import type { Container, ContainerPort, EnvVar, Probe, SecurityContext, VolumeMount } from "../../resources/index.ts";
import { annotation } from "./annotations.ts";
import { InjectionError } from "./errors.ts";
import { proxyConfigJson } from "./proxy-config.ts";
import { proxyResources } from "./resources.ts";
import { PROXY_CONTAINER, type SidecarSettings } from "./settings.ts";

/** The sidecar as Istio's template makes it. */
export function proxyContainer(settings: SidecarSettings): Container {
  const { pod, values, native, hold, statusPort } = settings;
  const { proxy, logging, logAsJson, imagePullPolicy } = values.global;
  const lifecycle = hold
    ? { postStart: { exec: { command: ["pilot-agent", "wait"] } } }
    : native
      ? // Called before the app gets SIGTERM: connections drain while it still answers.
        { preStop: { exec: { command: ["pilot-agent", "request", `--debug-port=${statusPort}`, "POST", "drain"] } } }
      : undefined;
  return {
    name: PROXY_CONTAINER,
    image: settings.image,
    ...(native ? { restartPolicy: "Always" } : {}),
    ports: [{ containerPort: 15090, protocol: "TCP", name: "http-envoy-prom" }],
    args: [
      "proxy",
      settings.template === "gateway" ? "router" : "sidecar",
      "--domain",
      `$(POD_NAMESPACE).svc.${proxy.clusterDomain}`,
      `--proxyLogLevel=${annotation(pod, "sidecar.istio.io/logLevel", proxy.logLevel)}`,
      `--proxyComponentLogLevel=${annotation(pod, "sidecar.istio.io/componentLogLevel", proxy.componentLogLevel)}`,
      `--log_output_level=${annotation(pod, "sidecar.istio.io/agentLogLevel", logging.level)}`,
      ...(logAsJson ? ["--log_as_json"] : []),
    ],
    ...(lifecycle ? { lifecycle } : {}),
    env: environment(settings),
    ...(imagePullPolicy ? { imagePullPolicy } : {}),
    ...(statusPort > 0 ? probes(settings) : {}),
    ...(settings.template === "gateway"
      ? { securityContext: GATEWAY_USER }
      : { securityContext: securityContext(settings), resources: proxyResources(settings) }),
    volumeMounts: mounts(settings),
  };
}

/** What a gateway may do and use is for its own manifest to say; it is written by hand. */
const GATEWAY_USER: SecurityContext = { runAsUser: 1337, runAsGroup: 1337 };

const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } });
const limit = (name: string, resource: string): EnvVar => ({ name, valueFrom: { resourceFieldRef: { divisor: "1", resource } } });

function environment(settings: SidecarSettings): EnvVar[] {
  const { pod, values, mesh, config, workload, namespace } = settings;
  const { istioNamespace, caAddress, pilotCertProvider, meshID } = values.global;
  const revision = values.revision && values.revision !== "default" ? `-${values.revision}` : "";
  const name = pod.metadata.labels?.["service.istio.io/workload-name"] || workload.name;
  const appContainers = { name: "ISTIO_META_APP_CONTAINERS", value: settings.appContainers.join(",") };
  const limits = [limit("GOMEMLIMIT", "limits.memory"), limit("GOMAXPROCS", "limits.cpu")];
  const fixed = (key: string, value: string): EnvVar[] => (value ? [{ name: key, value }] : []);
  return [
    ...(mesh.inboundTrafficPolicy.mode === "LOCALHOST" ? fixed("REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION", "true") : []),
    { name: "PILOT_CERT_PROVIDER", value: pilotCertProvider },
    { name: "CA_ADDR", value: caAddress || `istiod${revision}.${istioNamespace}.svc:15012` },
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    field("INSTANCE_IP", "status.podIP"),
    field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    field("HOST_IP", "status.hostIP"),
    limit("ISTIO_CPU_LIMIT", "limits.cpu"),
    { name: "PROXY_CONFIG", value: `${proxyConfigJson(config)}\n` },
    { name: "ISTIO_META_POD_PORTS", value: podPorts(settings) },
    ...(settings.template === "gateway" ? [...limits, appContainers] : [appContainers, ...limits]),
    { name: "ISTIO_META_CLUSTER_ID", value: settings.clusterId },
    field("ISTIO_META_NODE_NAME", "spec.nodeName"),
    { name: "ISTIO_META_INTERCEPTION_MODE", value: settings.interception },
    ...fixed("ISTIO_META_NETWORK", settings.network),
    ...fixed("ISTIO_META_WORKLOAD_NAME", name),
    ...(workload.name
      ? fixed("ISTIO_META_OWNER", `kubernetes://apis/${workload.apiVersion}/namespaces/${namespace}/${workload.kind.toLowerCase()}s/${workload.name}`)
      : []),
    ...(pod.metadata.annotations?.["sidecar.istio.io/bootstrapOverride"] === undefined
      ? []
      : fixed("ISTIO_BOOTSTRAP_OVERRIDE", "/etc/istio/custom-bootstrap/custom_bootstrap.json")),
    ...fixed("ISTIO_META_MESH_ID", meshID || mesh.trustDomain),
    ...fixed("TRUST_DOMAIN", mesh.trustDomain),
    ...Object.entries(config.proxyMetadata ?? {}).map(([key, value]) => ({ name: key, value: String(value) })),
  ];
}

/** One port a line, with the fields in the order of Kubernetes' own encoder. */
function podPorts({ pod }: SidecarSettings): string {
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  const line = ({ name, hostPort, containerPort, protocol, hostIP }: ContainerPort): string =>
    JSON.stringify({ name, hostPort, containerPort, protocol, hostIP });
  return `[\n${ports.map((port, i) => `    ${i > 0 ? "," : ""}${line(port)}\n`).join("")}]`;
}

function probes({ pod, values, template }: SidecarSettings): { startupProbe?: Probe; readinessProbe: Probe } {
  const { startupProbe, readinessInitialDelaySeconds, readinessPeriodSeconds, readinessFailureThreshold } = values.global.proxy;
  const httpGet = { path: "/healthz/ready", port: 15021 };
  const number = (name: string, fallback: number): number => Number(annotation(pod, `readiness.status.sidecar.istio.io/${name}`, String(fallback)));
  const delay = number("initialDelaySeconds", readinessInitialDelaySeconds);
  return {
    ...(startupProbe.enabled && template === "sidecar"
      ? { startupProbe: { httpGet, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: startupProbe.failureThreshold } }
      : {}),
    readinessProbe: {
      httpGet,
      ...(delay > 0 ? { initialDelaySeconds: delay } : {}),
      periodSeconds: number("periodSeconds", readinessPeriodSeconds),
      timeoutSeconds: 3,
      failureThreshold: number("failureThreshold", readinessFailureThreshold),
    },
  };
}

function securityContext({ pod, interception }: SidecarSettings): SecurityContext {
  const tproxy = interception === "TPROXY";
  const bind = annotation(pod, "sidecar.istio.io/capNetBindService", "false").toLowerCase() === "true";
  const add = [...(tproxy ? ["NET_ADMIN"] : []), ...(bind ? ["NET_BIND_SERVICE"] : [])];
  return {
    allowPrivilegeEscalation: false,
    capabilities: { ...(add.length > 0 ? { add } : {}), drop: ["ALL"] },
    privileged: false,
    readOnlyRootFilesystem: true,
    runAsGroup: 1337,
    ...(add.length > 0 ? { runAsNonRoot: false, runAsUser: 0 } : { runAsNonRoot: true, runAsUser: 1337 }),
  };
}

function mounts({ pod }: SidecarSettings): VolumeMount[] {
  const annotations = pod.metadata.annotations ?? {};
  return [
    { name: "workload-socket", mountPath: "/var/run/secrets/workload-spiffe-uds" },
    { name: "credential-socket", mountPath: "/var/run/secrets/credential-uds" },
    { name: "workload-certs", mountPath: "/var/run/secrets/workload-spiffe-credentials" },
    { name: "istiod-ca-cert", mountPath: "/var/run/secrets/istio" },
    { name: "istio-ca-crl", mountPath: "/var/run/secrets/istio/crl" },
    { name: "istio-data", mountPath: "/var/lib/istio/data" },
    ...(annotations["sidecar.istio.io/bootstrapOverride"] === undefined ? [] : [{ name: "custom-bootstrap-volume", mountPath: "/etc/istio/custom-bootstrap" }]),
    { name: "istio-envoy", mountPath: "/etc/istio/proxy" },
    { name: "istio-token", mountPath: "/var/run/secrets/tokens" },
    { name: "istio-podinfo", mountPath: "/etc/istio/pod" },
    ...Object.entries(namedObjects(annotations["sidecar.istio.io/userVolumeMount"], "sidecar.istio.io/userVolumeMount")).map(([name, mount]) => ({
      ...(mount as Omit<VolumeMount, "name">),
      name,
    })),
  ];
}

/** The JSON object of an annotation, by name of volume; a list of volumes that say their names themselves is taken too. */
export function namedObjects(json: string | undefined, where: string): Record<string, object> {
  if (json === undefined) return {};
  const parsed: unknown = JSON.parse(json);
  if (
    Array.isArray(parsed) &&
    parsed.every((value: unknown) => typeof value === "object" && value !== null && typeof (value as { name?: unknown }).name === "string")
  ) {
    return Object.fromEntries((parsed as { name: string }[]).map((value) => [value.name, value]));
  }
  const valid =
    typeof parsed === "object" &&
    parsed !== null &&
    !Array.isArray(parsed) &&
    Object.values(parsed).every((value) => typeof value === "object" && value !== null);
  if (!valid) throw new InjectionError(`invalid annotation: ${where}: not an object of objects`);
  return parsed as Record<string, object>;
}
