import { isIP } from "node:net";
import { UNSPECIFIED, type MeshService } from "../../registry/index.ts";
import { domainName, ipv6Compliant } from "../names.ts";

const SVC = ".svc.";

/**
 * What of the proxy's domain the names of a service depend on: most services are of other namespaces than the proxy, and
 * have the same names for proxies of all of these.
 */
export function domainsKey(service: MeshService, proxyDomain: string): string {
  const svc = proxyDomain.indexOf(SVC);
  if (svc < 0) return proxyDomain;
  const own = `.${proxyDomain.slice(0, svc)}${SVC}`;
  const named = [service.hostname, ...service.aliases.map((alias) => alias.hostname)].some((hostname) => hostname.includes(own));
  return named ? proxyDomain : proxyDomain.slice(svc);
}

/** Names with and without a port; without when `port` is 0. */
export function withPort(domain: string, port: number): string[] {
  return port === 0 ? [ipv6Compliant(domain)] : [ipv6Compliant(domain), domainName(domain, port)];
}

/** Other names under which applications in the proxy's domain may call a host: absolute, and without the common part. */
export function alternativeNames(hostname: string, port: number, proxyDomain: string): string[] {
  const names: string[] = isIP(hostname) ? [] : [`${hostname}.`];
  if (port !== 0) names.push(domainName(`${hostname}.`, port));
  if (proxyDomain.includes(SVC)) {
    const svc = proxyDomain.indexOf(SVC);
    const clusterSuffix = svc > 0 ? proxyDomain.slice(svc) : proxyDomain;
    // Only names of Kubernetes services are expanded: the short forms of others could collide with theirs.
    return hostname.endsWith(clusterSuffix) ? [...names, ...kubernetesNames(hostname, port, proxyDomain)] : names;
  }
  const [unique, shared] = splitAtShared(hostname.split("."), proxyDomain.split("."));
  const [firstShared] = shared;
  if (firstShared === undefined) return names;
  names.push(...withPort(unique.join("."), port));
  if (unique.length === 2) names.push(...withPort([...unique, firstShared].join("."), port));
  return names;
}

/** The domains of a service's virtual host, and which of them are alternatives that give way to the same name in full. */
export function serviceDomains(
  service: MeshService,
  addresses: readonly string[],
  port: number,
  proxyDomain: string,
): { domains: string[]; alternatives: string[] } {
  const domains: string[] = [];
  const alternatives: string[] = [];
  for (const hostname of [service.hostname, ...service.aliases.map((alias) => alias.hostname)]) {
    const others = alternativeNames(hostname, port, proxyDomain);
    domains.push(...withPort(hostname, port), ...others);
    alternatives.push(...others);
  }
  // Pods of a headless service have names below the service's.
  if (service.resolution === "Passthrough" && service.registry === "Kubernetes") domains.push(...domains.map((domain) => `*.${domain}`));
  for (const address of addresses) if (address !== UNSPECIFIED) domains.push(...withPort(address, port));
  return { domains, alternatives };
}

function kubernetesNames(hostname: string, port: number, proxyDomain: string): string[] {
  const svc = hostname.indexOf(SVC);
  const dot = hostname.indexOf(".");
  if (svc <= 0 || dot + 1 > svc) return [];
  const qualified = hostname.slice(0, svc);
  const sameNamespace = hostname.slice(dot + 1, svc) === proxyDomain.slice(0, proxyDomain.indexOf(SVC));
  const names = sameNamespace ? [hostname.slice(0, dot), `${qualified}.svc`, qualified] : [qualified, `${qualified}.svc`];
  return names.flatMap((name) => (port === 0 ? [name] : [name, domainName(name, port)]));
}

function splitAtShared(host: string[], domain: string[]): [unique: string[], shared: string[]] {
  let count = 0;
  while (count < Math.min(host.length, domain.length) && host.at(-1 - count) === domain.at(-1 - count)) count++;
  return [host.slice(0, host.length - count), host.slice(host.length - count)];
}
