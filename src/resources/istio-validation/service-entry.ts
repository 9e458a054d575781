import type { ServiceEntrySpec, WorkloadEntrySpec } from "../istio.ts";
import { Findings, quoted, sortedEntries } from "./findings.ts";
import {
  fqdn,
  headerName,
  ipSubnet,
  isHttpProtocol,
  isIp,
  isTcpProtocol,
  isTlsProtocol,
  labels,
  networkingSelector,
  partialWildcard,
  port,
  portName,
  protocol,
  unixAddress,
  wildcardDomain,
} from "./names.ts";
import { exportTo } from "./shared.ts";

const UNIX = "unix://";
/** Protocols whose requests say which name is meant. */
const NAMED = new Set(["http", "tls", "grpc", "http2"]);
const USE_WAYPOINT = "istio.io/use-waypoint";
/** Says whether istiod gives the entry addresses of its own choosing. */
const AUTO_ALLOCATE = "networking.istio.io/enable-autoallocate-ip";

export function validateServiceEntry(spec: ServiceEntrySpec, namespace: string, objectLabels: Record<string, string> = {}): Findings {
  const findings = new Findings();
  const selector = networkingSelector(spec.workloadSelector);
  if (selector.errors.text !== undefined) return selector.errors;
  if (selector.empty) findings.warn("service entry: workload selector specified without labels, will be applied to all services in namespace");
  const { hosts = [], addresses = [], endpoints = [], ports = [], resolution = "NONE" } = spec;
  if (spec.workloadSelector && spec.endpoints) findings.error("only one of WorkloadSelector or Endpoints is allowed in Service Entry");
  if (hosts.length === 0) findings.error("service entry must have at least one host");
  for (const host of hosts) {
    if (host === "*") findings.error(`invalid host ${host}`);
    else findings.error(wildcardDomain(host)).warn(resolution === "DYNAMIC_DNS" ? undefined : partialWildcard(host));
  }
  findings.error(...addresses.map(ipSubnet));
  if (addresses.some((address) => address.includes("/")) && resolution !== "NONE" && resolution !== "STATIC") {
    findings.error("CIDR addresses are allowed only for NONE/STATIC resolution types");
  }
  findings.add(validatePorts(spec, objectLabels));
  const servicePorts = new Set(ports.map((one) => one.name));
  if (resolution === "NONE") {
    if (endpoints.length > 0) findings.error("no endpoints should be provided for resolution type none");
    if (spec.workloadSelector) findings.warn("workloadSelector should not be set when resolution mode is NONE");
  } else if (resolution === "STATIC") {
    for (const endpoint of endpoints) findings.add(workloadEntry(endpoint, servicePorts, false));
  } else findings.add(resolution === "DYNAMIC_DNS" ? dynamicResolution(spec, objectLabels) : dnsResolution(spec, servicePorts));
  // Plain TCP says nothing of the host that is meant.
  if (resolution !== "NONE" && hosts.length > 1 && ports.some((one) => !isHttpProtocol(one.protocol ?? "") && !isTlsProtocol(one.protocol ?? ""))) {
    findings.error("multiple hosts provided with non-HTTP, non-TLS ports");
  }
  return findings.add(exportTo(namespace, spec.exportTo, { serviceEntry: true }));
}

function validatePorts({ ports = [], addresses = [], resolution = "NONE" }: ServiceEntrySpec, objectLabels: Record<string, string>): Findings {
  const findings = new Findings();
  const allocated = objectLabels[AUTO_ALLOCATE]?.toLowerCase() !== "false" && resolution !== "NONE";
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const one of ports) {
    const { name = "", number = 0 } = one as Partial<typeof one>;
    if (names.has(name)) findings.error(`service entry port name ${quoted(name)} already defined`);
    names.add(name);
    if (numbers.has(number)) findings.error(`service entry port ${number} already defined`);
    numbers.add(number);
    if (one.targetPort) findings.error(port(one.targetPort));
    if (addresses.length === 0 && !allocated && (!one.protocol || one.protocol === "TCP")) {
      findings.warn("addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not enabled");
    }
    findings.error(portName(one.name), protocol(one.protocol), port(one.number));
  }
  return findings;
}

function dnsResolution(spec: ServiceEntrySpec, servicePorts: Set<string>): Findings {
  const findings = new Findings();
  const { hosts = [], addresses = [], endpoints = [], ports = [], resolution = "DNS" } = spec;
  if (endpoints.length === 0) {
    const problem = hosts.map(fqdn).find((one) => one !== undefined);
    if (problem !== undefined)
      findings.error(`hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode ${resolution}, ${problem}`);
  }
  if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1) findings.error(`there must only be 0 or 1 endpoint for resolution mode ${resolution}`);
  for (const { address = "", labels: tags, ports: own } of endpoints) {
    if (!isIp(address) && fqdn(address) !== undefined) findings.error(`endpoint address ${quoted(address)} is not a valid FQDN or an IP address`);
    findings.add(labels(tags), endpointPorts(own, servicePorts));
  }
  if (addresses.length > 0 && hosts.length > 1 && ports.some((one) => isTcpProtocol(one.protocol ?? ""))) {
    findings.warn("service entry can not have more than one host specified simultaneously with address and tcp port");
  }
  return findings;
}

