import type { Sidecar, SidecarSpec } from "../../../resources/index.ts";
import { compareText, hostIsSubsetOf, hostsOverlap, parseProtocol, selects, type MeshService, type ServiceIndex } from "../../registry/index.ts";
import { Memo } from "../memo.ts";
import { HostMap } from "./host-match.ts";
import { ruleFor, type DestinationRules, type EffectiveRule } from "./destination-rules.ts";
import { destinationsOf, matchesNamespaces, MESH_GATEWAY, type ResolvedVirtualService, type VirtualServices } from "./virtual-services.ts";

type EgressSpec = NonNullable<SidecarSpec["egress"]>[number];

/** What one egress listener of a Sidecar brings in; without a Sidecar there is one that brings in everything. */
export interface EgressListener {
  readonly spec: EgressSpec | undefined;
  readonly services: readonly MeshService[];
  readonly virtualServices: readonly ResolvedVirtualService[];
  /** For services that several wildcard VirtualServices fit: the one that is meant. */
  readonly mostSpecific: ReadonlyMap<string, ResolvedVirtualService>;
}

export interface OutboundPolicy {
  readonly mode: string;
  readonly egressProxy: { host: string; subset?: string; port?: { number?: number } } | undefined;
}

/** What proxies of a namespace (or workloads of one Sidecar) see of the mesh; proxies of all namespaces that see the same share it. */
export interface Scope {
  readonly name: string;
  readonly sidecar: SidecarSpec | undefined;
  readonly listeners: readonly EgressListener[];
  /** Of all listeners together, each hostname once. */
  readonly services: readonly MeshService[];
  readonly byHostname: ReadonlyMap<string, MeshService>;
  readonly rules: ReadonlyMap<string, readonly EffectiveRule[]>;
  readonly outbound: OutboundPolicy;
  /** Whether any rule in it looks at the labels of the workload. */
  readonly usesLabels: boolean;
  /** Whether any rule or service in it looks at where the workload runs. */
  readonly usesPlace: boolean;
  /** Whether listeners for what is in it depend on the workload's namespace, or on the domain that short names are completed with. */
  readonly usesNamespace: boolean;
}

export interface ScopeSources {
  readonly services: ServiceIndex;
  readonly virtualServices: VirtualServices;
  readonly destinationRules: DestinationRules;
  readonly outboundPolicy: string;
}

/** Trimmed copies of services, kept so that equal trims are the same object. */
export type Trims = Memo<MeshService>;

/** The Sidecar that holds for a workload: the oldest that selects it, its namespace's, the root namespace's. */
export function sidecarFor(
  sidecars: readonly Sidecar[],
  workload: { namespace: string; labels: Readonly<Record<string, string>> },
  rootNamespace: string,
): Sidecar | undefined {
  const own = sidecars.filter(({ metadata }) => metadata.namespace === workload.namespace);
  return (
    own.find(({ spec }) => spec?.workloadSelector && selects(spec.workloadSelector.labels, workload.labels)) ??
    own.find(({ spec }) => !spec?.workloadSelector) ??
    sidecars.find(({ metadata, spec }) => metadata.namespace === rootNamespace && !spec?.workloadSelector)
  );
}

/** Whether sidecars in a namespace without a Sidecar may see something else than those in any other; if not, "" stands for all. */
export function seesItsOwn(namespace: string, { services, virtualServices, destinationRules }: ScopeSources): boolean {
  return services.setsApart(namespace) || virtualServices.setsApart(namespace) || destinationRules.setsApart(namespace);
}

