import { isIP } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { encoded, type Init } from "../../../proto/index.ts";
import { TrafficDirection } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { FilterChainSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { ListenerSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { parseDuration } from "../../policy/index.ts";
import {
  compareText,
  isHttp,
  isSniffed,
  isTcp,
  listenerProtocol,
  parseProtocol,
  servesPort,
  UNSPECIFIED,
  type MeshPort,
  type MeshService,
  type Protocol,
} from "../../registry/index.ts";
import { address } from "../address.ts";
import { chainFilter, configured, HTTP_INSPECTOR, TLS_INSPECTOR } from "../filters.ts";
import { ALLOW_BY_NAME, forwardsByName, SNI_FORWARD_PROXY } from "../forward-proxy.ts";
import { PASSTHROUGH, BLACK_HOLE, HTTP_PROXY, statPrefix } from "../names.ts";
import { interceptionMode, metadataFlag, metadataText, wildcards, type ProxyContext } from "../proxy.ts";
import { destinationCluster } from "../route/destination.ts";
import type { EgressListener } from "../scope/sidecar-scope.ts";
import { serviceAddresses, serviceListenAddress } from "../service-address.ts";
import { buildChain, conflicts, matchesAll, PLAINTEXT_HTTP, RAW_BUFFER_PROTOCOL, type ChainDraft } from "./filter-chain.ts";
import { httpManager, untracedManager, type HttpChainOptions } from "./http.ts";
import { plainChain } from "./network.ts";
import { outboundTcpChains } from "./outbound-tcp.ts";
import type { ListenerParts } from "./parts.ts";

interface Binding {
  readonly addresses: readonly string[];
  /** Whether it really listens: then nothing is captured. */
  readonly bindToPort: boolean;
}

/** A chain whose connections speak HTTP is finished for each workload: its spans name the workload. */
interface OutboundChain extends ChainDraft {
  readonly http?: HttpChainOptions;
}

interface Entry {
  readonly port: number;
  readonly binding: Binding;
  chains: readonly OutboundChain[];
  protocol: Protocol;
  /** An egress listener with a port of its own is not changed by those without. */
  locked: boolean;
}

interface Candidate {
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly binding: Binding;
  readonly cidrs: readonly string[];
}

/** Accept one connection at a time, so that the workers share them evenly. */
export const ACCEPT_ONE = 1;
const PRIVILEGED = 1024;

/** An outbound listener before it is finished for a workload. */
export interface PlannedListener {
  /** Whether it differs between workloads that see the same. */
  readonly perWorkload: boolean;
  build(parts: ListenerParts): Init<typeof ListenerSchema>;
}

/** The listeners for what workloads in a scope call, by their names. Several services may share one. */
export function planOutbound(parts: ListenerParts): PlannedListener[] {
  const entries = new Map<string, Entry>();
  for (const listener of parts.proxy.scope.listeners) addEgress(parts, listener, entries);
  return [...entries]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, entry]) => ({ perWorkload: entry.chains.some(({ http }) => http), build: prepareListener(parts, entry) }));
}

/** The listener that applications may be told to use as their HTTP proxy, where mesh or proxy have a port for it. */
export function planHttpProxy(parts: ListenerParts): PlannedListener[] {
  const { node, view, mesh } = parts.proxy;
  const port = Number.parseInt(metadataText(node, "HTTP_PROXY_PORT"), 10) || Number(mesh.config["proxyHttpPort"] ?? 0);
  if (port === 0) return [];
  const addresses = wildcards(view).locals;
  const http: HttpChainOptions = {
    trafficClass: "outbound",
    port,
    statPrefix: statPrefix(`outbound_${addresses[0]}_${port}`),
    protocol: "HTTP_PROXY",
    routes: HTTP_PROXY,
    useRemoteAddress: false,
    extra: { httpProtocolOptions: { allowAbsoluteUrl: true } },
  };
  return [
    {
      perWorkload: true,
      build: prepareListener(parts, {
        port,
        binding: { addresses, bindToPort: true },
        chains: [{ filters: parts.extensions("tcp", "all", "outbound", port), http }],
        protocol: "HTTP_PROXY",
        locked: false,
      }),
    },
  ];
}

/** Where connections go that no service claims: on, or nowhere. */
export function catchAllCluster({ scope }: ProxyContext): string {
  const { mode, egressProxy } = scope.outbound;
  if (mode !== "ALLOW_ANY" && mode !== ALLOW_BY_NAME) return BLACK_HOLE;
  return egressProxy ? destinationCluster(egressProxy, undefined, 0) : PASSTHROUGH;
}

