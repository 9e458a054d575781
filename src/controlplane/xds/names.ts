/** The names of clusters and listeners, which istioctl, dashboards and EnvoyFilters take apart again. */
export const PASSTHROUGH = "PassthroughCluster";
export const BLACK_HOLE = "BlackHoleCluster";
export const INBOUND_PASSTHROUGH = "InboundPassthroughCluster";
/** Routes of the HTTP proxy's port: those of all ports. */
export const HTTP_PROXY = "http_proxy";
export const VIRTUAL_OUTBOUND = "virtualOutbound";
export const VIRTUAL_INBOUND = "virtualInbound";

/** `outbound|8080|v1|reviews.default.svc.cluster.local`. */
export function outboundCluster(port: number, subset: string, hostname: string): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/** `inbound|8080||`. */
export function inboundCluster(port: number): string {
  return `inbound|${port}||`;
}

/** `outbound_.8080_.v1_.reviews.default.svc.cluster.local`: the SNI of mutual TLS, and a cluster behind AUTO_PASSTHROUGH. */
export function sniName(port: number, subset: string, hostname: string): string {
  return `outbound_.${port}_.${subset}_.${hostname}`;
}

export interface ClusterName {
  readonly direction: "inbound" | "outbound";
  readonly port: number;
  readonly subset: string;
  readonly hostname: string;
  /** Whether it was an SNI name. */
  readonly sni: boolean;
}

/** Takes the name of a cluster apart; undefined when it is of another form. */
export function parseClusterName(name: string): ClusterName | undefined {
  const sni = name.startsWith("outbound_.") || name.startsWith("inbound_.");
  const parts = sni ? splitSni(name) : name.split("|");
  const [direction, port = "", subset = "", hostname = ""] = parts;
  if (parts.length !== 4 || (direction !== "inbound" && direction !== "outbound") || !/^\d+$/.test(port)) return undefined;
  return { direction, port: Number(port), subset, hostname, sni };
}

/** Envoy's stat names cannot hold what tells the end of a prefix, so Istio marks it. */
export function statPrefix(name: string): string {
  return `${name};`;
}

/** `reviews.default.svc.cluster.local:8080/*`. */
export function traceOperation(host: string, port: number): string {
  return `${host}:${port}/*`;
}

/** `host:port`, with brackets around an IPv6 address. */
export function domainName(host: string, port: number): string {
  return `${ipv6Compliant(host)}:${port}`;
}

/** An IPv6 address as it stands in a URL. */
export function ipv6Compliant(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

function splitSni(name: string): string[] {
  const parts = name.split("_.");
  return parts.length < 4 ? [] : [parts[0] ?? "", parts[1] ?? "", parts[2] ?? "", parts.slice(3).join("_.")];
}