/** The scope of sidecars in a namespace. */
export function sidecarScope(namespace: string, sidecar: Sidecar | undefined, sources: ScopeSources, trims: Trims): Scope {
  const spec = sidecar?.spec;
  const egress: EgressSpec[] = spec?.egress?.length ? spec.egress : [{ hosts: ["*/*"] }];
  const listeners = egress.map((listener) => egressListener(listener, namespace, sources, trims));
  const collected = new ServiceCollection(trims);
  for (const [index, listener] of listeners.entries()) {
    for (const service of listener.services) collected.add(service);
    const port = portOf(egress[index]);
    for (const virtualService of listener.virtualServices) {
      for (const [host, ports] of destinationsOf(virtualService.spec, namespace)) {
        const service = destinationService(host, namespace, sources.services);
        const trimmed = service && (port === undefined ? withPorts(service, ports, trims) : withPorts(service, new Set([port]), trims));
        if (trimmed) collected.add(trimmed);
      }
    }
  }
  const rules = rulesOf(collected.services, namespace, sources.destinationRules);
  return {
    name: sidecar?.metadata.name ?? "default-sidecar",
    sidecar: spec,
    listeners,
    ...collected.result(),
    rules,
    usesLabels: rulesUseLabels(rules) || listeners.some((listener) => listener.virtualServices.some(matchesLabels)),
    usesPlace: usesPlace(collected.services, rules),
    usesNamespace:
      collected.services.some(({ aliases }) => aliases.length > 0) || listeners.some((listener) => listener.virtualServices.some(matchesNamespaces)),
    outbound: {
      mode: spec?.outboundTrafficPolicy?.mode ?? (spec?.outboundTrafficPolicy ? "REGISTRY_ONLY" : sources.outboundPolicy),
      egressProxy: spec?.outboundTrafficPolicy?.egressProxy,
    },
  };
}

/** The scope of gateways in a namespace, which no Sidecar narrows. */
export function gatewayScope(namespace: string, sources: ScopeSources, trims: Trims): Scope {
  const collected = new ServiceCollection(trims);
  for (const service of sources.services.visibleFrom(namespace)) collected.add(service);
  const rules = rulesOf(collected.services, namespace, sources.destinationRules);
  return {
    name: "default-sidecar",
    sidecar: undefined,
    listeners: [{ spec: undefined, services: [], virtualServices: sources.virtualServices.forGateway(namespace, MESH_GATEWAY), mostSpecific: new Map() }],
    ...collected.result(),
    rules,
    usesLabels: rulesUseLabels(rules),
    usesPlace: usesPlace(collected.services, rules),
    usesNamespace: true,
    outbound: { mode: "", egressProxy: undefined },
  };
}

/** The listener whose routes a route configuration's name stands for. */
export function listenerForRoute(scope: Scope, port: number, routeName: string): EgressListener | undefined {
  return scope.listeners.find(({ spec }) => {
    if (!spec?.port) return true;
    if ((spec.port.number ?? 0) !== port) return false;
    return port !== 0 || spec.bind === routeName;
  });
}

/** The DestinationRule of a service for a workload in this scope. */
export function ruleOf(
  scope: Scope,
  hostname: string,
  workload: { namespace: string; labels: Readonly<Record<string, string>> },
  direction: "inbound" | "outbound" = "outbound",
): EffectiveRule | undefined {
  const rules = scope.rules.get(hostname);
  return rules && ruleFor(rules, workload, direction);
}

function rulesUseLabels(rules: Scope["rules"]): boolean {
  return [...rules.values()].some((list) => list.some(({ spec }) => spec.workloadSelector !== undefined));
}

function matchesLabels({ spec }: ResolvedVirtualService): boolean {
  return [...(spec.http ?? []), ...(spec.tcp ?? []), ...(spec.tls ?? [])].some(({ match }) => match?.some(({ sourceLabels }) => sourceLabels !== undefined));
}

function usesPlace(services: readonly MeshService[], rules: Scope["rules"]): boolean {
  if (services.some(({ nodeLocal, trafficDistribution }) => nodeLocal || trafficDistribution !== "Any")) return true;
  const policies = [...rules.values()].flatMap((list) =>
    list.flatMap(({ spec }) => [spec.trafficPolicy, ...(spec.subsets ?? []).map(({ trafficPolicy }) => trafficPolicy)]),
  );
  return policies.some((policy) =>
    [policy, ...(policy?.portLevelSettings ?? [])].some(
      (settings) => settings?.outlierDetection || settings?.loadBalancer?.localityLbSetting || settings?.loadBalancer?.zoneAwareLbSetting,
    ),
  );
}

