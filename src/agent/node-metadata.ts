import { networkInterfaces } from "node:os";
import { VERSION } from "../base/index.ts";
import { TELEMETRY_METADATA } from "../proto/index.ts";
import type { NodeIdentity } from "../proxy/types.ts";
import { TELEMETRY_PATH } from "./envoy/telemetry-path.ts";
import type { AgentOptions } from "./options.ts";

/** Ports of static listeners, which the control plane and dashboards read from the metadata. */
export const PROMETHEUS_PORT = 15090;
export const HEALTH_PORT = 15021;

/** A plain Envoy lacks Istio's filters: the control plane must not name them, and the agent counts in their place. */
const PLAIN_ENVOY = { CHAINMAIL_DIALECT: "envoy", [TELEMETRY_METADATA]: TELEMETRY_PATH };

/** Our own proxy runs no foreign code: the control plane sends it no extensions that it would have to refuse. */
const OWN_PROXY = { CHAINMAIL_PROXY: "true" };

/** The node as Istio's agent describes it; istiod chooses configuration by it and compares it with the certificate. */
export function nodeIdentity(options: AgentOptions): NodeIdentity {
  const { labels, annotations, meta, metaJson } = options;
  // Not a label of the workload: it differs between pods of one Deployment's revisions.
  const { "pod-template-hash": _, ...ownLabels } = { ...labels, ...record(metaJson.LABELS) };
  const { POD_PORTS: podPorts, ...plainMeta } = meta;
  const metadata: Record<string, unknown> = {
    ...(Object.keys(annotations).length > 0 && { ANNOTATIONS: annotations }),
    ...(options.proxy === "envoy" ? PLAIN_ENVOY : OWN_PROXY),
    CLUSTER_ID: options.clusterId,
    ENVOY_PROMETHEUS_PORT: PROMETHEUS_PORT,
    ENVOY_SKIP_DEPRECATED_LOGS: "true",
    ENVOY_STATUS_PORT: HEALTH_PORT,
    INSTANCE_IPS: instanceIps(options.instanceIp).join(","),
    INTERCEPTION_MODE: "NONE",
    ISTIO_VERSION: VERSION,
    LABELS: ownLabels,
    METADATA_DISCOVERY: "false",
    NAME: options.podName,
    NAMESPACE: options.namespace,
    PILOT_SAN: [hostOf(options.proxyConfig.discoveryAddress)],
    PROXY_CONFIG: options.proxyConfig.raw,
    SERVICE_ACCOUNT: options.serviceAccount,
    WORKLOAD_IDENTITY_SOCKET_FILE: "socket",
    ...plainMeta,
    ...Object.fromEntries(Object.entries(metaJson).filter(([key]) => key !== "LABELS")),
    // A list in a string, without the blanks that the manifest has.
    ...(podPorts !== undefined && { POD_PORTS: JSON.stringify(JSON.parse(podPorts)) }),
  };
  if (options.type === "router") delete metadata.INTERCEPTION_MODE;
  return {
    id: `${options.type}~${options.instanceIp}~${options.podName}.${options.namespace}~${options.domain}`,
    cluster: `${ownLabels.app ?? "istio-proxy"}.${options.namespace}`,
    metadata,
  };
}

export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** The pod's address first, then every other that its interfaces carry. */
function instanceIps(first: string): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).filter(({ internal }) => !internal).map(({ address }) => address));
  return [...new Set([first, ...all])];
}

function record(value: unknown): Record<string, string> {
  return typeof value === "object" && value !== null ? (value as Record<string, string>) : {};
}
