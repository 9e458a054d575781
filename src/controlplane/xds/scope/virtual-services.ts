import type { Destination, HttpRoute, VirtualService, VirtualServiceSpec } from "../../../resources/index.ts";
import { resolveShortName, ROUTE_SEMANTICS } from "../../registry/index.ts";
import { Memo } from "../memo.ts";
import { mergeDelegate } from "./delegates.ts";

/** The gateway name that stands for all sidecars. */
export const MESH_GATEWAY = "mesh";

/** A VirtualService with full host and gateway names and with its delegates' routes in it. */
export interface ResolvedVirtualService {
  readonly name: string;
  readonly namespace: string;
  readonly spec: VirtualServiceSpec;
  /** Whether prefixes of paths end at the border of an element, as those of Ingresses do. */
  readonly prefixBySegment?: boolean;
}

interface Placed {
  virtualService: ResolvedVirtualService;
  exportTo: ReadonlySet<string>;
}

/** All VirtualServices by who sees them and the gateways that they are bound to. */
export class VirtualServices {
  readonly all: readonly ResolvedVirtualService[];
  readonly #private = new Map<string, ResolvedVirtualService[]>();
  readonly #exported = new Map<string, ResolvedVirtualService[]>();
  readonly #public = new Map<string, ResolvedVirtualService[]>();
  readonly #visible = new Memo<readonly ResolvedVirtualService[]>();
  /** Namespaces that something is exported to by name. */
  readonly #named = new Set<string>();
  readonly #matchesNamespaces: boolean;

