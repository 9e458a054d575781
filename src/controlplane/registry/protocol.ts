/** What a port carries, in Istio's own spelling. `UnsupportedProtocol` means: found out by sniffing. */
export type Protocol =
  | "HTTP"
  | "HTTP_PROXY"
  | "HTTP2"
  | "GRPC"
  | "GRPC-Web"
  | "HTTPS"
  | "TLS"
  | "TCP"
  | "UDP"
  | "Mongo"
  | "Redis"
  | "MySQL"
  | "UnsupportedProtocol";

const BY_NAME: Readonly<Record<string, Protocol>> = {
  tcp: "TCP",
  udp: "UDP",
  grpc: "GRPC",
  "grpc-web": "GRPC-Web",
  http: "HTTP",
  http_proxy: "HTTP_PROXY",
  http2: "HTTP2",
  https: "HTTPS",
  tls: "TLS",
  mongo: "Mongo",
  redis: "Redis",
  mysql: "MySQL",
};

const HTTP: ReadonlySet<Protocol> = new Set<Protocol>(["HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-Web"]);
const HTTP2: ReadonlySet<Protocol> = new Set<Protocol>(["HTTP2", "GRPC", "GRPC-Web"]);
const TCP: ReadonlySet<Protocol> = new Set<Protocol>(["TCP", "HTTPS", "TLS", "Mongo", "Redis", "MySQL"]);
const TLS: ReadonlySet<Protocol> = new Set<Protocol>(["HTTPS", "TLS"]);

/** Ports whose server speaks first (SMTP, DNS, MySQL, MongoDB): sniffing would hang them, so they are TCP unless named. */
const SERVER_FIRST_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

/** How Kubernetes' standard application protocols map; the names cannot be port names. */
const KUBERNETES_APP_PROTOCOLS: Readonly<Record<string, Protocol>> = {
  "kubernetes.io/h2c": "HTTP2",
  "kubernetes.io/ws": "HTTP",
  "kubernetes.io/wss": "HTTPS",
};

/** The protocol that a name such as "HTTP2" stands for, in any case; unknown names are sniffed. */
export function parseProtocol(name: string | undefined): Protocol {
  return BY_NAME[(name ?? "").toLowerCase()] ?? "UnsupportedProtocol";
}

/** The protocol of a Service's port: its transport, then appProtocol, then the prefix of its name. */
export function protocolOfPort(port: { port: number; name?: string; protocol?: string; appProtocol?: string }): Protocol {
  if (port.protocol === "UDP") return "UDP";
  const known = port.appProtocol === undefined ? undefined : KUBERNETES_APP_PROTOCOLS[port.appProtocol];
  if (known) return known;
  const name = (port.appProtocol ?? port.name ?? "").toLowerCase();
  if (name.startsWith("grpc-web")) return "GRPC-Web";
  const parsed = parseProtocol(name.split("-")[0]);
  return parsed === "UnsupportedProtocol" && SERVER_FIRST_PORTS.has(port.port) ? "TCP" : parsed;
}

export const isServerFirstPort = (port: number): boolean => SERVER_FIRST_PORTS.has(port);
export const isHttp = (protocol: Protocol): boolean => HTTP.has(protocol);
export const isHttp2 = (protocol: Protocol): boolean => HTTP2.has(protocol);
export const isGrpc = (protocol: Protocol): boolean => protocol === "GRPC" || protocol === "GRPC-Web";
export const isTcp = (protocol: Protocol): boolean => TCP.has(protocol);
export const isTls = (protocol: Protocol): boolean => TLS.has(protocol);
export const isSniffed = (protocol: Protocol): boolean => protocol === "UnsupportedProtocol";
export const isHttpOrSniffed = (protocol: Protocol): boolean => isHttp(protocol) || isSniffed(protocol);

/** How a listener treats a protocol. */
export function listenerProtocol(protocol: Protocol): "HTTP" | "TCP" | "AUTO" | "NONE" {
  if (isHttp(protocol)) return "HTTP";
  if (isTcp(protocol)) return "TCP";
  return isSniffed(protocol) ? "AUTO" : "NONE";
}

/** What is left of a protocol when its TLS has been terminated. */
export function afterTlsTermination(protocol: Protocol): Protocol {
  if (protocol === "HTTPS") return "HTTP";
  return protocol === "TLS" ? "TCP" : protocol;
}
