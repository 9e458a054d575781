import { BlockList, isIP } from "node:net";
import { loadAll } from "js-yaml";
import { ChainmailError, errorText } from "../../base/index.ts";
import type { KubeObject, Service } from "../../resources/index.ts";
import { compareText } from "./order.ts";

/** Where another network is entered: behind it TLS server names say which service is meant. */
export interface NetworkGateway {
  readonly network: string;
  readonly cluster: string;
  /** An IP address; for clusters that resolve names also a name. */
  readonly address: string;
  readonly port: number;
}

/** How one network is reached from another. */
export interface NetworkGateways {
  readonly gateways: readonly NetworkGateway[];
  /** By how much weights are multiplied, so that each splits evenly among a network's gateways. */
  readonly scale: number;
  /** Gateways of a network; those of the cluster's own part of it where it has some. */
  gatewaysOf(network: string, cluster: string): readonly NetworkGateway[];
}

/** The networks that workloads are in, and their gateways by address. */
export interface Networks extends NetworkGateways {
  /** For clusters that resolve names: gateways that have only a name are dialled by it. */
  readonly unresolved: NetworkGateways;
  /** The network that the mesh networks put an address into; "" when none. */
  networkOf(address: string): string;
  /** Host names of services that mesh networks name as gateways. */
  readonly serviceNames: ReadonlySet<string>;
  /** The ranges of addresses that mesh networks name, in order of address and size; a single address is one too. */
  readonly ranges: readonly string[];
}

/** The `meshNetworks` key of the `istio` ConfigMap, as far as it is read. */
export interface MeshNetworks {
  networks?: Record<
    string,
    { endpoints?: { fromRegistry?: string; fromCidr?: string }[]; gateways?: { address?: string; registryServiceName?: string; port?: number }[] }
  >;
}

export const NETWORK_LABEL = "topology.istio.io/network";
const PORT_LABEL = "networking.istio.io/gatewayPort";
/** Where gateways between networks listen when nobody says another port. */
const DEFAULT_PORT = 15443;

/** Reads mesh networks. Throws `MESH_NETWORKS_INVALID` when they are not YAML of that shape. */
export function parseMeshNetworks(yaml: string): MeshNetworks {
  try {
    const [parsed] = loadAll(yaml);
    const networks: unknown = parsed === undefined || parsed === null ? undefined : (parsed as { networks?: unknown }).networks;
    if (networks === undefined || networks === null) return {};
    if (typeof networks !== "object" || Array.isArray(networks) || Object.values(networks).some((network) => typeof network !== "object" || network === null))
      throw new TypeError("networks: expected a mapping of mappings");
    return { networks: networks as NonNullable<MeshNetworks["networks"]> };
  } catch (thrown) {
    throw new ChainmailError("MESH_NETWORKS_INVALID", `The mesh networks in ConfigMap istio are not usable: ${errorText(thrown)}`, {
      cause: thrown,
      hint: "kubectl -n istio-system edit configmap istio",
    });
  }
}

export interface NetworkSources {
  readonly config: MeshNetworks;
  readonly services: readonly Service[];
  readonly clusterId: string;
  readonly domain: string;
  /** Addresses of gateways that have only a name. */
  readonly addressesOf: (name: string) => readonly string[];
}

/** Whether an object's status says where a network is entered. */
export function isNetworkGateway(object: KubeObject, networks: Pick<Networks, "serviceNames">, domain: string): boolean {
  return object.kind === "Service" && (Boolean(object.metadata.labels?.[NETWORK_LABEL]) || networks.serviceNames.has(hostnameOf(object, domain)));
}

