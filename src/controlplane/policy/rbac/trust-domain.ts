/** The name that means the mesh's own trust domain whatever it is called. */
const LOCAL = "cluster.local";

/**
 * A principal under all names of the mesh's trust domain. Principals whose trust domain is a wildcard, is another's, or
 * that are not of the form `<trust domain>/ns/<namespace>/sa/<account>` stay as they are.
 */
export function replaceTrustDomain(principal: string, trustDomains: readonly string[]): string[] {
  const parts = principal.split("/");
  const [domain = ""] = parts;
  if (parts.length !== 5 || domain === "*") return [principal];
  if (domain !== LOCAL && !trustDomains.some((name) => matches(name, domain))) return [principal];
  const rest = principal.slice(domain.length);
  // `*-td` already covers each trust domain that it matches.
  return [...new Set(trustDomains.map((name) => (domain.startsWith("*") && name.endsWith(domain.slice(1)) ? principal : name + rest)))];
}

/** A trust domain of a policy and, when it is the mesh's, all of the mesh's names. */
export function expandTrustDomain(domain: string, trustDomains: readonly string[]): string[] {
  if (domain === "*") return [domain];
  if (domain !== LOCAL && !trustDomains.includes(domain)) return [domain];
  return [...new Set(domain === LOCAL ? trustDomains : [domain, ...trustDomains])];
}

function matches(name: string, pattern: string): boolean {
  if (pattern.startsWith("*")) return name.endsWith(pattern.slice(1));
  if (pattern.endsWith("*")) return name.startsWith(pattern.slice(0, -1));
  return name === pattern;
}