function addEgress(parts: ListenerParts, listener: EgressListener, entries: Map<string, Entry>): void {
  const { proxy } = parts;
  const { spec } = listener;
  const bindToPort = interceptionMode(proxy.node) === "NONE" || spec?.captureMode === "NONE" || spec?.bind?.startsWith("unix://") === true;
  const binding: Binding = { bindToPort, addresses: spec?.bind ? [spec.bind] : bindToPort ? wildcards(proxy.view).locals : [] };
  if (spec?.port) {
    const port: MeshPort = { port: spec.port.number ?? 0, name: spec.port.name ?? "", protocol: parseProtocol(spec.port.protocol) };
    if (!mayBind(proxy, binding, port)) return;
    for (const service of listener.services) add(parts, { service, port, binding, cidrs: [] }, listener, entries);
    return;
  }
  for (const entry of entries.values()) entry.locked = true;
  for (const service of listener.services) {
    for (const port of service.ports) {
      if (!mayBind(proxy, binding, port)) continue;
      const bindings = headlessBindings(proxy, service, port, binding) ?? [binding];
      for (const one of bindings) add(parts, { service, port, binding: one, cidrs: [] }, listener, entries);
    }
  }
}

/**
 * A headless service has no address that tells its TCP connections from others', so each of its pods gets a listener.
 * Undefined where that does not apply.
 */
function headlessBindings(proxy: ProxyContext, service: MeshService, port: MeshPort, binding: Binding): Binding[] | undefined {
  if (binding.addresses.length > 0 || service.resolution !== "Passthrough" || serviceAddresses(service, proxy.view)[0] !== UNSPECIFIED) return undefined;
  if (!isTcp(port.protocol) && !isSniffed(port.protocol)) return undefined;
  const endpoints = proxy.mesh.snapshot.backends(service).endpoints.filter((endpoint) => servesPort(endpoint, port));
  if (endpoints.length === 0 && service.registry !== "Kubernetes" && !service.selector) return undefined;
  // A pod that calls its own address stays within itself.
  return endpoints
    .filter((endpoint) => isIP(endpoint.address) && endpoint.address !== proxy.node.addresses[0])
    .map((endpoint) => ({ bindToPort: binding.bindToPort, addresses: [endpoint.address] }));
}

function add(parts: ListenerParts, candidate: Candidate, egress: EgressListener, entries: Map<string, Entry>): void {
  const { service, port } = candidate;
  if (service.resolution === "Alias") return;
  const { any, all } = wildcards(parts.proxy.view);
  const kind = listenerProtocol(port.protocol);
  if (kind === "NONE") return;
  const bound = kind === "HTTP" ? boundHttp(candidate, all) : boundTcp(parts.proxy, candidate, all);
  const { binding, cidrs } = bound;
  const primary = binding.addresses[0] ?? "";
  const name = `${primary}_${port.port}`;
  const existing = entries.get(name);
  if (existing?.locked) return;
  const tcp = () => outboundTcpChains(parts, { service, port, cidrs, bind: primary, virtualServices: egress.virtualServices });
  const http = (recognise: boolean): OutboundChain => ({
    ...(recognise && { applicationProtocols: PLAINTEXT_HTTP, transportProtocol: RAW_BUFFER_PROTOCOL }),
    filters: parts.extensions("tcp", "all", "outbound", port.port),
    http: {
      trafficClass: "outbound",
      port: port.port,
      statPrefix: statPrefix(`outbound_${name}`),
      protocol: port.protocol,
      routes: routeName(service, port, primary, kind, any),
      useRemoteAddress: false,
      ...(parts.proxy.view.forwardProxy && forwardsByName(service) && { lookup: service }),
    },
  });
  if (existing) {
    if (isDatabaseConflict(port.protocol, existing.protocol)) return;
    if (kind === "HTTP" && !isTcp(existing.protocol)) return;
    if (kind === "AUTO" && !isHttp(existing.protocol) && !isTcp(existing.protocol)) return;
  }
  if (port.protocol === "HTTP_PROXY") {
    // What is to be a proxy for applications takes everything on its port.
    entries.set(name, { port: port.port, binding, chains: [http(false)], protocol: port.protocol, locked: false });
    return;
  }
  const shared = primary === any;
  const chains = kind === "HTTP" ? [http(shared)] : kind === "TCP" ? tcp() : [...tcp(), http(true)];
  if (!existing || (kind === "AUTO" && isHttp(existing.protocol))) {
    // On an address that others share, HTTP is only one of the protocols.
    entries.set(name, { port: port.port, binding, chains, protocol: kind === "HTTP" && shared ? "UnsupportedProtocol" : port.protocol, locked: false });
    return;
  }
  existing.chains = merge(existing.chains, chains);
  if (!(kind === "TCP" && (isTcp(existing.protocol) || isSniffed(existing.protocol)))) existing.protocol = "UnsupportedProtocol";
}

function boundHttp({ binding, cidrs }: Candidate, all: readonly string[]): { binding: Binding; cidrs: readonly string[] } {
  return { binding: binding.addresses.length > 0 ? binding : { ...binding, addresses: all }, cidrs };
}

function boundTcp({ view }: ProxyContext, { service, binding, cidrs }: Candidate, all: readonly string[]): { binding: Binding; cidrs: readonly string[] } {
  if (binding.addresses.length > 0) return { binding, cidrs };
  const first = serviceListenAddress(service, view);
  const shared = first === UNSPECIFIED && service.registry === "External" ? all.slice(1) : [];
  const addresses = [first, ...serviceAddresses(service, view).slice(1), ...shared];
  if (first.includes("/")) return { binding: { ...binding, addresses: all }, cidrs: addresses };
  return { binding: { ...binding, addresses }, cidrs };
}

