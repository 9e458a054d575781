import type { KubeObject } from "../../../resources/types.ts";
import { list, number, object, text, type Json } from "../proxy-config/dump.ts";
import { shownName } from "./names.ts";
import { faultText, httpMatchTexts, l4MatchText } from "./proto-text.ts";

export interface Subsets {
  readonly matching: readonly string[];
  readonly others: readonly string[];
}

export const NO_SUBSETS: Subsets = { matching: [], others: [] };

/** Labels of a pod. */
export type Labels = Readonly<Record<string, string>>;

/** A service with what its DestinationRule says of the pods behind it. */
export interface Reached {
  readonly service: KubeObject;
  readonly subsets: Subsets;
  readonly rule: KubeObject | undefined;
}

/** Which of a rule's subsets any of the pods is in. */
export function subsetsOf(rule: KubeObject, pods: readonly Labels[]): Subsets {
  const subsets = list(object(rule.spec).subsets);
  const inside = (subset: Json): boolean => pods.some((labels) => Object.entries(object(subset.labels)).every(([key, value]) => labels[key] === value));
  return { matching: subsets.filter(inside).map(({ name }) => text(name)), others: subsets.filter((subset) => !inside(subset)).map(({ name }) => text(name)) };
}

/** A rule; `indent` is the number of spaces before its first line. */
export function destinationRuleText(rule: KubeObject, pods: readonly Labels[], namespace: string, indent = 0): string {
  const spec = object(rule.spec);
  const { matching, others } = subsetsOf(rule, pods);
  const lines = [`DestinationRule: ${shownName(rule, namespace)} for ${JSON.stringify(text(spec.host))}`];
  if (matching.length + others.length > 0) {
    if (matching.length === 0) lines.push(`   WARNING POD DOES NOT MATCH ANY SUBSETS.  (Non matching subsets ${others.join(",")})`);
    lines.push(`   Matching subsets: ${matching.join(",")}`);
    if (others.length > 0) lines.push(`      (Non-matching subsets ${others.join(",")})`);
  }
  if (spec.trafficPolicy === undefined) lines.push("   No Traffic Policy");
  const policy = object(spec.trafficPolicy);
  if (policy.tls !== undefined) lines.push(`   Traffic Policy TLS Mode: ${tlsMode(policy)}`);
  lines.push(...otherPolicies(policy).map((line) => `   ${line}`));
  const out = indented(lines, indent);
  if (policy.portLevelSettings === undefined) return out;
  const ports = list(policy.portLevelSettings).flatMap((settings) => {
    const inner = [...(settings.tls === undefined ? [] : [`TLS Mode: ${tlsMode(settings)}`]), ...otherPolicies(settings)];
    // The port stands in the fourth column however deep its rule does.
    return [`    ${number(object(settings.port).number)}:\n`, indented(inner, indent + 6)];
  });
  return `${out}${indented(["   Port Level Settings:"], indent)}${ports.join("")}`;
}

function tlsMode(policy: Json): string {
  return text(object(policy.tls).mode) || "DISABLE";
}

function otherPolicies(policy: Json): string[] {
  const words = [
    ["loadBalancer", "load balancer"],
    ["connectionPool", "connection pool"],
    ["outlierDetection", "outlier detection"],
  ].flatMap(([field = "", word = ""]) => (policy[field] === undefined ? [] : [word]));
  return words.length > 0 ? [`Policies: ${words.join("/")}`] : [];
}

