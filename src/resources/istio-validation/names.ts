/** Domain names, ports, addresses, durations, headers: each function gives istiod's text, or undefined when all is well. */
import { ipv4, isIpv6 } from "../validation/names.ts";
import type { WorkloadSelector } from "../istio.ts";
import { Findings, quoted, sortedEntries } from "./findings.ts";

type Problem = string | undefined;

const MAX_DOMAIN = 255;
const LABEL = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const WILDCARD_LABEL = /^(\*|(\*|\*-)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)$/;

export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && LABEL.test(text);
}

function isWildcardLabel(text: string): boolean {
  return text.length <= 63 && WILDCARD_LABEL.test(text);
}

function domainLength(name: string): Problem {
  if (name.length > MAX_DOMAIN) return `domain name ${quoted(name)} too long (max 255)`;
  return name === "" ? "empty domain name not allowed" : undefined;
}

function domainLabels(domain: string): Problem {
  const parts = domain.split(".");
  const top = parts.at(-1) ?? "";
  if (/^[+-]?\d+$/.test(top)) return `domain name ${quoted(domain)} invalid (top level domain ${quoted(top)} cannot be all-numeric)`;
  for (const [index, label] of parts.entries()) {
    // `istio.io.` is an unambiguous name.
    if (index === parts.length - 1 && label === "") return undefined;
    if (!isDnsLabel(label)) return `domain name ${quoted(domain)} invalid (label ${quoted(label)} invalid)`;
  }
  return undefined;
}

export function fqdn(name: string): Problem {
  return domainLength(name) ?? domainLabels(name);
}

/** A wildcard may stand in the first label only. `sniGateway` also takes istiod's own names for SNI routing. */
export function wildcardDomain(domain: string, sniGateway = false): Problem {
  const tooLong = domainLength(domain);
  if (tooLong !== undefined) return tooLong;
  const dot = domain.indexOf(".");
  const first = dot < 0 ? domain : domain.slice(0, dot);
  if (sniGateway && first === "outbound_")
    return /outbound_.([0-8].*).*/.test(domain) ? undefined : `domain name ${quoted(domain)} invalid (label ${quoted(first)} invalid)`;
  if (!isWildcardLabel(first)) return `domain name ${quoted(domain)} invalid (label ${quoted(first)} invalid)`;
  return dot < 0 ? undefined : domainLabels(domain.slice(dot + 1));
}

export function partialWildcard(host: string): Problem {
  return host.includes("*") && host.length !== 1 && !host.startsWith("*.") ? `partial wildcard ${quoted(host)} not allowed` : undefined;
}

/** `namespace/host` of Gateways (where the namespace may be left off) and Sidecars. */
export function namespacedHost(text: string, isGateway: boolean): Findings {
  const findings = new Findings();
  const slash = text.indexOf("/");
  if (slash < 0) {
    if (isGateway) return hostPart(text, true);
    return findings.error("host must be of form namespace/dnsName");
  }
  const [namespace, host] = [text.slice(0, slash), text.slice(slash + 1)];
  if (namespace === "" || host === "") findings.error("config namespace and dnsName in host entry cannot be empty");
  // A Sidecar may leave a namespace out by ~.
  const named = isGateway ? namespace : namespace.replace(/^~/, "");
  const special = isGateway ? ["*", "."] : ["", "*", "."];
  if (!special.includes(named) && !isDnsLabel(named)) findings.error(`invalid namespace value ${quoted(namespace)} in ${isGateway ? "gateway" : "sidecar"}`);
  return findings.add(hostPart(host, isGateway));
}

function hostPart(host: string, isGateway: boolean): Findings {
  const findings = new Findings();
  if (host !== "*" && !host.includes(".")) findings.error("short names (non FQDN) are not allowed");
  const problem = wildcardDomain(host);
  if (problem !== undefined) {
    if (!isGateway) findings.error(problem);
    if (!isIp(host)) findings.error(problem);
  }
  return findings.error(partialWildcard(host));
}

export function isIp(text: string): boolean {
  return ipv4(text) !== undefined || isIpv6(text);
}

export function ipAddress(text: string): Problem {
  return isIp(text) ? undefined : `${text} is not a valid IP`;
}

export function ipSubnet(text: string): Problem {
  if (text.split("/").length !== 2) return ipAddress(text);
  return isCidr(text) ? undefined : `${text} is not a valid CIDR block`;
}

export function isCidr(text: string): boolean {
  const [address = "", bits = ""] = text.split("/");
  const limit = ipv4(address) ? 32 : isIpv6(address) ? 128 : -1;
  return /^(0|[1-9]\d*)$/.test(bits) && Number(bits) <= limit;
}

export function port(number: number | undefined): Problem {
  const value = number ?? 0;
  return value >= 1 && value <= 65535 ? undefined : `port number ${value} must be in the range 1..65535`;
}

export function portName(name = ""): Problem {
  return isDnsLabel(name) ? undefined : `invalid port name: ${name}`;
}

const HTTP_PROTOCOLS = ["http", "http2", "http_proxy", "grpc", "grpc-web"];
const TLS_PROTOCOLS = ["https", "tls"];
const OTHER_PROTOCOLS = ["tcp", "udp", "mongo", "redis", "mysql", "hbone", "double-hbone"];

