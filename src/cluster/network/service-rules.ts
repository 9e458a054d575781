import { TABLE } from "./node-rules.ts";
import type { ServiceEntry, ServicePortEntry } from "./service-entry.ts";
import { Transactions, type Change } from "./transactions.ts";

/** What the kernel holds for services: a map from address, protocol and port to a chain, and the chains' one rule. */
export interface RuleState {
  /** `10.96.0.20 . tcp . 80` to a chain's name. */
  elements: Map<string, string>;
  /** A chain's name to its rule. */
  chains: Map<string, string>;
}

/** Services by key, less the addresses that the cluster process itself serves. */
export function desiredRules(entries: Iterable<ServiceEntry>, options: { nodeIp: string; localAddresses: string[] }): RuleState {
  const state: RuleState = { elements: new Map(), chains: new Map() };
  for (const entry of entries) {
    if (options.localAddresses.includes(entry.clusterIP)) continue;
    for (const port of entry.ports) {
      // Without an endpoint there is no element, and the node's rules reject what nothing translates.
      if (port.endpoints.length === 0) continue;
      const chain = `svc_${entry.clusterIP || "host"}_${port.protocol}_${port.port}`;
      state.chains.set(chain, rule(port, entry.sticky));
      // Host ports have no address but the node's.
      for (const ip of [entry.clusterIP, ...entry.externalIPs].filter(Boolean)) state.elements.set(`${ip} . ${port.protocol} . ${port.port}`, chain);
      if (port.nodePort !== undefined) state.elements.set(`${options.nodeIp} . ${port.protocol} . ${port.nodePort}`, chain);
    }
  }
  return state;
}

/** The transactions that turn `from` into `to`; connections that stand are left as they are. */
export function diffRules(from: RuleState, to: RuleState): Change<RuleState>[] {
  const changes = new Transactions<RuleState>();
  // Elements go before the chain they lead to, and come after it.
  for (const [key, chain] of from.elements) {
    if (to.elements.get(key) !== chain) changes.add(`delete element ip ${TABLE} services { ${key} }\n`, (state) => state.elements.delete(key));
  }
  for (const [chain, body] of to.chains) {
    const known = from.chains.get(chain);
    if (known === body) continue;
    const start = known === undefined ? `add chain ip ${TABLE} ${chain}` : `flush chain ip ${TABLE} ${chain}`;
    changes.add(`${start}\nadd rule ip ${TABLE} ${chain} ${body}\n`, (state) => state.chains.set(chain, body));
  }
  for (const [key, chain] of to.elements) {
    if (from.elements.get(key) !== chain)
      changes.add(`add element ip ${TABLE} services { ${key} : goto ${chain} }\n`, (state) => state.elements.set(key, chain));
  }
  for (const chain of from.chains.keys()) {
    if (!to.chains.has(chain)) changes.add(`flush chain ip ${TABLE} ${chain}\ndelete chain ip ${TABLE} ${chain}\n`, (state) => state.chains.delete(chain));
  }
  return changes.finish();
}

function rule({ protocol, endpoints }: ServicePortEntry, sticky: boolean): string {
  const [only] = endpoints;
  if (endpoints.length === 1 && only) return `meta l4proto ${protocol} dnat ip to ${only.ip}:${only.port}`;
  const pick = sticky ? "jhash ip saddr" : "numgen random";
  const choices = endpoints.map(({ ip, port }, index) => `${index} : ${ip} . ${port}`).join(", ");
  return `meta l4proto ${protocol} dnat ip to ${pick} mod ${endpoints.length} map { ${choices} }`;
}