  /** `virtualServices` oldest first. `resolved` keeps results by the objects that they come from. */
  constructor(
    virtualServices: readonly VirtualService[],
    options: { domain: string; defaultExportTo: readonly string[] },
    resolved: Memo<ResolvedVirtualService>,
  ) {
    const placed = resolveAll(virtualServices, options, resolved);
    this.all = placed.map(({ virtualService }) => virtualService);
    this.#matchesNamespaces = this.all.some(matchesNamespaces);
    for (const { virtualService, exportTo } of placed) {
      const gateways = virtualService.spec.gateways?.length ? virtualService.spec.gateways : [MESH_GATEWAY];
      if (exportTo.has("*")) for (const gateway of gateways) push(this.#public, gateway, virtualService);
      else if (!exportTo.has("~")) {
        for (const target of exportTo) {
          const map = target === virtualService.namespace ? this.#private : this.#exported;
          for (const gateway of gateways) push(map, `${target}/${gateway}`, virtualService);
          this.#named.add(target);
        }
      }
    }
  }

  /** Whether proxies of a namespace may see others, or see more behind them, than those of any other. */
  setsApart(namespace: string): boolean {
    return this.#matchesNamespaces || this.#named.has(namespace);
  }

  /** Those that proxies of a namespace see on a gateway: their own, those exported to them, the public ones. */
  forGateway(namespace: string, gateway: string): readonly ResolvedVirtualService[] {
    return this.#visible.get([namespace, gateway], () => {
      const key = `${namespace}/${gateway}`;
      return [...(this.#private.get(key) ?? []), ...(this.#exported.get(key) ?? []), ...(this.#public.get(gateway) ?? [])];
    });
  }
}

/** Whether some of its routes are for callers in certain namespaces only. */
export function matchesNamespaces({ spec }: ResolvedVirtualService): boolean {
  return [...(spec.http ?? []), ...(spec.tcp ?? []), ...(spec.tls ?? [])].some(({ match }) => match?.some(({ sourceNamespace }) => sourceNamespace));
}

function resolveAll(
  virtualServices: readonly VirtualService[],
  options: { domain: string; defaultExportTo: readonly string[] },
  resolved: Memo<ResolvedVirtualService>,
): Placed[] {
  const delegates = new Map<string, VirtualService>();
  for (const source of virtualServices) if (!source.spec?.hosts?.length) delegates.set(`${source.metadata.namespace}/${source.metadata.name}`, source);
  const exportTo = (source: VirtualService): ReadonlySet<string> => {
    const targets = source.spec?.exportTo?.length ? source.spec.exportTo : options.defaultExportTo;
    return new Set(targets.map((target) => (target === "." ? (source.metadata.namespace ?? "") : target)));
  };
  return virtualServices
    .filter(({ spec }) => spec?.hosts?.length)
    .map((source) => {
      const namespace = source.metadata.namespace ?? "";
      const used = (source.spec?.http ?? []).map(({ delegate }) => {
        const found = delegate ? delegates.get(`${delegate.namespace || namespace}/${delegate.name}`) : undefined;
        const visible = found && exportTo(found);
        return found && visible && (visible.has("*") || visible.has(namespace)) ? found : undefined;
      });
      const virtualService = resolved.get([source, ...used], () => ({
        name: source.metadata.name,
        namespace,
        spec: resolve(source, used, options.domain),
        ...(source.metadata.annotations?.[ROUTE_SEMANTICS] !== undefined && { prefixBySegment: true }),
      }));
      return { virtualService, exportTo: exportTo(source) };
    });
}

function resolve(source: VirtualService, delegates: readonly (VirtualService | undefined)[], domain: string): VirtualServiceSpec {
  const spec = resolveNames(source, domain);
  if (!spec.http) return spec;
  const http = spec.http.flatMap((route, index): HttpRoute[] => {
    if (!route.delegate) return [route];
    const delegate = delegates[index];
    // A delegate that is missing or hidden takes only this route with it.
    return delegate ? mergeDelegate(route, resolveNames(delegate, domain).http ?? []) : [];
  });
  return { ...spec, http };
}

function resolveNames(source: VirtualService, domain: string): VirtualServiceSpec {
  const namespace = source.metadata.namespace ?? "";
  const spec = source.spec ?? {};
  const gateways = (names: string[] | undefined) => names?.map((name) => (name === MESH_GATEWAY ? name : resolveGateway(name, namespace)));
  const destination = <T extends { destination: Destination }>(target: T): T => ({
    ...target,
    destination: { ...target.destination, host: resolveShortName(target.destination?.host ?? "", namespace, domain) },
  });
  const matches = <M extends { gateways?: string[] }>(list: M[] | undefined): M[] | undefined =>
    list?.map((match) => (match.gateways ? { ...match, gateways: gateways(match.gateways) ?? [] } : match));
  return {
    ...spec,
    ...(spec.hosts && { hosts: spec.hosts.map((host) => resolveShortName(host, namespace, domain)) }),
    ...(spec.gateways && { gateways: gateways(spec.gateways) ?? [] }),
    ...(spec.http && {
      http: spec.http.map((route) => ({
        ...route,
        ...(route.match && { match: matches(route.match) ?? [] }),
        ...(route.route && { route: route.route.map(destination) }),
        ...(route.mirror && { mirror: { ...route.mirror, host: resolveShortName(route.mirror.host, namespace, domain) } }),
        ...(route.mirrors && { mirrors: route.mirrors.map(destination) }),
      })),
    }),
    ...(spec.tcp && {
      tcp: spec.tcp.map((route) => ({
        ...route,
        ...(route.match && { match: matches(route.match) ?? [] }),
        ...(route.route && { route: route.route.map(destination) }),
      })),
    }),
    ...(spec.tls && {
      tls: spec.tls.map((route) => ({ ...route, match: matches(route.match) ?? [], ...(route.route && { route: route.route.map(destination) }) })),
    }),
  };
}

/** `<namespace>/<name>`, from that, from `./name`, a short name, or the old `name.namespace.svc…`. */
export function resolveGateway(name: string, namespace: string): string {
  if (name.startsWith("./")) return namespace + name.slice(1);
  if (name.includes("/")) return name;
  const [short = "", owner] = name.split(".");
  return `${owner ?? namespace}/${short}`;
}

/** Hosts that a VirtualService sends traffic to from a namespace, with their ports; 0 stands for all of a host's. */
export function destinationsOf(spec: VirtualServiceSpec, namespace: string): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  const add = (destination: Destination | undefined): void => {
    if (!destination) return;
    const ports = found.get(destination.host) ?? new Set<number>();
    ports.add(destination.port?.number ?? 0);
    found.set(destination.host, ports);
  };
  for (const route of spec.http ?? []) {
    const elsewhere = (route.match ?? []).filter(({ sourceNamespace }) => sourceNamespace);
    if (elsewhere.length > 0 && !elsewhere.some(({ sourceNamespace }) => sourceNamespace === namespace)) continue;
    for (const target of route.route ?? []) add(target.destination);
    add(route.mirror);
    for (const mirror of route.mirrors ?? []) add(mirror.destination);
  }
  for (const route of [...(spec.tcp ?? []), ...(spec.tls ?? [])]) for (const target of route.route ?? []) add(target.destination);
  return found;
}

function push<Key, Item>(map: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}
