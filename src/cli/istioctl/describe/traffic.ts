import type { KubeObject } from "../../../resources/types.ts";
import { list, object, strings, text, type Json } from "../proxy-config/dump.ts";
import { shownName } from "./names.ts";

export interface Subsets {
  readonly matching: readonly string[];
  readonly others: readonly string[];
}

export const NO_SUBSETS: Subsets = { matching: [], others: [] };

/** Which of a rule's subsets a pod is in. */
export function subsetsOf(rule: KubeObject, labels: Readonly<Record<string, string>>): Subsets {
  const subsets = list(object(rule.spec).subsets);
  const inside = (subset: Json): boolean => Object.entries(object(subset.labels)).every(([key, value]) => labels[key] === value);
  return { matching: subsets.filter(inside).map(({ name }) => text(name)), others: subsets.filter((subset) => !inside(subset)).map(({ name }) => text(name)) };
}

export function destinationRuleText(rule: KubeObject, labels: Readonly<Record<string, string>>, namespace: string): string {
  const spec = object(rule.spec);
  const { matching, others } = subsetsOf(rule, labels);
  let out = `DestinationRule: ${shownName(rule, namespace)} for ${JSON.stringify(text(spec.host))}\n`;
  if (matching.length + others.length > 0) {
    if (matching.length === 0) out += `  WARNING POD DOES NOT MATCH ANY SUBSETS.  (Non matching subsets ${others.join(",")})\n`;
    out += `   Matching subsets: ${matching.join(",")}\n`;
    if (others.length > 0) out += `      (Non-matching subsets ${others.join(",")})\n`;
  }
  if (spec.trafficPolicy === undefined) return `${out}   No Traffic Policy\n`;
  const policy = object(spec.trafficPolicy);
  if (policy.tls !== undefined) out += `   Traffic Policy TLS Mode: ${text(object(policy.tls).mode) || "DISABLE"}\n`;
  const extras = [
    ["loadBalancer", "load balancer"],
    ["connectionPool", "connection pool"],
    ["outlierDetection", "outlier detection"],
    ["portLevelSettings", "port level settings"],
  ].flatMap(([field = "", words = ""]) => (policy[field] === undefined ? [] : [words]));
  return extras.length > 0 ? `${out}   ${extras.join("/")}\n` : out;
}

/** What of a VirtualService reaches a service, and what of it does not reach this pod. */
export function virtualServiceText(virtualService: KubeObject, service: KubeObject, subsets: Subsets, rule: KubeObject | undefined, namespace: string): string {
  const spec = object(virtualService.spec);
  const http = list(spec.http);
  let out = `VirtualService: ${shownName(virtualService, namespace)}\n`;
  let matches = 0;
  const facts: string[] = [];
  const mismatches: string[] = [];
  for (const route of http) {
    const { reached, notes } = routeNotes(route, virtualService, service, subsets, rule, namespace);
    if (reached) {
      matches++;
      facts.push(...notes);
    } else mismatches.push(...notes);
  }
  out += facts.map((fact) => `   ${fact}\n`).join("");
  const listed = mismatches.map((note) => `      ${note}\n`).join("");
  if (matches === 0 && http.length > 0) return `${out}   WARNING: No destinations match pod subsets (checked ${http.length} HTTP routes)\n${listed}`;
  const possible = http.length + list(spec.tls).length + list(spec.tcp).length;
  if (matches > 0 && matches < possible) return `${out}   ${possible - matches} additional destination(s) that will not reach this pod\n${facts.length === 0 ? listed : ""}`;
  if (facts.length > 0) return out;
  if (http.length > 0) out += `   ${http.length} HTTP route(s)\n`;
  const tcp = list(spec.tcp).length;
  return tcp > 0 ? `${out}   ${tcp} TCP route(s)\n` : out;
}

function routeNotes(route: Json, virtualService: KubeObject, service: KubeObject, subsets: Subsets, rule: KubeObject | undefined, namespace: string): { reached: boolean; notes: string[] } {
  const wanted = qualified(service.metadata.name, service.metadata.namespace ?? "");
  const facts: string[] = [];
  const mismatches: string[] = [];
  let reached = false;
  for (const target of list(route.route)) {
    const { host, subset } = object(target.destination);
    if (qualified(text(host), virtualService.metadata.namespace ?? "") !== wanted) {
      mismatches.push(`Route to ${text(host)}`);
      continue;
    }
    const name = text(subset);
    if (name && subsets.others.includes(name)) {
      mismatches.push(`Route to non-matching subset ${name} for (${renderMatches(list(route.match))})`);
      continue;
    }
    if (name && !subsets.matching.includes(name)) {
      mismatches.push(rule ? `Warning: Route to UNKNOWN subset ${name}; check DestinationRule ${shownName(rule, namespace)}` : `Warning: Route to subset ${name} but NO DESTINATION RULE defining subsets!`);
      continue;
    }
    reached = true;
    if (typeof target.weight === "number" && target.weight > 0) facts.push(`Weight ${target.weight}%`);
  }
  if (!reached) return { reached, notes: mismatches.length > 0 ? mismatches : ["No route destinations"] };
  const conditions = [...(route.fault === undefined ? [] : [`Fault injection ${JSON.stringify(route.fault)}`]), ...list(route.match).map(renderMatch)];
  return { reached, notes: conditions.length > 0 ? [...facts, conditions.join(", ")] : facts };
}

function renderMatches(matches: readonly Json[]): string {
  return matches.length === 0 ? "everything" : matches.map(renderMatch).join(", ");
}

function renderMatch(match: Json): string {
  const parts: string[] = [];
  const value = (matcher: Json): string => text(matcher.exact) || (matcher.prefix === undefined ? text(matcher.regex) : `${text(matcher.prefix)}*`);
  if (match.uri !== undefined) parts.push(value(object(match.uri)));
  const headers = Object.entries(object(match.headers)).map(([name, matcher]) => `${name}=${value(object(matcher))}`);
  if (headers.length > 0) parts.push(`when headers are ${headers.join(", ")}`);
  const gateways = strings(match.gateways);
  if (gateways.length > 0) parts.push(`on gateways ${gateways.join(", ")}`);
  return parts.join(" ");
}

/** A host as VirtualServices name them, in full. */
function qualified(host: string, namespace: string): string {
  const parts = host.split(".");
  if (parts.length === 1) return `${host}.${namespace}.svc.cluster.local`;
  if (parts.length === 2) return `${host}.svc.cluster.local`;
  return parts.length === 3 && parts[2] === "svc" ? `${host}.cluster.local` : host;
}