/** What is resolved is the name that a client asks for, so that wildcards are the point and addresses have none. */
function dynamicResolution(
  { hosts = [], addresses = [], endpoints = [], ports = [], location }: ServiceEntrySpec,
  objectLabels: Record<string, string>,
): Findings {
  const findings = new Findings();
  if (hosts.length === 0) findings.error("at least one wildcard host must be provided for resolution type DYNAMIC_DNS");
  for (const host of hosts) if (!host.startsWith("*")) findings.error("host must be wildcarded for resolution mode DYNAMIC_DNS");
  if (addresses.length > 0)
    findings.error("addresses cannot be set for resolution type DYNAMIC_DNS. HTTP route domains will only be generatedfrom the hosts field values");
  if (endpoints.length > 0) findings.error("endpoints cannot be set for resolution type DYNAMIC_DNS. Destination IP address determined from hostsfield values");
  for (const one of ports)
    if (!NAMED.has((one.protocol ?? "").toLowerCase()))
      findings.error("only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS");
  const waypoint = objectLabels[USE_WAYPOINT] ?? "";
  if (location === "MESH_INTERNAL" && waypoint !== "" && waypoint.toLowerCase() !== "none")
    findings.error("location MESH_INTERNAL with resolution type DYNAMIC_DNS is not supported when using waypoints");
  return findings;
}

function endpointPorts(ports: Record<string, number> | undefined, servicePorts: Set<string> | undefined): Findings {
  const findings = new Findings();
  for (const [name, number] of sortedEntries(ports)) {
    if (servicePorts && !servicePorts.has(name)) findings.error(`endpoint port ${number} is not defined by the service entry`);
    findings.error(portName(name), port(number));
  }
  return findings;
}

export function validateWorkloadEntry(spec: WorkloadEntrySpec): Findings {
  return workloadEntry(spec, undefined, true);
}

function workloadEntry(entry: WorkloadEntrySpec, servicePorts: Set<string> | undefined, names: boolean): Findings {
  const findings = new Findings();
  const address = entry.address ?? "";
  if (address === "") {
    if (!entry.network) return findings.error("address is required");
    findings.warn(`address is unset with network ${quoted(entry.network)}`);
  }
  const socket = address.startsWith(UNIX);
  if (socket) {
    findings.error(unixAddress(address.slice(UNIX.length)));
    if (Object.keys(entry.ports ?? {}).length > 0) findings.error(`unix endpoint ${address} must not include ports`);
  } else if (address !== "" && !isIp(address)) {
    if (!names) findings.error(`endpoint address ${quoted(address)} is not a valid IP address`);
    else if (fqdn(address) !== undefined) findings.error(`endpoint address ${quoted(address)} is not a valid FQDN or an IP address`);
  }
  findings.add(endpointPorts(entry.ports, servicePorts), labels(entry.labels));
  return socket && servicePorts && servicePorts.size !== 1 ? findings.error("exactly 1 service port required for unix endpoints") : findings;
}

interface Probe {
  httpGet?: { port?: number; scheme?: string; httpHeaders?: { name?: string }[] };
  tcpSocket?: { port?: number };
  exec?: { command?: string[] };
  grpc?: { port?: number };
  periodSeconds?: number;
  initialDelaySeconds?: number;
  timeoutSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
}

export function validateWorkloadGroup(spec: { template?: unknown; metadata?: { labels?: Record<string, string> }; probe?: unknown }): Findings {
  const findings = new Findings();
  if (!spec.template) return findings.error("template is required");
  const tags = labels(spec.metadata?.labels).text;
  if (tags !== undefined) return findings.error(`invalid labels: ${tags}`);
  const probe = spec.probe as Probe | undefined;
  if (!probe) return findings;
  for (const field of ["periodSeconds", "initialDelaySeconds", "timeoutSeconds", "successThreshold", "failureThreshold"] as const) {
    if ((probe[field] ?? 0) < 0) findings.error(`${field} must be non-negative`);
  }
  const { httpGet, tcpSocket, exec, grpc } = probe;
  if (httpGet) {
    findings.error(port(httpGet.port));
    if (httpGet.scheme && httpGet.scheme !== "HTTP" && httpGet.scheme !== "HTTPS") findings.error('httpGet.scheme must be one of "HTTPS", "HTTP"');
    for (const header of httpGet.httpHeaders ?? []) findings.error(headerName(header.name ?? ""));
  } else if (tcpSocket) findings.error(port(tcpSocket.port));
  else if (exec) {
    if (!exec.command?.length) findings.error("exec.command is required");
  } else if (grpc) findings.error(port(grpc.port));
  else findings.error("unknown health check method <nil>");
  return findings;
}
