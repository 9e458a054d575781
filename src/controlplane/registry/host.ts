/** Hostnames as Istio matches them: exact, or with a leading wildcard `*` or `*.suffix`. */
export const isWildcard = (host: string): boolean => host.startsWith("*");

/** Whether the two patterns have a name in common. */
export function hostsOverlap(a: string, b: string): boolean {
  const aWild = isWildcard(a);
  const bWild = isWildcard(b);
  if (aWild && bWild) {
    const [x, y] = [a.slice(1), b.slice(1)];
    return x.length < y.length ? y.endsWith(x) : x.endsWith(y);
  }
  if (aWild) return b.endsWith(a.slice(1));
  if (bWild) return a.endsWith(b.slice(1));
  return a === b;
}

/** Whether every name of `inner` is one of `outer`. */
export function hostIsSubsetOf(inner: string, outer: string): boolean {
  if (!isWildcard(outer)) return inner === outer;
  const suffix = outer.slice(1);
  return isWildcard(inner) ? inner.slice(1).endsWith(suffix) : inner.endsWith(suffix);
}

/**
 * The full name behind a host of a rule in `namespace`: a name without dots (and without a wildcard) is a service beside
 * the rule, everything else is taken as it is.
 */
export function resolveShortName(host: string, namespace: string, domain: string): string {
  if (host.includes(".") || host.includes("*")) return host;
  return `${host}.${namespace}.svc.${domain}`;
}

/** Most specific first: exact names before wildcards, longer before shorter, then by alphabet. */
export function compareSpecificity(a: string, b: string): number {
  const wild = Number(isWildcard(a)) - Number(isWildcard(b));
  if (wild !== 0) return wild;
  return b.length - a.length || (a < b ? -1 : a > b ? 1 : 0);
}
