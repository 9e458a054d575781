import type { EndpointSlice, Service, ServicePort } from "../core.ts";
import type { FieldError, KubeObject } from "../types.ts";
import { duplicate, forbidden, immutable, invalid, invalids, notSupported, oneOf, required, Unique } from "./field.ts";
import { validateLabels } from "./metadata.ts";
import { dns1123Label, dns1123Subdomain, ipAddress, ipv4, isIpv6, portName, portNumber, qualifiedName } from "./names.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];

export function validateService(service: Service): FieldError[] {
  const spec = service.spec ?? {};
  const errors: FieldError[] = [];
  const headless = spec.clusterIP === "None";
  if (!spec.ports?.length && !headless && spec.type !== "ExternalName") errors.push(required("spec.ports"));
  if (spec.type === "LoadBalancer" && headless) errors.push(invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services"));
  if (spec.type === "NodePort" && headless) errors.push(invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services"));
  if (spec.type === "ExternalName") {
    if (spec.clusterIP) errors.push(forbidden("spec.clusterIPs", "may not be set for ExternalName services"));
    if (!spec.externalName) errors.push(required("spec.externalName"));
    else {
      const name = spec.externalName.replace(/\.$/, "");
      errors.push(...invalids("spec.externalName", spec.externalName, dns1123Subdomain(name)));
    }
  }
  errors.push(...validateServicePorts(spec.ports ?? [], spec.type ?? "ClusterIP"));
  errors.push(...validateLabels(spec.selector, "spec.selector"));
  errors.push(...oneOf("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]));
  errors.push(...oneOf("spec.type", spec.type, TYPES));
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    if (index === 0 && (address === "None" || address === "")) continue;
    errors.push(...invalids(`spec.clusterIPs[${index}]`, address, ipAddress(address)));
  }
  if (spec.clusterIP && spec.clusterIPs?.length && spec.clusterIPs[0] !== spec.clusterIP)
    errors.push(invalid("spec.clusterIPs", spec.clusterIPs, "first value must match `clusterIP`"));
  if (spec.type !== "ExternalName" && !(headless && Object.keys(spec.selector ?? {}).length === 0)) {
    if (spec.ipFamilyPolicy === "RequireDualStack")
      errors.push(invalid("spec.ipFamilyPolicy", spec.ipFamilyPolicy, "this cluster is not configured for dual-stack services"));
    for (const [index, family] of (spec.ipFamilies ?? []).entries())
      if (family !== "IPv4") errors.push(invalid(`spec.ipFamilies[${index}]`, family, "not configured on this cluster"));
  }
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    const field = `spec.externalIPs[${index}]`;
    const problems = ipAddress(address);
    errors.push(...invalids(field, address, problems));
    if (problems.length === 0) errors.push(...invalids(field, address, specialAddress(address)));
  }
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (spec.sessionAffinity === "ClientIP" && seconds !== undefined && (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS))
    errors.push(invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`));
  errors.push(...validateBalancing(spec));
  if (spec.externalTrafficPolicy) errors.push(...oneOf("spec.externalTrafficPolicy", spec.externalTrafficPolicy, ["Cluster", "Local"]));
  if (spec.internalTrafficPolicy) errors.push(...oneOf("spec.internalTrafficPolicy", spec.internalTrafficPolicy, ["Cluster", "Local"]));
  return [...errors, ...validateServiceStatus(service)];
}

/** A day: longer nobody sticks. */
const MAX_AFFINITY_SECONDS = 86_400;

/** What only load balancers have, or what is reached from outside. */
function validateBalancing(service: NonNullable<Service["spec"]>): FieldError[] {
  const spec = service as typeof service & { loadBalancerSourceRanges?: string[]; loadBalancerClass?: string };
  const errors: FieldError[] = [];
  const balanced = spec.type === "LoadBalancer";
  const only = "may only be used when `type` is 'LoadBalancer'";
  if (spec.loadBalancerSourceRanges?.length) {
    const field = "spec.LoadBalancerSourceRanges";
    if (!balanced) errors.push(forbidden(field, only));
    else
      for (const [index, range] of spec.loadBalancerSourceRanges.entries())
        if (!isCidr(range.trim())) errors.push(invalid(`${field}[${index}]`, range, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"));
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && !balanced) errors.push(forbidden("spec.allocateLoadBalancerNodePorts", only));
  if (spec.loadBalancerClass !== undefined && !balanced) errors.push(forbidden("spec.loadBalancerClass", only));
  const external = balanced || spec.type === "NodePort" || (spec.externalIPs?.length ?? 0) > 0;
  if (spec.externalTrafficPolicy && !external)
    errors.push(invalid("spec.externalTrafficPolicy", spec.externalTrafficPolicy, "may only be set for externally-accessible services"));
  if (spec.healthCheckNodePort && !(balanced && spec.externalTrafficPolicy === "Local"))
    errors.push(
      invalid("spec.healthCheckNodePort", spec.healthCheckNodePort, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"),
    );
  return errors;
}

function isCidr(text: string): boolean {
  const [address = "", length = "", ...more] = text.split("/");
  const max = ipv4(address) ? 32 : isIpv6(address) ? 128 : -1;
  return more.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= max;
}

function validateServiceStatus({ spec = {}, status }: Service): FieldError[] {
  const ingress = (status?.loadBalancer?.ingress ?? []) as { ip?: string; hostname?: string }[];
  const field = "status.loadBalancer.ingress";
  if (spec.type !== "LoadBalancer") return ingress.length > 0 ? [forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'")] : [];
  return ingress.flatMap(({ ip, hostname }, index) => [
    ...(ip ? invalids(`${field}[${index}].ip`, ip, ipAddress(ip)) : []),
    ...(hostname
      ? ipAddress(hostname).length === 0
        ? [invalid(`${field}[${index}].hostname`, hostname, "must be a DNS name, not an IP address")]
        : invalids(`${field}[${index}].hostname`, hostname, dns1123Subdomain(hostname))
      : []),
  ]);
}

function validateServicePorts(ports: ServicePort[], type: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Unique();
  const seen = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const field = `spec.ports[${index}]`;
    if (!port.name) {
      if (ports.length > 1) errors.push(required(`${field}.name`));
    } else errors.push(...invalids(`${field}.name`, port.name, dns1123Label(port.name)), ...names.check(`${field}.name`, port.name));
    errors.push(...invalids(`${field}.port`, port.port ?? 0, portNumber(port.port ?? 0)));
    if (!port.protocol) errors.push(required(`${field}.protocol`));
    else if (!PROTOCOLS.includes(port.protocol)) errors.push(notSupported(`${field}.protocol`, port.protocol, PROTOCOLS));
    const target = port.targetPort;
    if (typeof target === "number") errors.push(...invalids(`${field}.targetPort`, target, portNumber(target)));
    else errors.push(...(target === undefined ? invalids(`${field}.targetPort`, 0, portNumber(0)) : invalids(`${field}.targetPort`, target, portName(target))));
    const { appProtocol } = port as ServicePort & { appProtocol?: string };
    if (appProtocol !== undefined) errors.push(...invalids(`${field}.appProtocol`, appProtocol, qualifiedName(appProtocol)));
    const key = `${port.protocol}/${port.port}`;
    if (seen.has(key)) errors.push(duplicate(field, { Name: "", Protocol: port.protocol, AppProtocol: null, Port: port.port, TargetPort: 0, NodePort: 0 }));
    seen.add(key);
    if (!port.nodePort) continue;
    if (type === "ClusterIP") errors.push(forbidden(`${field}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    if (type === "ExternalName") errors.push(forbidden(`${field}.nodePort`, "may not be used when `type` is 'ExternalName'"));
    const nodeKey = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(nodeKey)) errors.push(duplicate(`${field}.nodePort`, port.nodePort));
    nodePorts.add(nodeKey);
  }
  return errors;
}

export function validateServiceUpdate(service: Service, old: Service): FieldError[] {
  const [spec, before] = [service.spec ?? {}, old.spec ?? {}];
  if (spec.type === "ExternalName" || before.type === "ExternalName") return [];
  const [now, then] = [spec.clusterIPs ?? [], before.clusterIPs ?? []];
  if (then[0] && now[0] !== then[0]) return [invalid("spec.clusterIPs[0]", now, "may not change once set")];
  return [];
}

const ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"];
/** Limits of the API. https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/ */
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;

interface Subset {
  addresses?: { ip?: string; hostname?: string; nodeName?: string }[];
  notReadyAddresses?: { ip?: string; hostname?: string; nodeName?: string }[];
  ports?: { name?: string; port?: number; protocol?: string }[];
}

export function validateEndpoints(endpoints: KubeObject): FieldError[] {
  return (((endpoints as KubeObject & { subsets?: Subset[] }).subsets ?? []) as Subset[]).flatMap(
    ({ addresses = [], notReadyAddresses = [], ports = [] }, index) => {
      const field = `subsets[${index}]`;
      const errors: FieldError[] = [];
      if (addresses.length + notReadyAddresses.length === 0) errors.push(required(field, "must specify `addresses` or `notReadyAddresses`"));
      for (const [name, list] of Object.entries({ addresses, notReadyAddresses })) {
        for (const [at, { ip = "", hostname }] of list.entries()) {
          const own = `${field}.${name}[${at}]`;
          const problems = ipAddress(ip);
          errors.push(...invalids(`${own}.ip`, ip, problems));
          if (hostname) errors.push(...invalids(`${own}.hostname`, hostname, dns1123Label(hostname)));
          errors.push(...invalids(`${own}.ip`, ip, problems.length > 0 ? ["must be a valid IP address"] : specialAddress(ip)));
        }
      }
      for (const [at, { name = "", port = 0, protocol }] of ports.entries()) {
        const own = `${field}.ports[${at}]`;
        if (name === "") errors.push(...(ports.length > 1 ? [required(`${own}.name`)] : []));
        else errors.push(...invalids(`${own}.name`, name, dns1123Label(name)));
        errors.push(...invalids(`${own}.port`, port, portNumber(port)));
        if (!protocol) errors.push(required(`${own}.protocol`));
        else if (!PROTOCOLS.includes(protocol)) errors.push(notSupported(`${own}.protocol`, protocol, PROTOCOLS));
      }
      return errors;
    },
  );
}

export function validateEndpointSlice(slice: EndpointSlice): FieldError[] {
  const errors: FieldError[] = oneOf("addressType", slice.addressType, ADDRESS_TYPES);
  const endpoints = slice.endpoints ?? [];
  if (endpoints.length > MAX_ENDPOINTS)
    errors.push({ type: "FieldValueTooMany", field: "endpoints", message: `Too many: ${endpoints.length}: must have at most ${MAX_ENDPOINTS} items` });
  for (const [index, endpoint] of endpoints.entries()) {
    const field = `endpoints[${index}]`;
    const addresses = endpoint.addresses ?? [];
    if (addresses.length === 0) errors.push(required(`${field}.addresses`, "must contain at least 1 address"));
    else if (addresses.length > MAX_ADDRESSES)
      errors.push({
        type: "FieldValueTooMany",
        field: `${field}.addresses`,
        message: `Too many: ${addresses.length}: must have at most ${MAX_ADDRESSES} items`,
      });
    for (const [at, address] of addresses.entries()) {
      const path = `${field}.addresses[${at}]`;
      if (slice.addressType === "FQDN") errors.push(...invalids(path, address, dns1123Subdomain(address)));
      else if (ipAddress(address).length > 0) errors.push(...invalids(path, address, ipAddress(address)));
      else if (slice.addressType === "IPv4" && !ipv4(address)) errors.push(invalid(`${field}.addresses`, address, "must be an IPv4 address"));
      else if (slice.addressType === "IPv6" && !isIpv6(address)) errors.push(invalid(`${field}.addresses`, address, "must be an IPv6 address"));
      else errors.push(...invalids(path, address, specialAddress(address)));
    }
    if (endpoint.hostname) errors.push(...invalids(`${field}.hostname`, endpoint.hostname, dns1123Label(endpoint.hostname)));
    if (endpoint.nodeName) errors.push(...invalids(`${field}.nodeName`, endpoint.nodeName, dns1123Subdomain(endpoint.nodeName)));
  }
  const names = new Unique();
  for (const [index, port] of (slice.ports ?? []).entries()) {
    const field = `ports[${index}]`;
    if (port.name) errors.push(...invalids(`${field}.name`, port.name, dns1123Label(port.name)));
    errors.push(...names.check(`${field}.name`, port.name ?? ""));
    errors.push(...oneOf(`${field}.protocol`, port.protocol, PROTOCOLS));
  }
  return errors;
}

export function validateEndpointSliceUpdate(slice: EndpointSlice, old: EndpointSlice): FieldError[] {
  return slice.addressType === old.addressType ? [] : [immutable("addressType", slice.addressType)];
}

/** Addresses that no endpoint can have: they mean the machine itself or nobody in particular. */
export function specialAddress(address: string): string[] {
  const bytes = ipv4(address);
  const problems: string[] = [];
  if (bytes) {
    const [a = 0, b = 0, c = 0] = bytes;
    if (bytes.every((byte) => byte === 0)) problems.push("may not be unspecified (0.0.0.0)");
    if (a === 127) problems.push("may not be in the loopback range (127.0.0.0/8, ::1/128)");
    if (a === 169 && b === 254) problems.push("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    if (a === 224 && b === 0 && c === 0) problems.push("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    return problems;
  }
  const lower = address.toLowerCase();
  if (lower === "::") problems.push("may not be unspecified (::)");
  if (lower === "::1") problems.push("may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (/^fe[89ab]/.test(lower)) problems.push("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (lower.startsWith("ff02")) problems.push("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  return problems;
}
