import type { Init } from "../../../proto/index.ts";
import type { ListenerFilterChainMatchPredicateSchema, ListenerFilterSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { configured, HTTP_INSPECTOR, ORIGINAL_DST, ORIGINAL_SRC, TLS_INSPECTOR } from "../filters.ts";
import { PLAINTEXT_HTTP, TLS_PROTOCOL, type FilterChainMatch } from "./filter-chain.ts";

export type ListenerFilter = Init<typeof ListenerFilterSchema>;
type Predicate = Init<typeof ListenerFilterChainMatchPredicateSchema>;

/** A port's needs; port 0 stands for all that have no chains of their own. */
interface Needs {
  tls: boolean;
  http: boolean;
}

/**
 * The filters that look at a connection before a chain is chosen. Looking costs a first packet, and a server that speaks
 * first would wait for ever, so ports that need no look are left out.
 */
export function inboundListenerFilters(matches: readonly (FilterChainMatch | undefined)[], captured: boolean, transparent: boolean): ListenerFilter[] {
  const needs = new Map<number, Needs>();
  for (const match of matches) {
    const port = Number(match?.destinationPort ?? 0);
    const known = needs.get(port) ?? { tls: false, http: false };
    needs.set(port, {
      tls: known.tls || match?.transportProtocol === TLS_PROTOCOL,
      http: known.http || (match?.applicationProtocols ?? []).some((protocol) => PLAINTEXT_HTTP.includes(protocol)),
    });
  }
  const filters: ListenerFilter[] = [];
  if (captured) filters.push(configured(ORIGINAL_DST));
  if (captured && transparent) filters.push(configured(ORIGINAL_SRC));
  const all = [...needs];
  if (all.some(([, need]) => need.tls)) filters.push(tlsInspector(needs));
  if (all.some(([, need]) => need.http)) filters.push(disabledFor(HTTP_INSPECTOR, ports(all.filter(([, need]) => !need.http))));
  return filters;
}

function tlsInspector(needs: ReadonlyMap<number, Needs>): ListenerFilter {
  const own = [...needs].filter(([port]) => port !== 0);
  if (needs.get(0)?.tls) return disabledFor(TLS_INSPECTOR, ports(own.filter(([, need]) => !need.tls)));
  const only = ports(own.filter(([, need]) => need.tls));
  if (only.length === 0) return configured(TLS_INSPECTOR);
  return configured(TLS_INSPECTOR, { filterDisabled: { rule: { case: "notMatch" as const, value: anyOf(only) } } });
}

function disabledFor(filter: typeof HTTP_INSPECTOR, off: readonly number[]): ListenerFilter {
  return off.length === 0 ? configured(filter) : configured(filter, { filterDisabled: anyOf(off) });
}

function anyOf(list: readonly number[]): Predicate {
  const rules = list.map((port): Predicate => ({ rule: { case: "destinationPortRange", value: { start: port, end: port + 1 } } }));
  const [first] = rules;
  return rules.length === 1 && first ? first : { rule: { case: "orMatch", value: { rules } } };
}

function ports(entries: readonly [number, Needs][]): number[] {
  return entries.map(([port]) => port).sort((a, b) => a - b);
}
