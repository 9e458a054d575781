import type { L4Match, TlsRoute, VirtualServiceSpec } from "../istio.ts";
import { Findings, quoted } from "./findings.ts";
import { validateHttpRoute, weighted } from "./http-route.ts";
import { ipSubnet, isIp, isJwtClaimRoute, labels, port, wildcardDomain } from "./names.ts";
import { exportTo, gatewayNames } from "./shared.ts";
import { unreachableRules } from "./unreachable.ts";

/** The gateway that means all sidecars. */
const MESH = "mesh";

export function validateVirtualService(spec: VirtualServiceSpec, namespace: string): Findings {
  const findings = new Findings();
  const { hosts = [], gateways = [], http = [], tls = [], tcp = [] } = spec;
  if (hosts.length === 0) {
    if (gateways.length > 0) findings.error("delegate virtual service must have no gateways specified");
    if (tls.length > 0) findings.error("delegate virtual service must have no tls route specified");
    if (tcp.length > 0) findings.error("delegate virtual service must have no tcp route specified");
  }
  if (gateways.length > 0) findings.add(gatewayNames(gateways));
  const toGateway = gateways.length > 0 && !gateways.includes(MESH);
  if (!toGateway) findings.error(...claimRoutes(spec));
  const hostsValid = validateHosts(spec, toGateway, findings);
  if (hostsValid) {
    for (const [index, host] of hosts.entries()) {
      for (const other of hosts.slice(index + 1)) if (hostsMatch(host, other)) findings.error(`duplicate hosts in virtual service: ${host} & ${other}`);
    }
  }
  if (http.length + tls.length + tcp.length === 0) findings.error("http, tcp or tls must be provided in virtual service");
  for (const route of http) findings.add(validateHttpRoute(route, hosts.length === 0));
  for (const route of tls) findings.add(tlsRoute(route, spec));
  for (const route of tcp) {
    const found = new Findings();
    for (const match of route.match ?? []) found.addErrors(l4Match(match));
    if (!route.route?.length) found.error("TCP route is required");
    findings.addErrors(found.add(weighted(route.route ?? [])));
  }
  return findings.add(exportTo(namespace, spec.exportTo)).warn(...unreachableRules(spec));
}

function validateHosts(spec: VirtualServiceSpec, toGateway: boolean, findings: Findings): boolean {
  let valid = true;
  const sni = (spec.tls ?? []).some((route) => (route.match ?? []).some((match) => match.sniHosts?.length > 0));
  for (const host of spec.hosts ?? []) {
    const problem = wildcardDomain(host, toGateway && sni);
    if (problem !== undefined) {
      if (isIp(host)) continue;
      findings.error(problem);
      valid = false;
    } else if (!toGateway && host === "*") {
      findings.error("wildcard host * is not allowed for virtual services bound to the mesh gateway");
      valid = false;
    }
  }
  return valid;
}

function claimRoutes({ http = [], gateways = [] }: VirtualServiceSpec): string[] {
  return http.flatMap((route) =>
    (route.match ?? []).flatMap((match) =>
      [...Object.keys(match.headers ?? {}), ...Object.keys(match.withoutHeaders ?? {})]
        .filter(isJwtClaimRoute)
        .map((key) => `JWT claim based routing (key: ${key}) is only supported for gateway, found no gateways: [${gateways.join(" ")}]`),
    ),
  );
}

function tlsRoute(route: TlsRoute, spec: VirtualServiceSpec): Findings {
  const findings = new Findings();
  if (!route.match?.length) findings.error("TLS route must have at least one match condition");
  for (const match of route.match ?? []) {
    if (!match.sniHosts?.length) findings.error("TLS match must have at least one SNI host");
    for (const host of match.sniHosts ?? []) findings.add(sniHost(host, spec));
    findings.add(l4Match(match));
  }
  if (!route.route?.length) findings.error("TLS route is required");
  return findings.add(weighted(route.route ?? []));
}

function sniHost(host: string, { hosts = [], gateways = [] }: VirtualServiceSpec): Findings {
  const findings = new Findings();
  const problem = wildcardDomain(host, !gateways.includes(MESH));
  if (problem !== undefined) {
    return isIp(host)
      ? findings.warn(`using an IP address (${quoted(host)}) goes against SNI spec and most clients do not support this`)
      : findings.error(problem);
  }
  if (hosts.some((other) => isSubset(host, other))) return findings;
  return findings.error(`SNI host ${quoted(host)} is not a compatible subset of any of the virtual service hosts: [${hosts.join(", ")}]`);
}

function l4Match(match: L4Match): Findings {
  const findings = new Findings().error(...(match.destinationSubnets ?? []).map(ipSubnet));
  if (match.port) findings.error(port(match.port));
  return findings.add(labels(match.sourceLabels), gatewayNames(match.gateways));
}

/** Whether a name is covered by another, wildcards on both sides: `*.foo.com` and `*.com` match. */
function hostsMatch(a: string, b: string): boolean {
  if (a.startsWith("*") && b.startsWith("*")) return a.length < b.length ? b.slice(1).endsWith(a.slice(1)) : a.slice(1).endsWith(b.slice(1));
  if (a.startsWith("*")) return b.endsWith(a.slice(1));
  return b.startsWith("*") ? a.endsWith(b.slice(1)) : a === b;
}

function isSubset(host: string, of: string): boolean {
  if (host.startsWith("*") && !of.startsWith("*")) return false;
  if (of.startsWith("*")) return (host.startsWith("*") ? host.slice(1) : host).endsWith(of.slice(1));
  return host === of;
}
