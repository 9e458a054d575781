import { setImmediate as nextTurn } from "node:timers/promises";
import { encode, XDS_TYPES } from "../../proto/index.ts";
import { DeltaDiscoveryRequestSchema } from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { isHttp, type MeshSnapshot } from "../registry/index.ts";
import { expectedNodes } from "../xds/expected-nodes.ts";
import type { ProxyNode, XdsGenerator, XdsResource } from "../xds/types.ts";
import { decodeRequest } from "./requests.ts";
import { encodeDelta } from "./responses.ts";

export interface WarmUpOptions {
  generator: XdsGenerator;
  snapshot(): MeshSnapshot;
  /** Whether there is no more need: proxies are here, or the program stops. */
  over(): boolean;
}

/** Namespaces that something is made for; the others' proxies share most of it. */
const MAX_NODES = 50;
/** Load assignments made in one turn of the event loop: a few milliseconds. */
const STEP = 50;

/**
 * Makes what proxies are about to ask for while nobody asks for anything yet, so that a rolling start of a mesh finds it
 * encoded. Resolves to the nodes that it was made for: it is kept as long as they are.
 */
export async function warmUp({ generator, snapshot, over }: WarmUpOptions): Promise<readonly ProxyNode[]> {
  const nodes = expectedNodes(snapshot(), MAX_NODES);
  for (const node of nodes) {
    const make = async (typeUrl: string, names?: readonly string[]): Promise<readonly XdsResource[]> => {
      await nextTurn();
      if (over()) return [];
      decodeRequest("delta", encode(DeltaDiscoveryRequestSchema, { node: { id: node.id }, typeUrl, ...(names && { resourceNamesSubscribe: [...names] }) }));
      const resources = generator.generate(node, snapshot(), typeUrl, names);
      // Each resource is put into its frame once, whoever it goes to.
      encodeDelta({ typeUrl, version: "", nonce: "" }, resources, []);
      return resources;
    };
    const endpoints = (await make(XDS_TYPES.CDS)).flatMap(({ name }) => (name.startsWith("outbound|") ? [name] : []));
    for (let at = 0; at < endpoints.length; at += STEP) await make(XDS_TYPES.EDS, endpoints.slice(at, at + STEP));
    await make(XDS_TYPES.LDS);
    for (const port of httpPorts(snapshot())) await make(XDS_TYPES.RDS, [port]);
    if (over()) break;
  }
  return nodes;
}

/** What the route configurations that services share are called. */
function httpPorts({ services }: MeshSnapshot): Set<string> {
  return new Set(services.all.flatMap(({ ports }) => ports.flatMap(({ port, protocol }) => (isHttp(protocol) ? [String(port)] : []))));
}