function rulesOf(services: readonly MeshService[], namespace: string, rules: DestinationRules): Map<string, readonly EffectiveRule[]> {
  const found = new Map<string, readonly EffectiveRule[]>();
  for (const service of services) {
    const fitting = rules.find(namespace, service);
    if (fitting.length > 0) found.set(service.hostname, fitting);
  }
  return found;
}

/** The hosts of a listener by the namespace that they are in; "*" is any. */
interface HostFilter {
  hosts: string[];
  excluded: string[];
}

function egressListener(spec: EgressSpec, namespace: string, sources: ScopeSources, trims: Trims): EgressListener {
  const filters = new Map<string, HostFilter>();
  for (const entry of spec.hosts ?? []) {
    const [owner = "", host = "", ...rest] = entry.split("/");
    if (rest.length > 0 || host === "") continue;
    const excluded = owner.startsWith("~");
    const name = excluded ? owner.slice(1) || "*" : owner;
    const key = name === "." ? namespace : name;
    const filter = filters.get(key) ?? { hosts: [], excluded: [] };
    (excluded ? filter.excluded : filter.hosts).push(host);
    filters.set(key, filter);
  }
  const virtualServices = selectVirtualServices(sources.virtualServices.forGateway(namespace, MESH_GATEWAY), filters);
  const services = selectServices(sources.services.visibleFrom(namespace), namespace, filters, portOf(spec), trims);
  return { spec, services, virtualServices, mostSpecific: mostSpecificVirtualServices(virtualServices, services) };
}

/** The port that narrows what a listener brings in; a proxy port does not. */
function portOf(spec: EgressSpec | undefined): number | undefined {
  const port = spec?.port?.number;
  return port && parseProtocol(spec?.port?.protocol) !== "HTTP_PROXY" ? port : undefined;
}

function isExcluded(host: string, own: HostFilter | undefined, any: HostFilter | undefined): boolean {
  return [own, any].some((filter) => filter?.excluded.some((excluded) => hostIsSubsetOf(host, excluded)));
}

function selectVirtualServices(candidates: readonly ResolvedVirtualService[], filters: ReadonlyMap<string, HostFilter>): ResolvedVirtualService[] {
  const any = filters.get("*");
  return candidates.filter(({ namespace, spec }) => {
    const own = filters.get(namespace);
    return [own, any].some(
      (filter) => filter && (spec.hosts ?? []).some((host) => filter.hosts.some((wanted) => hostsOverlap(host, wanted)) && !isExcluded(host, own, any)),
    );
  });
}

function selectServices(
  candidates: readonly MeshService[],
  namespace: string,
  filters: ReadonlyMap<string, HostFilter>,
  port: number | undefined,
  trims: Trims,
): MeshService[] {
  const any = filters.get("*");
  const imported: MeshService[] = [];
  for (const service of candidates) {
    const own = filters.get(service.namespace);
    if (isExcluded(service.hostname, own, any)) continue;
    for (const filter of [own, any]) {
      if (!filter?.hosts.some((host) => hostIsSubsetOf(service.hostname, host))) continue;
      const trimmed = port === undefined ? service : withPorts(service, new Set([port]), trims);
      if (!trimmed) continue;
      imported.push(withAliases(trimmed, filter.hosts, trims));
      break;
    }
  }
  // Of one hostname in several namespaces: the own namespace's, else a Kubernetes service, else the first.
  const chosen = new Map<string, MeshService>();
  for (const service of imported) {
    const current = chosen.get(service.hostname);
    const better =
      !current || service.namespace === namespace || (current.registry === "External" && service.registry === "Kubernetes" && current.namespace !== namespace);
    if (better) chosen.set(service.hostname, service);
  }
  return imported.filter((service) => chosen.get(service.hostname)?.namespace === service.namespace);
}

