import { toBinary } from "@bufbuild/protobuf";
import { TrafficDirection } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { ListenerSchema, type Listener as ListenerProto } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import type { FilterChain, ListenerFilterChainMatchPredicate } from "../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { HttpInspectorSchema } from "../../proto/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
import { OriginalDstSchema } from "../../proto/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts";
import { ProxyProtocolSchema } from "../../proto/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts";
import { TlsInspectorSchema } from "../../proto/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
import { durationMs } from "../durations.ts";
import { unknownFilter } from "../filters/registry.ts";
import { TypedConfig } from "../filters/typed-config.ts";
import type { Services } from "../services.ts";
import { compileAccessLogs, type AccessLogger } from "../telemetry/access-log.ts";
import { InvalidResource, type SocketAddress } from "../types.ts";
import { readAddress } from "../upstream/cluster-config.ts";
import { compileChain, fingerprintChain, type Chain, type Direction, type RouteSources } from "./chain.ts";
import { compileChoice, type ChooseChain } from "./chain-choice.ts";

/** On which destination ports a listener filter works. */
type PortPredicate = (port: number) => boolean;

/** A Listener read once. */
export interface ListenerConfig {
  readonly name: string;
  /** For its statistics, instead of its address; may be empty. */
  readonly statPrefix: string;
  readonly addresses: readonly SocketAddress[];
  readonly bind: boolean;
  readonly direction: Direction;
  /** Of the overload manager: whether the global limit of connections counts here, and whether any of its actions does. */
  readonly ignoresGlobalLimit: boolean;
  readonly bypasses: boolean;
  /** Connections go on to the listener of their original destination. */
  readonly useOriginalDst: boolean;
  /** Connections are matched by their original destination. */
  readonly restoreOriginalDst: boolean;
  readonly proxyProtocol: PortPredicate | undefined;
  /** Connections without a PROXY header are taken as they are. */
  readonly proxyHeaderOptional: boolean;
  readonly inspectTls: PortPredicate | undefined;
  readonly inspectHttp: PortPredicate | undefined;
  /** Undefined waits for ever. */
  readonly sniffTimeoutMs: number | undefined;
  readonly continueOnTimeout: boolean;
  readonly accessLog: AccessLogger | undefined;
  readonly chains: readonly Chain[];
  readonly defaultChain: Chain | undefined;
  readonly choose: ChooseChain<Chain>;
  readonly fingerprint: bigint;
}

/** Envoy's listener_filters_timeout. */
const DEFAULT_SNIFF_MS = 15_000;

/** Chains that `previous` has already are taken over as they are, with their connections. Throws InvalidResource. */
export function compileListener(proto: ListenerProto, previous: ListenerConfig | undefined, routes: RouteSources, services: Services): ListenerConfig {
  const { name } = proto;
  if (name === "") throw new InvalidResource("INVALID_LISTENER", "ListenerValidationError.Name: value length must be at least 1 characters");
  if (proto.udpListenerConfig || proto.apiListener || proto.listenerSpecifier.case) {
    throw new InvalidResource("UNSUPPORTED_LISTENER", `listener ${name}: only TCP listeners are supported`);
  }
  if (proto.transparent)
    throw new InvalidResource("UNSUPPORTED_LISTENER", `listener ${name}: transparent sockets (interception mode TPROXY) are not supported, only REDIRECT is`);
  if (proto.filterChains.length === 0 && !proto.defaultFilterChain) {
    throw new InvalidResource("INVALID_LISTENER", `error adding listener '${name}': no filter chains specified`);
  }
  const direction = DIRECTIONS[proto.trafficDirection];
  const known = new Map([...(previous?.chains ?? []), ...(previous?.defaultChain ? [previous.defaultChain] : [])].map((chain) => [chain.fingerprint, chain]));
  const made: Chain[] = [];
  const compile = (chain: FilterChain): Chain => {
    const fingerprint = fingerprintChain(chain);
    const same = known.get(fingerprint);
    if (same) return same;
    const compiled = compileChain(chain, fingerprint, direction, routes, services);
    made.push(compiled);
    return compiled;
  };
  try {
    const chains = proto.filterChains.map(compile);
    const defaultChain = proto.defaultFilterChain && compile(proto.defaultFilterChain);
    const addresses = [proto.address, ...proto.additionalAddresses.map((each) => each.address)]
      .map(readAddress)
      .map(({ host, port }) => ({ address: host, port }));
    const filters = readListenerFilters(proto);
    const needsTls = chains.some(({ match }) => match !== undefined && (match.transportProtocol === "tls" || match.serverNames.length > 0));
    return {
      name,
      statPrefix: proto.statPrefix,
      addresses,
      bind: (proto.bindToPort ?? true) && (proto.deprecatedV1?.bindToPort ?? true),
      direction,
      ignoresGlobalLimit: proto.ignoreGlobalConnLimit || proto.bypassOverloadManager,
      bypasses: proto.bypassOverloadManager,
      useOriginalDst: proto.useOriginalDst ?? false,
      restoreOriginalDst: filters.originalDst,
      proxyProtocol: filters.proxyProtocol,
      proxyHeaderOptional: filters.proxyHeaderOptional,
      // As Envoy: chains that match on TLS bring the inspector with them.
      inspectTls: filters.tls ?? (needsTls ? () => true : undefined),
      inspectHttp: filters.http,
      sniffTimeoutMs: sniffTimeout(proto),
      continueOnTimeout: proto.continueOnListenerFiltersTimeout,
      accessLog: compileAccessLogs(proto.accessLog, services),
      chains,
      defaultChain,
      choose: compileChoice(chains, defaultChain, proto.filterChainMatcher, name),
      fingerprint: Bun.hash.xxHash64(toBinary(ListenerSchema, proto)),
    };
  } catch (error) {
    for (const chain of made) disposeChain(chain);
    throw error;
  }
}

