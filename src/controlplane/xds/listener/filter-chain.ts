import { isIP } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Init } from "../../../proto/index.ts";
import type { FilterChainMatchSchema, FilterChainSchema } from "../../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { FilterConfig } from "../../policy/index.ts";
import { UNSPECIFIED } from "../../registry/index.ts";
import { cidrRange } from "../address.ts";
import { chainFilter } from "../filters.ts";
import { tlsSocket, type DownstreamTls } from "./downstream-tls.ts";

export type FilterChain = Init<typeof FilterChainSchema>;
export type FilterChainMatch = Init<typeof FilterChainMatchSchema>;

/** An outbound or gateway chain while its listener is put together. */
export interface ChainDraft {
  readonly filters: readonly FilterConfig[];
  readonly sniHosts?: readonly string[];
  readonly cidrs?: readonly string[];
  readonly applicationProtocols?: readonly string[];
  readonly transportProtocol?: string;
  readonly tls?: DownstreamTls;
  /** Path of the rule that it comes from. */
  readonly config?: string;
}

/** The protocols that an application's own HTTP is recognised by. */
export const PLAINTEXT_HTTP = ["http/1.1", "h2c"];
export const RAW_BUFFER_PROTOCOL = "raw_buffer";
export const TLS_PROTOCOL = "tls";
/** A handshake that takes longer is not going to end. */
const HANDSHAKE_TIMEOUT = { seconds: 15n };

export function matchesAll(chain: ChainDraft): boolean {
  const { sniHosts = [], applicationProtocols = [], cidrs = [], transportProtocol } = chain;
  return (sniHosts.length === 0 || sniHosts.includes("*")) && applicationProtocols.length === 0 && !transportProtocol && cidrs.length === 0;
}

/** Undefined when it matches all. */
export function matchOf(chain: ChainDraft): FilterChainMatch | undefined {
  if (matchesAll(chain)) return undefined;
  const { sniHosts = [], applicationProtocols = [], cidrs = [], transportProtocol = "" } = chain;
  const ranges = [...cidrs]
    .sort()
    .map(cidrRange)
    .filter((range) => range !== undefined);
  return {
    applicationProtocols: [...applicationProtocols],
    transportProtocol,
    ...(!sniHosts.includes("*") && { serverNames: [...sniHosts].sort() }),
    prefixRanges: ranges.filter(({ addressPrefix }) => addressPrefix !== UNSPECIFIED),
  };
}

export function buildChain(chain: ChainDraft): FilterChain {
  const match = matchOf(chain);
  const istio: JsonObject | undefined = chain.config === undefined ? undefined : { config: chain.config };
  return {
    ...(match && { filterChainMatch: match }),
    ...(istio && { metadata: { filterMetadata: { istio } } }),
    ...(chain.tls && { transportSocket: tlsSocket(chain.tls) }),
    transportSocketConnectTimeout: HANDSHAKE_TIMEOUT,
    filters: chain.filters.map(chainFilter),
  };
}

/** Whether Envoy would have to choose between two chains, and so refuse the listener. */
export function conflicts(a: ChainDraft, b: ChainDraft): boolean {
  return (
    (a.transportProtocol ?? "") === (b.transportProtocol ?? "") &&
    sameList(a.applicationProtocols ?? [], b.applicationProtocols ?? []) &&
    sameList(names(a.sniHosts), names(b.sniHosts)) &&
    sameList(ranges(a.cidrs), ranges(b.cidrs))
  );
}

function names(list: readonly string[] = []): string[] {
  return [...new Set(list.filter((name) => name !== "*"))].sort();
}

function ranges(list: readonly string[] = []): string[] {
  const masked = list.map(maskedRange).filter((range) => range !== undefined);
  return [...new Set(masked)].sort();
}

/** A range with the bits of its hosts cleared; undefined for what is none, and for the address that stands for all. */
function maskedRange(text: string): string | undefined {
  const range = cidrRange(text);
  if (!range?.addressPrefix || range.addressPrefix === UNSPECIFIED) return undefined;
  const bits = Number(range.prefixLen);
  if (isIP(range.addressPrefix) !== 4) return `${range.addressPrefix}/${bits}`;
  const value = range.addressPrefix.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - bits);
  return `${Math.floor(value / size) * size}/${bits}`;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
