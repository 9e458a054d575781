import type { Container } from "../../resources/index.ts";
import { annotation } from "./annotations.ts";
import { proxyResources } from "./resources.ts";
import { INIT_CONTAINER, type SidecarSettings } from "./settings.ts";

/** Envoy's own ports, which must stay reachable whatever is captured. */
const NEVER_CAPTURED = [15090, 15021];

/** The container that redirects the pod's traffic, with Istio's arguments. */
export function initContainer(settings: SidecarSettings): Container {
  const { pod, values, mesh, config } = settings;
  const { proxy, logging, logAsJson, imagePullPolicy } = values.global;
  const has = (name: string): boolean => pod.metadata.annotations?.[name] !== undefined;
  const option = (flag: string, name: string, fallback: string): string[] => (has(name) || fallback !== "" ? [flag, annotation(pod, name, fallback)] : []);
  const env = Object.entries(config.proxyMetadata ?? {}).map(([name, value]) => ({ name, value: String(value) }));
  return {
    name: INIT_CONTAINER,
    image: settings.image,
    args: [
      "istio-iptables",
      "-p",
      String(mesh.proxyListenPort),
      "-z",
      String(mesh.proxyInboundListenPort),
      "-u",
      "1337",
      "-m",
      settings.interception,
      "-i",
      annotation(pod, "traffic.sidecar.istio.io/includeOutboundIPRanges", proxy.includeIPRanges),
      "-x",
      annotation(pod, "traffic.sidecar.istio.io/excludeOutboundIPRanges", proxy.excludeIPRanges),
      "-b",
      annotation(pod, "traffic.sidecar.istio.io/includeInboundPorts", proxy.includeInboundPorts),
      "-d",
      excludedInboundPorts(settings),
      ...option("-q", "traffic.sidecar.istio.io/includeOutboundPorts", proxy.includeOutboundPorts),
      ...option("-o", "traffic.sidecar.istio.io/excludeOutboundPorts", proxy.excludeOutboundPorts),
      ...option("-k", "istio.io/reroute-virtual-interfaces", annotation(pod, "traffic.sidecar.istio.io/kubevirtInterfaces", "")),
      ...option("-c", "traffic.sidecar.istio.io/excludeInterfaces", ""),
      `--log_output_level=${annotation(pod, "sidecar.istio.io/agentLogLevel", logging.level)}`,
      ...(logAsJson ? ["--log_as_json"] : []),
    ],
    ...(imagePullPolicy ? { imagePullPolicy } : {}),
    ...(env.length > 0 ? { env } : {}),
    resources: proxyResources(settings),
    securityContext: {
      allowPrivilegeEscalation: false,
      privileged: false,
      capabilities: { add: ["NET_ADMIN", "NET_RAW"], drop: ["ALL"] },
      readOnlyRootFilesystem: false,
      runAsGroup: 0,
      runAsNonRoot: false,
      runAsUser: 0,
    },
  };
}

/** The proxy's ports, the status port, and what the user names, each once. */
function excludedInboundPorts({ pod, values, statusPort }: SidecarSettings): string {
  const user = annotation(pod, "traffic.sidecar.istio.io/excludeInboundPorts", values.global.proxy.excludeInboundPorts)
    .split(",")
    .map((port) => port.trim())
    .filter((port) => port !== "");
  const agent = statusPort > 0 && !user.includes(String(statusPort)) ? [String(statusPort)] : [];
  return [...NEVER_CAPTURED.map(String), ...user, ...agent].join(",");
}
