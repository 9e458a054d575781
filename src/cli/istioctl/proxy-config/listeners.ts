import { goSort } from "../format/go-sort.ts";
import { tabwriter } from "../format/tabwriter.ts";
import { list, listenersOf, number, object, strings, text, type ConfigDump, type Json } from "./dump.ts";
import { compare } from "./subset-key.ts";

export interface ListenerFilter {
  readonly address?: string;
  readonly port?: number;
  /** HTTP, TCP, HTTP+TCP or UNKNOWN, in any case. */
  readonly type?: string;
}

const HTTP_FILTER = "envoy.filters.network.http_connection_manager";
const TCP_FILTER = "envoy.filters.network.tcp_proxy";
const BLACK_HOLE = "BlackHoleCluster";

/** Lists of application protocols that have a name in the table. */
const PROTOCOLS: readonly (readonly [description: string, protocols: string])[] = [
  ["App: HTTP TLS", "http/1.0,http/1.1,h2c,istio-http/1.0,istio-http/1.1,istio-h2"],
  ["App: Istio HTTP Plain", "istio,istio-http/1.0,istio-http/1.1,istio-h2"],
  ["App: TCP TLS", "istio-peer-exchange,istio"],
  ["App: HTTP", "http/1.0,http/1.1,h2c"],
];

/** Listeners that pass, in the order of the dump. */
export function selectListeners(dump: ConfigDump, filter: ListenerFilter): Json[] {
  return listenersOf(dump).filter((listener) => matches(listener, filter));
}

export function listenerTable(dump: ConfigDump, filter: ListenerFilter, options: { verbose: boolean; typed?: boolean }): string {
  const { verbose, typed = false } = options;
  const listeners = goSort(selectListeners(dump, filter), (a, b) => order(a, b) < 0);
  const rows = listeners.flatMap((listener) => {
    const lead = [
      ...(typed ? [`listener/${text(listener.name)}`] : []),
      [addressOf(listener), ...additionalAddresses(listener)].join(","),
      String(portOf(listener)),
    ];
    if (!verbose) return [[...lead, typeOf(listener)]];
    const matched = chainsOf(listener).map((chain) => ({
      match: describeChainMatch(object(chain.filter_chain_match)),
      destination: describeFilters(list(chain.filters)),
    }));
    return goSort(matched, (a, b) => a.destination > b.destination).map(({ match, destination }) => [...lead, match, destination]);
  });
  const header = [...(typed ? ["NAME"] : []), "ADDRESSES", "PORT", ...(verbose ? ["MATCH", "DESTINATION"] : ["TYPE"])];
  return tabwriter([header, ...rows], 1);
}

function matches(listener: Json, { address, port, type }: ListenerFilter): boolean {
  const wanted = address?.toLowerCase();
  if (wanted && ![addressOf(listener), ...additionalAddresses(listener)].some((candidate) => candidate.toLowerCase() === wanted)) return false;
  if (port && portOf(listener) !== port) return false;
  return !type || typeOf(listener).toLowerCase() === type.toLowerCase();
}

function order(a: Json, b: Json): number {
  return portOf(a) - portOf(b) || compare(addressOf(a), addressOf(b)) || compare(typeOf(a), typeOf(b));
}

function chainsOf(listener: Json): Json[] {
  return [...list(listener.filter_chains), ...(listener.default_filter_chain === undefined ? [] : [object(listener.default_filter_chain)])];
}

function typeOf(listener: Json): string {
  const filters = chainsOf(listener).flatMap((chain) => list(chain.filters));
  const http = filters.some(({ name }) => name === HTTP_FILTER);
  const tcp = filters.some((filter) => filter.name === TCP_FILTER && !isBlackHole(filter));
  return http ? (tcp ? "HTTP+TCP" : "HTTP") : tcp ? "TCP" : "UNKNOWN";
}

/** istioctl looks for the name anywhere in the filter's bytes. */
function isBlackHole(filter: Json): boolean {
  return JSON.stringify(filter.typed_config ?? {}).includes(BLACK_HOLE);
}

function addressOf(listener: Json): string {
  const address = object(listener.address);
  return text(object(address.socket_address).address) || text(object(address.pipe).path);
}

function additionalAddresses(listener: Json): string[] {
  return list(listener.additional_addresses).map(
    ({ address }) => text(object(object(address).socket_address).address) || text(object(object(address).pipe).path),
  );
}

function portOf(listener: Json): number {
  return number(object(object(listener.address).socket_address).port_value);
}

function describeChainMatch(match: Json): string {
  const parts: string[] = [];
  const serverNames = strings(match.server_names);
  if (serverNames.length > 0) parts.push(`SNI: ${serverNames.join(",")}`);
  if (match.transport_protocol) parts.push(`Trans: ${text(match.transport_protocol)}`);
  const protocols = strings(match.application_protocols).join(",");
  if (protocols) parts.push(PROTOCOLS.find(([, known]) => known === protocols)?.[0] ?? `App: ${protocols}`);
  const port = match.destination_port === undefined ? "" : `:${number(match.destination_port)}`;
  const ranges = list(match.prefix_ranges).map((range) => `${text(range.address_prefix)}/${number(range.prefix_len)}`);
  if (ranges.length > 0) parts.push(`Addr: ${ranges.join(",")}${port}`);
  else if (port) parts.push(`Addr: *${port}`);
  return parts.length > 0 ? parts.join("; ") : "ALL";
}

/** Where the first filter that ends a chain sends its traffic. */
function describeFilters(filters: readonly Json[]): string {
  for (const filter of filters) {
    const config = object(filter.typed_config);
    if (filter.name === HTTP_FILTER) {
      if (config.route_config !== undefined) return describeRoutes(object(config.route_config));
      const route = text(object(config.rds).route_config_name);
      return route ? `Route: ${route}` : "HTTP";
    }
    if (filter.name === TCP_FILTER && !isBlackHole(filter)) return describeCluster(text(config.cluster));
  }
  return "Non-HTTP/Non-TCP";
}

function describeCluster(name: string): string {
  return name.includes("Cluster") ? name : `Cluster: ${name}`;
}

function describeRoutes(config: Json): string {
  const hosts = list(config.virtual_hosts);
  const single = hosts.length === 1 ? matchAllCluster(hosts[0] ?? {}) : undefined;
  if (single !== undefined) return describeCluster(single);
  const parts = hosts.map((host) => {
    const domains = strings(host.domains);
    const routes = list(host.routes)
      .map(({ match }) => describeMatch(object(match)))
      .join(", ");
    return domains.length === 1 && domains[0] === "*" ? routes : `${domains.join("/")} ${routes}`;
  });
  return `Inline Route: ${parts.join("; ")}`;
}

/** The cluster of a virtual host that sends everything to one. */
function matchAllCluster(host: Json): string | undefined {
  const [route, ...more] = list(host.routes);
  if (strings(host.domains).join() !== "*" || !route || more.length > 0 || object(route.match).prefix !== "/") return undefined;
  const { cluster } = object(route.route);
  return typeof cluster === "string" ? cluster : undefined;
}

/** A route's match in a few characters; headers are left out. */
export function describeMatch(match: Json): string {
  const parts: string[] = [];
  if (match.prefix) parts.push(`${text(match.prefix)}*`);
  if (match.path_separated_prefix) parts.push(`PathPrefix:${text(match.path_separated_prefix)}`);
  if (match.path) parts.push(text(match.path));
  if (match.safe_regex !== undefined) parts.push(`regex ${text(object(match.safe_regex).regex)}`);
  return parts.join(" ");
}