export const isHttpProtocol = (name: string) => HTTP_PROTOCOLS.includes(name.toLowerCase());
export const isTlsProtocol = (name: string) => TLS_PROTOCOLS.includes(name.toLowerCase());
export const isTcpProtocol = (name: string) => ["tcp", "https", "tls", "mongo", "redis", "mysql"].includes(name.toLowerCase());
export const isKnownProtocol = (name: string) => isHttpProtocol(name) || isTlsProtocol(name) || OTHER_PROTOCOLS.includes(name.toLowerCase());

/** "" leaves the protocol to be sniffed. */
export function protocol(name: string | undefined): Problem {
  return name && !isKnownProtocol(name) ? `unsupported protocol: ${name}` : undefined;
}

export function unixAddress(address: string): Problem {
  if (address === "") return "unix address must not be empty";
  if (address.startsWith("@")) return undefined;
  return !address.startsWith("/") || address.endsWith("/") ? `${address} is not an absolute path to a file` : undefined;
}

const UNIT_NANOS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Go's duration syntax, in nanoseconds; undefined where it is none. */
export function durationNanos(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (!match) return text === "0" ? 0 : undefined;
  let total = 0;
  for (const [, amount = "0", unit = "s"] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) total += Number(amount) * (UNIT_NANOS[unit] ?? 0);
  return Math.round(text.startsWith("-") ? -total : total);
}

export function duration(text: string | undefined): Problem {
  if (text === undefined) return undefined;
  const nanos = durationNanos(text) ?? 0;
  if (nanos < 1e6) return "duration must be greater than 1ms";
  return nanos % 1e6 !== 0 ? "only durations to ms precision are supported" : undefined;
}

const HEADER = /^[-_A-Za-z0-9]+$/;

export function headerName(name: string): Problem {
  if (name === "") return "header name cannot be empty";
  return HEADER.test(name) ? undefined : `header name ${name} is not a valid header name`;
}

export const isJwtClaimRoute = (name: string) => /^@request\.auth\.claims(\..+|\[.+\])$/i.test(name);

const PSEUDO_HEADERS = new Set([":method", ":scheme", ":authority", ":path", ":status"]);

export function headerNameOrClaim(name: string): Problem {
  return isJwtClaimRoute(name) || PSEUDO_HEADERS.has(name) ? undefined : headerName(name);
}

export const isAuthorityHeader = (name: string) => /^(:authority|host)$/i.test(name);
const isInternalHeader = (name: string) => name.startsWith(":") || /^host$/i.test(name);

export function settableHeader(name: string): Problem {
  if (name === "") return "header name cannot be empty";
  return isInternalHeader(name) && !isAuthorityHeader(name) ? `invalid header ${quoted(name)}: header cannot have ":" prefix` : undefined;
}

export function changeableHeader(name: string): Problem {
  if (name === "") return "header name cannot be empty";
  if (/^host$/i.test(name)) return `invalid header ${quoted(name)}: cannot set Host header`;
  return isInternalHeader(name) ? `invalid header ${quoted(name)}: header cannot have ":" prefix` : undefined;
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const HEADER_VALUE = /^[^\u0000-\u0008\u000A-\u001F\u007F]*$/;

/** Envoy's format strings: a % stands for itself when doubled, else two of them enclose a command. */
export function headerValue(value: string): Problem {
  if (!HEADER_VALUE.test(value)) return `header value configuration ${value} is invalid`;
  const rest = value.replaceAll("%%", "").replace(/%[A-Z_0-9]+(\([^)]*\))?(:\d+)?%/g, "");
  return rest.includes("%")
    ? `header value configuration: Invalid header configuration. Un-terminated variable expression '${value.slice(value.lastIndexOf("%"))}'`
    : undefined;
}

const LABEL_KEY = /^([a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)*\/)?[a-zA-Z0-9](?:[-_.a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const LABEL_VALUE = /^(?:[a-zA-Z0-9](?:[-_.a-zA-Z0-9]*[a-zA-Z0-9])?)?$/;

export function labels(values: Record<string, string> | undefined): Findings {
  const texts: string[] = [];
  for (const [key, value] of sortedEntries(values)) {
    if (!LABEL_KEY.test(key)) texts.push(`invalid tag key: ${quoted(key)}`);
    if (!LABEL_VALUE.test(value) || value.length > 63) texts.push(`invalid tag value: ${quoted(value)}`);
  }
  return new Findings().errorList(texts);
}

export function workloadSelector(selector: WorkloadSelector | undefined): Findings {
  return selectorLabels(selector?.matchLabels, selector !== undefined);
}

/** The selector of networking's kinds; `subject` begins the warning about one without labels. */
export function networkingSelector(selector: { labels?: Record<string, string> } | undefined): { errors: Findings; empty: boolean } {
  const found = selectorLabels(selector?.labels, selector !== undefined);
  return { errors: new Findings().addErrors(found), empty: found.warnings.length > 0 };
}

function selectorLabels(values: Record<string, string> | undefined, present: boolean): Findings {
  const findings = new Findings();
  if (!present) return findings;
  for (const [key, value] of sortedEntries(values)) {
    if (key === "") findings.error(`empty key is not supported in selector: ${quoted(`${key}=${value}`)}`);
    if (key.includes("*") || value.includes("*")) findings.error(`wildcard is not supported in selector: ${quoted(`${key}=${value}`)}`);
  }
  if (Object.keys(values ?? {}).length === 0) findings.warn("workload selector specified without labels");
  return findings;
}