export function disposeChain(chain: Chain): void {
  chain.tls?.context.dispose();
  if (chain.terminal.kind === "http") chain.terminal.config.dispose();
}

const DIRECTIONS: Record<TrafficDirection, Direction> = {
  [TrafficDirection.UNSPECIFIED]: "unspecified",
  [TrafficDirection.INBOUND]: "inbound",
  [TrafficDirection.OUTBOUND]: "outbound",
};

function sniffTimeout(proto: ListenerProto): number | undefined {
  const ms = durationMs(proto.listenerFiltersTimeout) ?? DEFAULT_SNIFF_MS;
  return ms > 0 ? ms : undefined;
}

interface ListenerFilters {
  originalDst: boolean;
  proxyProtocol: PortPredicate | undefined;
  proxyHeaderOptional: boolean;
  tls: PortPredicate | undefined;
  http: PortPredicate | undefined;
}

function readListenerFilters(proto: ListenerProto): ListenerFilters {
  const filters: ListenerFilters = { originalDst: false, proxyProtocol: undefined, proxyHeaderOptional: false, tls: undefined, http: undefined };
  for (const filter of proto.listenerFilters) {
    const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
    const enabled = filter.filterDisabled ? not(compilePredicate(filter.filterDisabled)) : () => true;
    switch (any && TypedConfig.open(any).typeName) {
      case OriginalDstSchema.typeName:
        filters.originalDst = true;
        break;
      case ProxyProtocolSchema.typeName:
        filters.proxyProtocol = enabled;
        filters.proxyHeaderOptional = TypedConfig.open(any as NonNullable<typeof any>).read(ProxyProtocolSchema).allowRequestsWithoutProxyProtocol;
        break;
      case TlsInspectorSchema.typeName:
        filters.tls = enabled;
        break;
      case HttpInspectorSchema.typeName:
        filters.http = enabled;
        break;
      default:
        throw unknownFilter(filter.name, any?.typeUrl);
    }
  }
  return filters;
}

function compilePredicate(predicate: ListenerFilterChainMatchPredicate): PortPredicate {
  const { rule } = predicate;
  switch (rule.case) {
    case "anyMatch":
      return () => rule.value;
    case "destinationPortRange": {
      const { start, end } = rule.value;
      return (port) => port >= start && port < end;
    }
    case "notMatch":
      return not(compilePredicate(rule.value));
    case "orMatch": {
      const tests = rule.value.rules.map(compilePredicate);
      return (port) => tests.some((test) => test(port));
    }
    case "andMatch": {
      const tests = rule.value.rules.map(compilePredicate);
      return (port) => tests.every((test) => test(port));
    }
  }
  throw new InvalidResource("INVALID_LISTENER", "ListenerFilterChainMatchPredicateValidationError.Rule: value is required");
}

function not(predicate: PortPredicate): PortPredicate {
  return (port) => !predicate(port);
}
