import { list, namespaceOf, object, spec, strings, text, type World } from "./world.ts";

/** A service or ServiceEntry behind a host, as far as rules speak of it. */
export interface HostEntry {
  readonly ports: readonly number[];
  /** Labels that choose its workloads, of a ServiceEntry. */
  readonly workloadLabels: Readonly<Record<string, string>>;
}

/** Everything that rules can name, by `scope/host`: the scope is a namespace that sees it, or a star. */
export type HostMap = ReadonlyMap<string, HostEntry>;

const EVERYWHERE = "*";

/** A short host in the namespace of whoever names it. */
export function fullHost(host: string, namespace: string): string {
  return host.startsWith("*") || host.includes(".") ? host : `${host}.${namespace}.svc.cluster.local`;
}

/** Host and namespace of a service's full name; another host stands for itself in the namespace of whoever names it. */
export function resourceOfHost(host: string, namespace: string): string {
  const [, name, where] = /^(.+)\.(.+)\.svc\.cluster\.local$/.exec(host) ?? [];
  return name === undefined ? `${namespace}/${host}` : `${where}/${name}`;
}

export function hostMap(world: World): HostMap {
  const hosts = new Map<string, HostEntry>();
  for (const entry of world.kind("ServiceEntry")) {
    const { hosts: names, ports, exportTo, workloadSelector } = spec(entry);
    const known: HostEntry = {
      ports: list(ports).map(({ number }) => Number(number)),
      workloadLabels: object(object(workloadSelector).labels) as Record<string, string>,
    };
    for (const scope of scopes(strings(exportTo), namespaceOf(entry)))
      for (const name of strings(names)) hosts.set(`${scope}/${fullHost(name, namespaceOf(entry))}`, known);
  }
  for (const service of world.kind("Service")) {
    const known: HostEntry = { ports: list(spec(service).ports).map(({ port }) => Number(port)), workloadLabels: {} };
    const exported = text(service.metadata.annotations?.["networking.istio.io/exportTo"]);
    const visible = exported === "" ? [] : exported.split(",").map((part) => part.trim());
    for (const scope of scopes(visible, namespaceOf(service))) hosts.set(`${scope}/${fullHost(service.metadata.name, namespaceOf(service))}`, known);
  }
  return hosts;
}

/** Where an exportTo leads: a star when it leads everywhere, else namespaces. */
export function scopes(exportTo: readonly string[], namespace: string): string[] {
  if (exportTo.length === 0 || exportTo.includes(EVERYWHERE)) return [EVERYWHERE];
  return [...new Set(exportTo.map((place) => (place === "." ? namespace : place)))];
}

/** What a host leads to for rules of a namespace that are exported so. */
export function lookUp(hosts: HostMap, host: string, namespace: string, exportTo: readonly string[]): HostEntry | undefined {
  const full = fullHost(host, namespace);
  const places = exportTo.length === 0 ? [namespace] : exportTo.map((place) => (place === "." ? namespace : place));
  for (const scope of [EVERYWHERE, ...places]) {
    const found = hosts.get(`${scope}/${full}`);
    if (found) return found;
  }
  for (const [key, entry] of hosts) {
    const [scope = "", name = ""] = splitScope(key);
    if (!name.startsWith("*") || (scope !== EVERYWHERE && scope !== namespace)) continue;
    if (host.replace(/^\*/, "").endsWith(name.slice(1))) return entry;
  }
  return undefined;
}

export function splitScope(key: string): [scope: string, host: string] {
  const slash = key.indexOf("/");
  return [key.slice(0, slash), key.slice(slash + 1)];
}

/** Whether a host, which may begin with a wildcard, and another, which may too, have anything in common. */
export function hostMatches(host: string, other: string): boolean {
  const [wild, otherWild] = [host.startsWith("*"), other.startsWith("*")];
  const [tail, otherTail] = [host.slice(1), other.slice(1)];
  if (wild && otherWild) return tail.length < otherTail.length ? other.endsWith(tail) : host.endsWith(otherTail);
  if (wild) return other.endsWith(tail);
  if (otherWild) return host.endsWith(otherTail);
  return host === other;
}
