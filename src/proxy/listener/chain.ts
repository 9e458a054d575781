import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { TransportSocket } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { TransportSocketSchema } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { FilterChainSchema, type Filter, type FilterChain, type FilterChainMatch } from "../../proto/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type * as LimitTypes from "../../proto/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.ts";
import type * as StateTypes from "../../proto/gen/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.ts";
import type * as FilterState from "../filters/filter-state.ts";
import type * as RateTypes from "../../proto/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.ts";
import { HttpConnectionManagerSchema } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type * as AuthzTypes from "../../proto/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts";
import { RBACSchema } from "../../proto/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts";
import { SniClusterSchema } from "../../proto/gen/envoy/extensions/filters/network/sni_cluster/v3/sni_cluster_pb.ts";
import { TcpProxySchema } from "../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import { RawBufferSchema } from "../../proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
import { DownstreamTlsContextSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { PluginConfigSchema, Reporter } from "../../proto/gen/stats/config_pb.ts";
import { timeoutMs } from "../durations.ts";
import type * as CheckModule from "../filters/ext-authz/check.ts";
import { rbacCounters } from "../filters/rbac/counters.ts";
import { compileRules, NETWORK_RBAC } from "../filters/rbac/engine.ts";
import { unknownFilter } from "../filters/registry.ts";
import { TypedConfig } from "../filters/typed-config.ts";
import { HcmConfig, type RouteSource } from "../http/hcm-config.ts";
import { compileMetadata } from "../match/values.ts";
import type { Services } from "../services.ts";
import { compileTcpProxy } from "../tcp/tcp-config.ts";
import type { NetworkExtAuthz, TcpPolicy } from "../tcp/tcp-gate.ts";
import type { TcpChain } from "../tcp/tcp-session.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { TlsContext } from "../tls/contexts.ts";
import { InvalidResource } from "../types.ts";
import { ConnectionLimit, type Admission } from "./connection-limit.ts";
import { ConnectionRate } from "./connection-rate.ts";
import type { MatchableChain } from "./filter-chain-match.ts";
import { compileRoutes } from "./routes.ts";

export type Direction = "inbound" | "outbound" | "unspecified";

export type Terminal =
  | { readonly kind: "http"; readonly config: HcmConfig; readonly policies: readonly TcpPolicy[] }
  | { readonly kind: "tcp"; readonly chain: TcpChain };

type SetState = (state: Map<string, string>, info: StreamInfo) => void;

/** A filter chain read once. */
export interface Chain extends MatchableChain {
  readonly name: string;
  readonly match: FilterChainMatch | undefined;
  /** Of the whole chain, and of its transport socket alone: equal ones need no change. */
  readonly fingerprint: bigint;
  readonly transportFingerprint: bigint;
  readonly tls: { readonly context: TlsContext; readonly requireClientCertificate: boolean; readonly requireSni: boolean } | undefined;
  readonly handshakeTimeoutMs: number | undefined;
  readonly terminal: Terminal;
  readonly limits: readonly Admission[];
  /** What a new connection is told of itself. */
  readonly states: readonly SetState[];
  /** What must be there before the chain can serve. */
  readonly rds: readonly string[];
  readonly secrets: readonly string[];
  readonly extensions: readonly string[];
}

/** Finds route tables by RDS name. */
export interface RouteSources {
  source(name: string): RouteSource;
}

export function fingerprintChain(proto: FilterChain): bigint {
  return Bun.hash.xxHash64(toBinary(FilterChainSchema, proto));
}

/** Throws InvalidResource for what cannot be honoured. */
export function compileChain(proto: FilterChain, fingerprint: bigint, direction: Direction, routes: RouteSources, services: Services): Chain {
  const tls = compileTransport(proto.transportSocket, services);
  const rds: string[] = [];
  const limits: Admission[] = [];
  const states: SetState[] = [];
  const terminal = compileFilters(proto.filters, direction, routes, services, { rds, limits, states });
  return {
    name: proto.name,
    match: proto.filterChainMatch,
    fingerprint,
    transportFingerprint: proto.transportSocket ? Bun.hash.xxHash64(toBinary(TransportSocketSchema, proto.transportSocket)) : 0n,
    tls,
    // Envoy has none unless it is set; Istio sets 15 s.
    handshakeTimeoutMs: timeoutMs(proto.transportSocketConnectTimeout, tls ? DEFAULT_HANDSHAKE_MS : 0),
    terminal,
    limits,
    states,
    rds,
    secrets: tls?.context.secretNames ?? [],
    extensions: terminal.kind === "http" ? terminal.config.extensions : [],
  };
}

/** A handshake that takes longer is somebody holding descriptors: Envoy would wait for ever. */
const DEFAULT_HANDSHAKE_MS = 15_000;

function compileTransport(socket: TransportSocket | undefined, services: Services): Chain["tls"] {
  if (!socket) return undefined;
  const any = socket.configType.case === "typedConfig" ? socket.configType.value : undefined;
  const config = any && TypedConfig.open(any);
  if (config?.typeName === RawBufferSchema.typeName || (!config && socket.name === "envoy.transport_sockets.raw_buffer")) return undefined;
  if (config?.typeName !== DownstreamTlsContextSchema.typeName) {
    throw new InvalidResource(
      "UNKNOWN_TRANSPORT_SOCKET",
      `Didn't find a registered implementation for '${socket.name}' with type URL: '${config?.typeName ?? ""}'`,
    );
  }
  const context = config.read(DownstreamTlsContextSchema);
  if (!context.commonTlsContext) throw new InvalidResource("INVALID_TLS", "DownstreamTlsContext has no common_tls_context");
  const requireClientCertificate = context.requireClientCertificate ?? false;
  return {
    context: new TlsContext(context.commonTlsContext, { role: "server", requireClientCertificate }, services),
    requireClientCertificate,
    requireSni: context.requireSni ?? false,
  };
}

function compileFilters(
  filters: readonly Filter[],
  direction: Direction,
  routes: RouteSources,
  services: Services,
  found: { readonly rds: string[]; readonly limits: Admission[]; readonly states: SetState[] },
): Terminal {
  const policies: TcpPolicy[] = [];
  let stats: TcpChain["stats"];
  let metadataExchange = false;
  let sniCluster = false;
  for (const [index, filter] of filters.entries()) {
    const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
    const config = any && TypedConfig.open(any);
    const last = index === filters.length - 1;
    switch (config?.typeName) {
      case HttpConnectionManagerSchema.typeName: {
        requireLast(filter, last);
        const proto = config.read(HttpConnectionManagerSchema);
        if (policies.some((policy) => policy.kind === "ext_authz"))
          throw new InvalidResource("UNSUPPORTED_EXT_AUTHZ", "network ext_authz before an HTTP connection manager is not supported");
        return { kind: "http", config: new HcmConfig(proto, routeSource(proto.routeSpecifier, routes, services, found.rds), services, direction), policies };
      }
      case TcpProxySchema.typeName: {
        requireLast(filter, last);
        return { kind: "tcp", chain: { tcp: compileTcpProxy(config.read(TcpProxySchema), services), policies, stats, metadataExchange, sniCluster } };
      }
      case RBACSchema.typeName: {
        const proto = config.read(RBACSchema);
        const rbac = {
          rules: compileRules(proto.rules, proto.matcher, NETWORK_RBAC),
          shadow: compileRules(proto.shadowRules, proto.shadowMatcher, NETWORK_RBAC),
          prefix: proto.shadowRulesStatPrefix,
          count: rbacCounters(services.core.scope(proto.statPrefix.replace(/\.$/, "")), "", proto.shadowRulesStatPrefix),
        };
        policies.push({ kind: "rbac", rbac });
        break;
      }
      case "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz": {
        const { ExtAuthzSchema } = require("../../proto/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts") as typeof AuthzTypes;
        policies.push({ kind: "ext_authz", authz: compileNetworkExtAuthz(config.read(ExtAuthzSchema), services) });
        break;
      }
      case PluginConfigSchema.typeName:
        stats = direction === "inbound" || config.read(PluginConfigSchema).reporter === Reporter.SERVER_GATEWAY ? "destination" : "source";
        break;
      case "envoy.tcp.metadataexchange.config.MetadataExchange":
        metadataExchange = true;
        break;
      case "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit": {
        const { ConnectionLimitSchema } =
          require("../../proto/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.ts") as typeof LimitTypes;
        found.limits.push(new ConnectionLimit(config.read(ConnectionLimitSchema), services.core));
        break;
      }
      case "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit": {
        const { LocalRateLimitSchema } =
          require("../../proto/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.ts") as typeof RateTypes;
        found.limits.push(new ConnectionRate(config.read(LocalRateLimitSchema), services));
        break;
      }
      case "envoy.extensions.filters.network.set_filter_state.v3.Config": {
        const { ConfigSchema } = require("../../proto/gen/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.ts") as typeof StateTypes;
        const { compileStateValues } = require("../filters/filter-state.ts") as typeof FilterState;
        found.states.push(compileStateValues(config.read(ConfigSchema).onNewConnection, services.hostname));
        break;
      }
      case SniClusterSchema.typeName:
        sniCluster = true;
        break;
      case "envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy":
        // It only counts operations: the bytes go on as they are, and refusing it would take the whole listener away.
        break;
      default:
        throw unknownFilter(filter.name, any?.typeUrl);
    }
  }
  throw new InvalidResource("INVALID_FILTER_CHAIN", "Error: no terminal filter found in the filter chain");
}

function compileNetworkExtAuthz(proto: AuthzTypes.ExtAuthz, services: Services): NetworkExtAuthz {
  if (!proto.grpcService) throw new InvalidResource("INVALID_EXT_AUTHZ", "network ext_authz has no grpc_service");
  const { compileGrpcCheck } = require("../filters/ext-authz/check.ts") as typeof CheckModule;
  const enabledBy = proto.filterEnabledMetadata && compileMetadata(proto.filterEnabledMetadata);
  return {
    check: compileGrpcCheck(proto.grpcService, services, () => false),
    enabled: (info) => enabledBy === undefined || enabledBy((name) => info.dynamicMetadata?.get(name)),
    failureModeAllow: proto.failureModeAllow,
    includePeerCertificate: proto.includePeerCertificate,
  };
}

function requireLast(filter: Filter, last: boolean): void {
  if (!last)
    throw new InvalidResource(
      "INVALID_FILTER_CHAIN",
      `Error: terminal filter named ${filter.name} of type ${filter.name} must be the last filter in a network filter chain.`,
    );
}

type RouteSpecifier = ReturnType<typeof fromBinary<typeof HttpConnectionManagerSchema>>["routeSpecifier"];

function routeSource(specifier: RouteSpecifier, routes: RouteSources, services: Services, rds: string[]): RouteSource {
  switch (specifier.case) {
    case "rds":
      rds.push(specifier.value.routeConfigName);
      return routes.source(specifier.value.routeConfigName);
    case "routeConfig": {
      const table = compileRoutes(specifier.value, services, true);
      return { current: () => table };
    }
  }
  throw new InvalidResource("UNSUPPORTED_ROUTES", `route specifier ${specifier.case ?? "(none)"} is not supported`);
}