function withAliases(service: MeshService, hosts: readonly string[], trims: Trims): MeshService {
  if (service.aliases.length === 0) return service;
  const aliases = service.aliases.filter(({ hostname }) => hosts.some((host) => hostIsSubsetOf(hostname, host)));
  return aliases.length === service.aliases.length ? service : trims.get([service, "aliases", JSON.stringify(aliases)], () => ({ ...service, aliases }));
}

/** The service with only these ports; undefined when it has none of them. 0 keeps all. */
function withPorts(service: MeshService, ports: ReadonlySet<number>, trims: Trims): MeshService | undefined {
  if (ports.size === 0 || ports.has(0)) return service;
  const kept = service.ports.filter(({ port }) => ports.has(port));
  if (kept.length === service.ports.length) return service;
  return kept.length === 0 ? undefined : trims.get([service, "ports", kept.map(({ port }) => port).join()], () => ({ ...service, ports: kept }));
}

function destinationService(host: string, namespace: string, services: ServiceIndex): MeshService | undefined {
  const byNamespace = services.byHostname.get(host);
  const own = byNamespace?.get(namespace);
  if (own || !byNamespace) return own;
  const visible = [...byNamespace.values()].filter((service) => services.isVisible(service, namespace));
  return visible.find(({ registry }) => registry === "Kubernetes") ?? visible.sort((a, b) => a.created - b.created)[0];
}

function mostSpecificVirtualServices(
  virtualServices: readonly ResolvedVirtualService[],
  services: readonly MeshService[],
): Map<string, ResolvedVirtualService> {
  const byHost = new HostMap<ResolvedVirtualService>();
  for (const virtualService of virtualServices) for (const host of virtualService.spec.hosts ?? []) if (!byHost.get(host)) byHost.set(host, virtualService);
  const found = new Map<string, ResolvedVirtualService>();
  for (const { hostname } of services) {
    const virtualService = byHost.mostSpecific(hostname);
    if (virtualService) found.set(hostname, virtualService);
  }
  return found;
}

/** Whether two ServiceEntries for a hostname say the same but for their ports. */
function mergeable(a: MeshService, b: MeshService): boolean {
  const words = ({ namespace, resolution, registry, labels, selector, exportTo }: MeshService): string =>
    JSON.stringify([namespace, resolution, registry, sorted(labels), sorted(selector), [...(exportTo ?? [])].sort()]);
  return words(a) === words(b);
}

function sorted(labels: Readonly<Record<string, string>> = {}): [string, string][] {
  return Object.entries(labels).sort(([a], [b]) => compareText(a, b));
}

/** Services by hostname, in the order in which they were first seen. */
class ServiceCollection {
  readonly services: MeshService[] = [];
  readonly #position = new Map<string, number>();

  constructor(readonly trims: Trims) {}

  add(service: MeshService): void {
    const position = this.#position.get(service.hostname);
    if (position === undefined) {
      this.#position.set(service.hostname, this.services.push(service) - 1);
      return;
    }
    const existing = this.services[position];
    if (!existing || existing === service || (existing.registry === "Kubernetes" && service.registry === "External")) return;
    if (existing.registry === "External" && service.registry === "Kubernetes") {
      this.services[position] = service;
      return;
    }
    const added = service.ports.filter(({ port }) => !existing.ports.some((other) => other.port === port));
    if (added.length === 0 || !mergeable(existing, service)) return;
    this.services[position] = this.trims.get([existing, service], () => ({ ...existing, ports: [...existing.ports, ...added] }));
  }

  result(): { services: readonly MeshService[]; byHostname: ReadonlyMap<string, MeshService> } {
    return { services: this.services, byHostname: new Map(this.services.map((service) => [service.hostname, service])) };
  }
}
