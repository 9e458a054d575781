import type { KubeObject } from "../../../resources/types.ts";

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
  readonly targetPort?: number | string;
}

interface Container {
  readonly name: string;
  readonly ports?: { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[];
  readonly securityContext?: { readonly runAsUser?: number };
}

export function containersOf(pod: KubeObject): Container[] {
  const spec = pod.spec as { containers?: Container[]; initContainers?: (Container & { restartPolicy?: string })[] } | undefined;
  return spec?.containers ?? [];
}

export function portsOf(service: KubeObject): ServicePort[] {
  return (service.spec as { ports?: ServicePort[] } | undefined)?.ports ?? [];
}

/** The pod's port that a service's port leads to; undefined when it names one that no container has. */
export function targetOf(pod: KubeObject, port: ServicePort): number | undefined {
  const { targetPort } = port;
  if (typeof targetPort !== "string") return targetPort ?? port.port;
  for (const container of containersOf(pod)) {
    const found = container.ports?.find((candidate) => candidate.name === targetPort && (candidate.protocol ?? "TCP") === (port.protocol ?? "TCP"));
    if (found) return found.containerPort;
  }
  return undefined;
}

const PROTOCOLS: Record<string, string> = {
  http: "HTTP",
  http2: "HTTP2",
  https: "HTTPS",
  tcp: "TCP",
  tls: "TLS",
  udp: "UDP",
  grpc: "GRPC",
  "grpc-web": "GRPC-Web",
  mongo: "Mongo",
  redis: "Redis",
  mysql: "MySQL",
  hbone: "HBONE",
  "kubernetes.io/h2c": "HTTP2",
};
/** Ports whose servers speak first: never sniffed. */
const SERVER_FIRST = new Set([25, 53, 3306, 27017]);

/** A port's protocol as Istio reads it from appProtocol, its name's first part, or its number. */
export function protocolOf(port: ServicePort): string {
  if (port.protocol === "UDP") return "UDP";
  if (!port.name && port.appProtocol === undefined) return "auto-detect";
  if (port.appProtocol !== undefined) return PROTOCOLS[port.appProtocol.toLowerCase()] ?? "UnsupportedProtocol";
  if (SERVER_FIRST.has(port.port)) return "TCP";
  const name = (port.name ?? "").toLowerCase();
  if (name.startsWith("grpc-web")) return "GRPC-Web";
  return PROTOCOLS[name.split("-")[0] ?? ""] ?? "UnsupportedProtocol";
}