/** What of a VirtualService reaches a service, and what of it does not reach these pods. */
export function virtualServiceText(virtualService: KubeObject, reached: Reached, namespace: string, indent = 0): string {
  const spec = object(virtualService.spec);
  const [http, tls, tcp] = [list(spec.http), list(spec.tls), list(spec.tcp)];
  const found = [
    ...http.map((route) => httpRoute(route, virtualService, reached, namespace)),
    ...tcp.map((route) => tcpRoute(route, virtualService, reached.service)),
  ];
  const facts = found.filter(({ match }) => match).flatMap((route) => route.facts);
  const mismatches = found.filter(({ match }) => !match).flatMap((route) => route.facts.map((fact) => `      ${fact}`));
  const matches = found.filter(({ match }) => match).length;
  const lines = [`VirtualService: ${shownName(virtualService, namespace)}`, ...facts.map((fact) => `   ${fact}`)];
  const possible = http.length + tls.length + tcp.length;
  if (matches === 0) {
    for (const [routes, kind] of [
      [http, "HTTP"],
      [tcp, "TCP"],
    ] as const)
      if (routes.length > 0) lines.push(`   WARNING: No destinations match pod subsets (checked ${routes.length} ${kind} routes)`);
    lines.push(...mismatches);
  } else if (matches < possible) {
    // Whether traffic that matches comes here cannot be said: an earlier match may have taken it.
    lines.push(`   ${possible - matches} additional destination(s) that will not reach this pod`);
    if (facts.length === 0) lines.push(...mismatches);
  } else if (facts.length === 0) {
    for (const [routes, kind] of [
      [http, "HTTP"],
      [tcp, "TCP"],
    ] as const)
      if (routes.length > 0) lines.push(`   ${routes.length} ${kind} route(s)`);
  }
  return indented(lines, indent);
}

interface RouteFacts {
  readonly match: boolean;
  readonly facts: readonly string[];
}

function httpRoute(route: Json, virtualService: KubeObject, { service, subsets, rule }: Reached, namespace: string): RouteFacts {
  const facts: string[] = [];
  const mismatches: string[] = [];
  let match = false;
  for (const target of list(route.route)) {
    const { host, subset } = object(target.destination);
    const name = text(subset);
    const weight = number(target.weight);
    if (!leadsTo(text(host), virtualService, service)) {
      facts.push(name ? `Route to ${text(host)} with invalid config` : `Route to host "${text(host)}" with weight ${weight}%`);
    } else if (name && subsets.others.includes(name)) {
      const matches = httpMatchTexts(route);
      mismatches.push(`Route to non-matching subset ${name} for (${matches.length === 0 ? "everything" : matches.join(", ")})`);
    } else if (name && !subsets.matching.includes(name)) {
      mismatches.push(
        rule
          ? `Warning: Route to UNKNOWN subset ${name}; check DestinationRule ${shownName(rule, namespace)}`
          : `Warning: Route to subset ${name} but NO DESTINATION RULE defining subsets!`,
      );
    } else {
      match = true;
      if (weight > 0) facts.push(`Route to host "${text(host)}"${name ? ` subset "${name}"` : ""} with weight ${weight}%`);
    }
  }
  if (!match) return { match, facts: [...facts, ...mismatches] };
  const conditions = [...(route.fault === undefined ? [] : [`Fault injection ${faultText(object(route.fault))}`]), ...httpMatchTexts(route)];
  return { match, facts: conditions.length > 0 ? [...facts, conditions.join(", ")] : facts };
}

function tcpRoute(route: Json, virtualService: KubeObject, service: KubeObject): RouteFacts {
  const match = list(route.route).some(({ destination }) => leadsTo(text(object(destination).host), virtualService, service));
  return { match, facts: match ? list(route.match).map(l4MatchText) : [] };
}

/** Whether a host, as a VirtualService names it, is a service. */
function leadsTo(host: string, virtualService: KubeObject, service: KubeObject): boolean {
  const full = host.includes(".") || host === "*" ? host : `${host}.${virtualService.metadata.namespace ?? ""}`;
  const suffix = ".svc.cluster.local";
  return (full.endsWith(suffix) ? full : `${full}${suffix}`) === `${service.metadata.name}.${service.metadata.namespace ?? ""}${suffix}`;
}

function indented(lines: readonly string[], indent: number): string {
  return lines.map((line) => `${" ".repeat(indent)}${line}\n`).join("");
}
