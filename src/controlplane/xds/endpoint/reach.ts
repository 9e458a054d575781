import { isIP } from "node:net";
import type { Init } from "../../../proto/index.ts";
import type { LbEndpointSchema } from "../../../proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
import { withTopologyLabels, type MeshEndpoint, type NetworkGateway, type NetworkGateways } from "../../registry/index.ts";
import { address } from "../address.ts";
import { families, metadataText, type ProxyContext } from "../proxy.ts";

type LbEndpoint = Init<typeof LbEndpointSchema>;

/** From which network a client dials, where there are several. */
export interface Reach {
  readonly networks: NetworkGateways;
  readonly network: string;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** Networks that the client wants to hear of; undefined for all. */
  readonly visible: ReadonlySet<string> | undefined;
}

export interface Reached {
  readonly endpoints: readonly MeshEndpoint[];
  readonly built: readonly LbEndpoint[];
}

const MAX_WEIGHT = 0xffff_ffff;

/** Undefined where there is but one network, and the client asks for all of it: every address is dialled directly. `byName`: names of gateways will be resolved. */
export function reachOf({ node, mesh }: ProxyContext, byName = false): Reach | undefined {
  const networks = byName ? mesh.snapshot.networks.unresolved : mesh.snapshot.networks;
  const requested = metadataText(node, "REQUESTED_NETWORK_VIEW");
  if (networks.gateways.length === 0 && requested === "") return undefined;
  return {
    networks,
    network: node.network,
    ...families(node),
    visible: requested === "" ? undefined : new Set(["", ...requested.split(",").map((name) => name.trim())]),
  };
}

/** What clients with the same answer have in common. */
export function reachKey(proxy: ProxyContext): string {
  const reach = reachOf(proxy);
  return reach ? JSON.stringify([reach.network, reach.ipv4, reach.ipv6, [...(reach.visible ?? [])]]) : "";
}

/** Whether a client wants to hear of an endpoint. */
export function isVisible({ network }: MeshEndpoint, reach: Reach | undefined): boolean {
  return reach?.visible?.has(network) ?? true;
}

/**
 * The endpoints of one locality as a client in its network dials them: those of other networks become their gateways, each
 * with the weight of what is behind it. Only mutual TLS finds its way there, by the server name; without it an endpoint of
 * another network cannot be reached and is left out, never dialled past the gateway.
 */
export function throughGateways(endpoints: readonly MeshEndpoint[], built: readonly LbEndpoint[], reach: Reach): Reached {
  const { networks, network } = reach;
  if (networks.gateways.length === 0) return { endpoints, built };
  const kept: { endpoints: MeshEndpoint[]; built: LbEndpoint[] } = { endpoints: [], built: [] };
  const weights = new Map<NetworkGateway, number>();
  for (const [index, endpoint] of endpoints.entries()) {
    const own = built[index];
    if (!own) continue;
    const gateways = networks.gatewaysOf(endpoint.network, endpoint.clusterId).filter(({ port }) => port > 0);
    const weight = Math.min((own.loadBalancingWeight || 1) * networks.scale, MAX_WEIGHT);
    const here = endpoint.network === "" || endpoint.network === network || network === "";
    const unplaced = network === "" && endpoint.network !== "" && gateways.length > 0;
    if (!unplaced && (here || gateways.length === 0)) {
      if (endpoint.address === "") continue;
      kept.endpoints.push(endpoint);
      kept.built.push({ ...own, loadBalancingWeight: weight });
      continue;
    }
    const usable = reachable(gateways, reach);
    if (usable.length === 0 || !takesMutualTls(own)) continue;
    for (const gateway of usable) weights.set(gateway, (weights.get(gateway) ?? 0) + Math.floor(weight / usable.length));
  }
  for (const gateway of networks.gateways) {
    const weight = weights.get(gateway);
    if (weight === undefined) continue;
    kept.endpoints.push(stand(gateway));
    kept.built.push({
      hostIdentifier: { case: "endpoint", value: { address: address(gateway.address, gateway.port) } },
      loadBalancingWeight: weight || 1,
      metadata: { filterMetadata: { istio: { workload: `;;;;${gateway.cluster}` }, "envoy.transport_socket_match": { tlsMode: "istio" } } },
    });
  }
  return kept;
}

function reachable(gateways: readonly NetworkGateway[], { ipv4, ipv6 }: Reach): readonly NetworkGateway[] {
  if (ipv4 === ipv6) return gateways;
  return gateways.filter(({ address }) => (isIP(address) === 6 ? ipv6 : isIP(address) === 4 && ipv4));
}

/** Whether an endpoint is dialled with mutual TLS. */
export function takesMutualTls(endpoint: LbEndpoint | undefined): boolean {
  return endpoint?.metadata?.filterMetadata?.["envoy.transport_socket_match"]?.["tlsMode"] === "istio";
}

/** The endpoint that a gateway counts as where localities fail over by labels. */
function stand(gateway: NetworkGateway): MeshEndpoint {
  return {
    address: gateway.address,
    port: gateway.port,
    portName: "",
    entryPort: 0,
    labels: withTopologyLabels({}, { clusterId: gateway.cluster, locality: "", nodeName: "", network: gateway.network }),
    identity: "",
    tlsMode: "istio",
    locality: "",
    network: gateway.network,
    clusterId: gateway.cluster,
    weight: 0,
    workload: "",
    namespace: "",
    nodeName: "",
    podHostname: "",
    podSubdomain: "",
    health: "UNKNOWN",
  };
}