/** Sniffed ports on an address of their own have routes of their own, all others share those of the port. */
function routeName(service: MeshService, port: MeshPort, bind: string, kind: string, any: string): string {
  if (port.port === 0) return bind;
  return kind === "AUTO" && bind !== any ? `${service.hostname}:${port.port}` : String(port.port);
}

/** Filters for these protocols understand nothing else, so that what was there first stays. */
function isDatabaseConflict(incoming: Protocol, existing: Protocol): boolean {
  const special = (protocol: Protocol): boolean => protocol === "Mongo" || protocol === "MySQL";
  return (special(incoming) || special(existing)) && incoming !== existing;
}

function merge(existing: readonly OutboundChain[], incoming: readonly OutboundChain[]): OutboundChain[] {
  const merged = [...existing];
  for (const chain of incoming) if (!merged.some((other) => conflicts(other, chain))) merged.push(chain);
  return merged;
}

/** Whether a listener would not take a port of the proxy itself, or one that it may not bind. */
export function mayBind(
  { node, view, mesh }: ProxyContext,
  binding: { addresses: readonly string[]; bindToPort: boolean },
  port: MeshPort,
  inbound = false,
): boolean {
  if (binding.bindToPort && port.port > 0 && port.port < PRIVILEGED && metadataFlag(node, "UNPRIVILEGED_POD")) return false;
  const [primary] = binding.addresses;
  if (primary === undefined ? !isHttp(port.protocol) : primary !== wildcards(view).any) return true;
  const own = ["ENVOY_STATUS_PORT", "ENVOY_PROMETHEUS_PORT", "ENVOY_SECURE_METRICS_PORT", "ENVOY_SECURE_MERGED_METRICS_PORT"].map((name) =>
    Number(node.metadata[name] ?? metadataText(node, name)),
  );
  if (own.some((reserved) => reserved !== 0 && reserved === port.port)) return false;
  return inbound || (port.port !== mesh.config.proxyListenPort && port.port !== mesh.config.proxyInboundListenPort);
}

/** What workloads have in common is made and encoded for the first of them; the others only finish the chains with their name. */
function prepareListener(first: ListenerParts, { port, binding, chains }: Entry): (parts: ListenerParts) => Init<typeof ListenerSchema> {
  const { mesh, node } = first.proxy;
  const [primary = "", ...others] = binding.addresses;
  const needsTls = chains.some(({ sniHosts, filters }) => sniHosts?.length || filters.some(({ name }) => name === SNI_FORWARD_PROXY));
  const needsHttp = chains.some(({ applicationProtocols }) => applicationProtocols?.length);
  const all = chains.filter(matchesAll).at(-1);
  const specific = chains.filter((chain) => !matchesAll(chain));
  const finishers = new Map([...specific, ...(all ? [all] : [])].map((chain) => [chain, prepareChain(first, chain)]));
  const finish = (parts: ListenerParts, chain: OutboundChain) => finishers.get(chain)?.(parts) ?? {};
  const passthrough = all
    ? undefined
    : encoded(FilterChainSchema, {
        name: "PassthroughFilterChain",
        filterChainMatch: {},
        filters: plainChain(first, catchAllCluster(first.proxy), "outbound").map(chainFilter),
      });
  const common: Init<typeof ListenerSchema> = {
    name: `${primary}_${port}`,
    address: address(primary, port),
    additionalAddresses: others.map((other) => ({ address: address(other, port) })),
    trafficDirection: TrafficDirection.OUTBOUND,
    continueOnListenerFiltersTimeout: true,
    ...(binding.bindToPort ? { maxConnectionsToAcceptPerSocketEvent: ACCEPT_ONE } : { bindToPort: false }),
    ...(metadataFlag(node, "OUTBOUND_LISTENER_EXACT_BALANCE") && { connectionBalanceConfig: { balanceType: { case: "exactBalance" as const, value: {} } } }),
    listenerFilters: [...(needsTls ? [configured(TLS_INSPECTOR)] : []), ...(needsHttp ? [configured(HTTP_INSPECTOR)] : [])],
    listenerFiltersTimeout: (needsHttp && parseDuration(mesh.config.protocolDetectionTimeout)) || { seconds: 0n },
  };
  return (parts) => ({
    ...common,
    filterChains: (specific.length > 0 ? specific : all ? [all] : []).map((chain) => finish(parts, chain)),
    // With chains for some traffic only, the rest must still have somewhere to go.
    ...((specific.length > 0 || !all) && { defaultFilterChain: all ? finish(parts, all) : passthrough }),
  });
}

function prepareChain(first: ListenerParts, chain: OutboundChain): (parts: ListenerParts) => MessageInitShape<typeof FilterChainSchema> {
  const { http } = chain;
  if (!http) {
    const built = encoded(FilterChainSchema, buildChain(chain));
    return () => built;
  }
  const rest = untracedManager(first, http);
  return (parts) => buildChain({ ...chain, filters: [...chain.filters, httpManager(parts, http, rest)] });
}