/** Gateways that the mesh networks name, and Services that are labelled with the network that they lead into. */
export function indexNetworks({ config, services, clusterId, domain, addressesOf }: NetworkSources): Networks {
  const found = new Map<string, NetworkGateway>();
  const add = (gateway: NetworkGateway): void => {
    if (gateway.address) found.set([gateway.network, gateway.cluster, gateway.address, gateway.port].join(), gateway);
  };
  const byService = new Map<string, { network: string; port: number }[]>();
  const ranges: { network: string; block: BlockList }[] = [];
  const cidrs: string[] = [];
  let ownNetwork = "";
  for (const [network, { endpoints = [], gateways = [] }] of Object.entries(config.networks ?? {})) {
    const own = endpoints.some(({ fromRegistry }) => fromRegistry === clusterId);
    if (own) ownNetwork ||= network;
    for (const { fromCidr } of endpoints) {
      const block = fromCidr === undefined ? undefined : blockOf(fromCidr);
      if (block) ranges.push({ network, block });
      if (fromCidr !== undefined && (block || isIP(fromCidr))) cidrs.push(fromCidr);
    }
    for (const { address, registryServiceName, port = 0 } of gateways) {
      if (address) add({ network, cluster: "", address, port });
      else if (registryServiceName && own) byService.set(registryServiceName, [...(byService.get(registryServiceName) ?? []), { network, port }]);
    }
  }
  for (const service of services) {
    for (const { network, port } of leadsInto(service, byService.get(hostnameOf(service, domain))))
      for (const address of externalAddresses(service)) add({ network, cluster: clusterId, address, port });
  }
  const named = [...found.values()];
  const resolved = named.flatMap((gateway) => (isIP(gateway.address) ? [gateway] : addressesOf(gateway.address).map((address) => ({ ...gateway, address }))));
  return {
    ...indexGateways(resolved),
    unresolved: indexGateways(named),
    networkOf: (address) =>
      ownNetwork || (ranges.find(({ block }) => isIP(address) && block.check(address, address.includes(":") ? "ipv6" : "ipv4"))?.network ?? ""),
    serviceNames: new Set(byService.keys()),
    ranges: cidrs.sort(compareRanges),
  };
}

export const NO_NETWORKS: Networks = indexNetworks({ config: {}, services: [], clusterId: "", domain: "", addressesOf: () => [] });

function indexGateways(unsorted: readonly NetworkGateway[]): NetworkGateways {
  const gateways = [...new Map(unsorted.map((gateway) => [JSON.stringify(gateway), gateway])).values()].sort(
    (a, b) => compareText(a.address, b.address) || a.port - b.port,
  );
  const byNetwork = Map.groupBy(gateways, ({ network }) => network);
  const byCluster = Map.groupBy(gateways, ({ network, cluster }) => `${network}\n${cluster}`);
  return {
    gateways,
    scale: [...byNetwork.values(), ...byCluster.values()].reduce((scale, { length }) => leastCommonMultiple(scale, length), 1),
    gatewaysOf: (network, cluster) => byCluster.get(`${network}\n${cluster}`) ?? byNetwork.get(network) ?? [],
  };
}

/** A label says it of the Service itself; otherwise the mesh networks do. A Service without the port is no gateway. */
function leadsInto(service: Service, named: { network: string; port: number }[] = []): { network: string; port: number }[] {
  const network = service.metadata.labels?.[NETWORK_LABEL];
  if (!network) return named;
  const port = Number(service.metadata.labels?.[PORT_LABEL]) || DEFAULT_PORT;
  return service.spec?.ports?.some((candidate) => candidate.port === port) ? [{ network, port }] : [];
}

/** Where a Service is reached from outside: what balances it, and addresses that it names itself. */
export function externalAddresses({ spec, status }: Service): string[] {
  const balanced = spec?.type === "LoadBalancer" ? (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || "") : [];
  return [...balanced, ...(spec?.externalIPs ?? [])];
}

function hostnameOf({ metadata }: KubeObject, domain: string): string {
  return `${metadata.name}.${metadata.namespace ?? ""}.svc.${domain}`;
}

function blockOf(cidr: string): BlockList | undefined {
  const [address = "", bits = ""] = cidr.split("/");
  const family = isIP(address);
  if (!family || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return undefined;
  const block = new BlockList();
  block.addSubnet(address, Number(bits), family === 4 ? "ipv4" : "ipv6");
  return block;
}

function compareRanges(a: string, b: string): number {
  const [[first = "", bits], [second = "", otherBits]] = [a.split("/"), b.split("/")];
  return isIP(first) - isIP(second) || compareText(sortable(first), sortable(second)) || Number(bits ?? 128) - Number(otherBits ?? 128);
}

/** An address so that text sorts like the number it stands for. */
function sortable(address: string): string {
  if (isIP(address) === 4)
    return address
      .split(".")
      .map((part) => part.padStart(3, "0"))
      .join(".");
  const [head = "", tail] = address.split("::");
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const middle = tail === undefined ? [] : Array.from({ length: Math.max(8 - left.length - right.length, 0) }, () => "0");
  return [...left, ...middle, ...right].map((part) => part.toLowerCase().padStart(4, "0")).join(":");
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
