import { compareText } from "./order.ts";
import type { MeshService } from "./service.ts";

/** All services, found by name and by who may see them. Its identity changes when, and only when, a service does. */
export class ServiceIndex {
  /** Oldest first. */
  readonly all: readonly MeshService[];
  /** Hostname to namespace to service. */
  readonly byHostname: ReadonlyMap<string, ReadonlyMap<string, MeshService>>;
  readonly #entries = new Map<string, MeshService[]>();
  readonly #public: MeshService[] = [];
  readonly #exported = new Map<string, MeshService[]>();
  /** Namespaces of services that not all may see: routes of their own reach those, whoever may see them. */
  readonly #owners = new Set<string>();
  readonly #visible = new Map<string, readonly MeshService[]>();
  /** Whether some hostname is that of services in several namespaces, of which a proxy's own counts first. */
  readonly #ambiguous: boolean;

  constructor(
    services: readonly MeshService[],
    readonly defaultExportTo: readonly string[],
  ) {
    this.all = services;
    const byHostname = new Map<string, Map<string, MeshService>>();
    for (const service of services) {
      let namespaces = byHostname.get(service.hostname);
      if (!namespaces) byHostname.set(service.hostname, (namespaces = new Map()));
      const existing = namespaces.get(service.namespace);
      // The oldest keeps the name, but nobody takes it from a Kubernetes service by a ServiceEntry.
      if (!existing || (existing.registry === "External" && service.registry === "Kubernetes")) namespaces.set(service.namespace, service);
      if (service.registry === "External") {
        const key = `${service.namespace}/${service.hostname}`;
        const entries = this.#entries.get(key);
        if (entries) entries.push(service);
        else this.#entries.set(key, [service]);
      }
      this.#file(service);
    }
    this.byHostname = byHostname;
    this.#ambiguous = byHostname.values().some(({ size }) => size > 1);
  }

  /** What the ServiceEntries of a namespace make of a hostname, oldest first. */
  entriesOf(hostname: string, namespace: string): readonly MeshService[] {
    return this.#entries.get(`${namespace}/${hostname}`) ?? [];
  }

  /** Whether proxies of a namespace may see other services than those of any other. */
  setsApart(namespace: string): boolean {
    return this.#ambiguous || this.#exported.has(namespace) || this.#owners.has(namespace);
  }

  /** The services that proxies of a namespace may see: those exported to it first, then the public ones, oldest first each. */
  visibleFrom(namespace: string): readonly MeshService[] {
    let services = this.#visible.get(namespace);
    if (!services) this.#visible.set(namespace, (services = [...(this.#exported.get(namespace) ?? []), ...this.#public]));
    return services;
  }

  isVisible(service: MeshService, namespace: string): boolean {
    const exportTo = this.#exportTo(service);
    if (exportTo.includes("*")) return true;
    if (exportTo.includes("~")) return false;
    return exportTo.includes(namespace) || (exportTo.includes(".") && service.namespace === namespace);
  }

  #exportTo(service: MeshService): readonly string[] {
    return service.exportTo ?? this.defaultExportTo;
  }

  #file(service: MeshService): void {
    const exportTo = this.#exportTo(service);
    if (exportTo.includes("*")) {
      this.#public.push(service);
      return;
    }
    this.#owners.add(service.namespace);
    if (exportTo.includes("~")) return;
    for (const namespace of new Set(exportTo.map((target) => (target === "." ? service.namespace : target)))) {
      const list = this.#exported.get(namespace);
      if (list) list.push(service);
      else this.#exported.set(namespace, [service]);
    }
  }
}

/** Oldest first, then by name and namespace: creation times have whole seconds only. */
export function compareServices(a: MeshService, b: MeshService): number {
  return a.created - b.created || compareText(a.name, b.name) || compareText(a.namespace, b.namespace);
}

/**
 * Tells each service which ExternalName services point at it, also over several steps. `copies` keeps the copies, so that
 * a service with the same aliases stays the same object.
 */
export function resolveAliases(services: readonly MeshService[], copies: WeakMap<MeshService, MeshService>): readonly MeshService[] {
  const targets = new Map<string, string>();
  for (const service of services) if (service.resolution === "Alias") targets.set(service.hostname, service.externalName);
  if (targets.size === 0) return services;
  const aliases = new Map<string, { hostname: string; namespace: string }[]>();
  for (const service of services) {
    if (service.resolution !== "Alias") continue;
    const target = follow(service.externalName, targets);
    if (target === undefined) continue;
    const list = aliases.get(target) ?? [];
    list.push({ hostname: service.hostname, namespace: service.namespace });
    aliases.set(target, list);
  }
  for (const list of aliases.values()) list.sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.hostname, b.hostname));
  return services.map((service) => {
    const found = service.resolution === "Alias" ? undefined : aliases.get(service.hostname);
    if (!found) return service;
    const copy = copies.get(service);
    if (copy && JSON.stringify(copy.aliases) === JSON.stringify(found)) return copy;
    const fresh = { ...service, aliases: found };
    copies.set(service, fresh);
    return fresh;
  });
}

/** The name at the end of a chain of aliases; undefined when it is a circle. */
function follow(name: string, targets: ReadonlyMap<string, string>): string | undefined {
  const seen = new Set<string>();
  for (let current = name; ;) {
    const next = targets.get(current);
    if (next === undefined) return current;
    if (seen.has(current)) return undefined;
    seen.add(current);
    current = next;
  }
}
