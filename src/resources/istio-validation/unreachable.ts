/** Which of a VirtualService's rules can never be reached, as istiod warns of them. */
import type { HttpMatchRequest, HttpRoute, StringMatch, VirtualServiceSpec } from "../istio.ts";

interface Rule {
  name?: string;
  match?: object[];
}

export function unreachableRules(spec: VirtualServiceSpec): string[] {
  return [...analyze(spec.http ?? []), ...prefixOverlaps(spec.http ?? []), ...analyze(spec.tcp ?? []), ...analyze(spec.tls ?? [])];
}

const named = (of: { name?: string } | undefined, index: number) => (of?.name ? JSON.stringify(of.name) : `#${index}`);
const notUsed = (rule: string, why: string) => `virtualService rule ${rule} not used (${why})`;
const ineffective = (rule: string, match: string, other: string) =>
  `virtualService rule ${rule} match ${match} is not used (duplicate/overlapping match in rule ${other})`;

function analyze(rules: Rule[]): string[] {
  const warnings: string[] = [];
  const seen = new Map<string, number>();
  let catchAll = false;
  for (const [index, rule] of rules.entries()) {
    const matches = rule.match ?? [];
    if (matches.length === 0) {
      if (catchAll) warnings.push(notUsed(named(rule, index), "only the last rule can have no matches"));
      catchAll = true;
      continue;
    }
    let duplicates = 0;
    for (const [at, match] of matches.entries()) {
      if (catchAll) {
        warnings.push(notUsed(named(rule, index), "route without matches defined before"));
        continue;
      }
      const { name: _, ...conditions } = match as { name?: string };
      const key = canonical(conditions);
      const earlier = seen.get(key);
      if (earlier === undefined) seen.set(key, index);
      else {
        warnings.push(ineffective(named(rule, index), named(match, at), named(rules[earlier], earlier)));
        duplicates++;
      }
    }
    if (duplicates === matches.length) warnings.push(notUsed(named(rule, index), "all matches used by prior rules"));
  }
  return warnings;
}

interface PrefixMatch {
  rule: string;
  match: string;
  prefix: string;
  port: number;
  method: string;
  authority: string;
  headers: Record<string, string>;
  queryParams: Record<string, string>;
  withoutHeaders: Record<string, string>;
}

/** A prefix that an earlier, shorter one takes everything from. */
function prefixOverlaps(routes: HttpRoute[]): string[] {
  const prefixes: PrefixMatch[] = [];
  const seen = new Set<string>();
  let catchAll = false;
  for (const [index, route] of routes.entries()) {
    if (!route.match?.length) catchAll = true;
    for (const [at, match] of (route.match ?? []).entries()) {
      const { name: _, ...conditions } = match;
      const key = canonical(conditions);
      if (catchAll || seen.has(key)) continue;
      seen.add(key);
      const prefix = match.uri?.prefix;
      if (prefix) prefixes.push(prefixMatch(match, prefix, named(route, index), named(match, at)));
    }
  }
  return prefixes.flatMap((earlier, index) =>
    prefixes
      .slice(index + 1)
      .filter((later) => later.prefix !== earlier.prefix && covers(earlier, later))
      .map((later) => ineffective(later.rule, `${later.match} of prefix ${later.prefix}`, `${earlier.match} of prefix ${earlier.prefix} on ${earlier.rule}`)),
  );
}

function prefixMatch(match: HttpMatchRequest, prefix: string, rule: string, name: string): PrefixMatch {
  const map = (matches: Record<string, StringMatch> | undefined) => Object.fromEntries(Object.entries(matches ?? {}).map(([key, value]) => [key, text(value)]));
  return {
    rule,
    match: name,
    prefix,
    port: match.port ?? 0,
    method: text(match.method) || "exact:GET", // what is not said is taken for GET
    authority: text(match.authority),
    headers: map(match.headers),
    queryParams: map(match.queryParams),
    withoutHeaders: map(match.withoutHeaders),
  };
}

function text(match: StringMatch | undefined): string {
  return match?.exact ? `exact:${match.exact}` : match?.prefix ? `prefix:${match.prefix}` : "";
}

function covers(a: PrefixMatch, b: PrefixMatch): boolean {
  const maps = (["headers", "queryParams", "withoutHeaders"] as const).every((field) => {
    const [left, right] = [a[field], b[field]];
    return (
      Object.keys(left).length === Object.keys(right).length &&
      Object.entries(left).every(([key, value]) => right[key] !== undefined && value.startsWith(right[key]))
    );
  });
  return b.prefix.startsWith(a.prefix) && a.port === b.port && a.method.startsWith(b.method) && a.authority.startsWith(b.authority) && maps;
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}
