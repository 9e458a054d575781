import type { KubeObject } from "../../../resources/types.ts";
import { list, object, strings, text, type Json } from "../proxy-config/dump.ts";

export type Level = "Error" | "Warning" | "Info";

/** One finding about one object. */
export interface Finding {
  readonly level: Level;
  readonly code: string;
  readonly about: KubeObject;
  readonly message: string;
}

export interface Analyzer {
  readonly name: string;
  readonly description: string;
  run(world: World): Finding[];
}

/** Everything that is analysed together: a cluster's objects, with files' objects in the place of those they would replace. */
export class World {
  readonly #byKind = new Map<string, KubeObject[]>();

  constructor(
    objects: readonly KubeObject[],
    readonly rootNamespace: string,
  ) {
    const seen = new Map<string, KubeObject>();
    for (const candidate of objects) seen.set(`${candidate.kind} ${candidate.metadata.namespace ?? ""}/${candidate.metadata.name}`, candidate);
    for (const candidate of seen.values()) {
      const same = this.#byKind.get(candidate.kind);
      if (same) same.push(candidate);
      else this.#byKind.set(candidate.kind, [candidate]);
    }
  }

  kind(kind: string): KubeObject[] {
    return this.#byKind.get(kind) ?? [];
  }

  find(kind: string, namespace: string, name: string): KubeObject | undefined {
    return this.kind(kind).find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  }

  all(): KubeObject[] {
    return [...this.#byKind.values()].flat();
  }

  /** Pods with all the labels; in one namespace, or anywhere. */
  pods(labels: Readonly<Record<string, string>>, namespace?: string): KubeObject[] {
    return this.kind("Pod").filter((pod) => (namespace === undefined || pod.metadata.namespace === namespace) && hasLabels(pod, labels));
  }

  /** The service or ServiceEntry behind a host that a rule in a namespace names. */
  host(host: string, namespace: string): KubeObject | undefined {
    const full = fullHost(host, namespace);
    const service = /^([^.]+)\.([^.]+)\.svc\.cluster\.local$/.exec(full);
    const found = service && this.find("Service", service[2] ?? "", service[1] ?? "");
    if (found) return found;
    return this.kind("ServiceEntry").find((entry) => specHosts(entry).some((known) => hostMatches(known, host) || hostMatches(known, full)));
  }
}

export function spec(of: KubeObject): Json {
  return object(of.spec);
}

export function namespaceOf(of: KubeObject): string {
  return of.metadata.namespace ?? "";
}

export function specHosts(of: KubeObject): string[] {
  return strings(spec(of).hosts);
}

export function stringMap(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(object(value)).map(([key, item]) => [key, text(item)]));
}

/** Labels as Go prints a set: sorted, `k=v`, commas. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}

export function hasLabels(of: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => of.metadata.labels?.[key] === value);
}

/** A short host in the namespace of whoever names it. */
export function fullHost(host: string, namespace: string): string {
  return host.includes(".") || host.includes("*") ? host : `${host}.${namespace}.svc.cluster.local`;
}

/** Whether a host, which may begin with a wildcard, covers another. */
export function hostMatches(pattern: string, host: string): boolean {
  if (pattern === "*" || pattern === host) return true;
  return pattern.startsWith("*") && host.endsWith(pattern.slice(1));
}

/** `a.b/name` or `name` in a namespace. */
export function qualifiedName(name: string, namespace: string): { namespace: string; name: string } {
  const slash = name.indexOf("/");
  return slash < 0 ? { namespace, name } : { namespace: name.slice(0, slash), name: name.slice(slash + 1) };
}

export interface Destination {
  readonly host: string;
  readonly subset: string;
  readonly port: number | undefined;
}

/** All destinations of a VirtualService, mirrors included. */
export function destinationsOf(virtualService: KubeObject): Destination[] {
  const { http, tcp, tls } = spec(virtualService);
  const routes = [...list(http), ...list(tcp), ...list(tls)];
  const targets = routes.flatMap((route) => [
    ...list(route.route).map(({ destination }) => object(destination)),
    ...(route.mirror === undefined ? [] : [object(route.mirror)]),
    ...list(route.mirrors).map(({ destination }) => object(destination)),
  ]);
  return targets.map((target) => {
    const { number: port } = object(target.port);
    return { host: text(target.host), subset: text(target.subset), port: typeof port === "number" ? port : undefined };
  });
}
