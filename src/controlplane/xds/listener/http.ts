import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { encode, packAny, typeUrlOf, type Init } from "../../../proto/index.ts";
import {
  Http1ProtocolOptionsSchema,
  HttpProtocolOptions_HeadersWithUnderscoresAction,
  type HttpProtocolOptionsSchema,
  type Http2ProtocolOptionsSchema,
} from "../../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import type { RouteConfigurationSchema } from "../../../proto/gen/envoy/config/route/v3/route_pb.ts";
import {
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManagerSchema,
} from "../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { UuidRequestIdConfigSchema } from "../../../proto/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.ts";
import { parseDuration, type FilterConfig } from "../../policy/index.ts";
import type { MeshConfig, MeshService, Protocol } from "../../registry/index.ts";
import { preserveCaseOptions } from "../cluster/draft.ts";
import { preservesCase } from "../cluster/outbound.ts";
import {
  ALPN,
  CORS,
  chainFilter,
  FAULT,
  GRPC_STATS,
  GRPC_WEB,
  INBOUND_METADATA,
  OUTBOUND_METADATA,
  OUTBOUND_METADATA_SKIP_HEADERS,
  ROUTER,
  ROUTER_SUPPRESS_HEADERS,
} from "../filters.ts";
import { anyNameFilter, forwardProxyFilter, forwardsAny } from "../forward-proxy.ts";
import { metadataText } from "../proxy.ts";
import { adsSource } from "../sds.ts";
import type { HttpTracing, TrafficClass } from "../telemetry/index.ts";
import type { ListenerParts } from "./parts.ts";

type Manager = Init<typeof HttpConnectionManagerSchema>;

export interface HttpChainOptions {
  readonly trafficClass: TrafficClass;
  readonly statPrefix: string;
  readonly protocol: Protocol;
  /** Name of a route configuration that comes by RDS, or the configuration itself. */
  readonly routes: string | MessageInitShape<typeof RouteConfigurationSchema>;
  readonly useRemoteAddress: boolean;
  /** The port by which extensions are chosen; 0 for that of no service. */
  readonly port: number;
  /** The service whose names are looked up here. */
  readonly lookup?: MeshService;
  /** What only this kind of listener sets. */
  readonly extra?: Manager;
}

const HTTP_MANAGER = "envoy.filters.network.http_connection_manager";

/**
 * The network filter that speaks HTTP. Workloads that see the same differ in how their spans name them: the rest is given
 * by whoever has it from another of them.
 */
export function httpManager(parts: ListenerParts, options: HttpChainOptions, rest = untracedManager(parts, options)): FilterConfig {
  // Fields of a message may come in any order and in parts.
  const value = new Uint8Array(Buffer.concat([rest, parts.managerTracing(options.trafficClass)]));
  return { name: HTTP_MANAGER, typedConfig: { $typeName: "google.protobuf.Any", typeUrl: typeUrlOf(HttpConnectionManagerSchema), value } };
}

/** The manager without its tracing, encoded. */
export function untracedManager(parts: ListenerParts, options: HttpChainOptions): Uint8Array {
  const { mesh, view, node } = parts.proxy;
  const { trafficClass, extra = {} } = options;
  const headers = parts.headers(trafficClass);
  const http1 = preservesCase(view, mesh) ? preserveCaseOptions() : create(Http1ProtocolOptionsSchema);
  const acceptHttp10 = metadataText(node, "HTTP10") === "1";
  if (acceptHttp10) http1.acceptHttp10 = true;
  const needsHttp1 = acceptHttp10 || preservesCase(view, mesh);
  const manager: Manager = {
    statPrefix: options.statPrefix,
    appendXForwardedPort: headers.forwardedPort,
    serverName: headers.serverName,
    serverHeaderTransformation: headers.serverHeaderTransformation,
    ...(headers.generateRequestId !== undefined && { generateRequestId: headers.generateRequestId }),
    ...pathNormalization(mesh.config),
    useRemoteAddress: options.useRemoteAddress,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    // Streams live as long as the application wants.
    streamIdleTimeout: { seconds: 0n },
    ...(parts.idleTimeout && { commonHttpProtocolOptions: { idleTimeout: parts.idleTimeout } }),
    ...(needsHttp1 && { httpProtocolOptions: http1 }),
    proxy100Continue: true,
    routeSpecifier:
      typeof options.routes === "string"
        ? { case: "rds", value: { configSource: adsSource(), routeConfigName: options.routes } }
        : { case: "routeConfig", value: options.routes },
    accessLog: parts.logs(trafficClass, "http"),
    httpFilters: httpFilters(parts, options).map(chainFilter),
    ...extra,
  };
  if (needsHttp1 && extra.httpProtocolOptions)
    manager.httpProtocolOptions = {
      ...extra.httpProtocolOptions,
      ...(http1.acceptHttp10 && { acceptHttp10: true }),
      ...(http1.headerKeyFormat && { headerKeyFormat: http1.headerKeyFormat }),
    } as Manager["httpProtocolOptions"];
  applyConnectionSettings(manager, connectionSettings(parts));
  return encode(HttpConnectionManagerSchema, manager);
}

/** What a manager is told of tracing, encoded. */
export function managerTracing({ tracing, requestIdDecides }: HttpTracing): Uint8Array {
  const requestIdExtension = { typedConfig: packAny(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling: requestIdDecides ?? true }) };
  return encode(HttpConnectionManagerSchema, { ...(tracing && { tracing }), requestIdExtension });
}

function httpFilters(parts: ListenerParts, options: HttpChainOptions): FilterConfig[] {
  const { trafficClass } = options;
  const istio = parts.proxy.view.dialect === "istio";
  const headers = parts.headers(trafficClass);
  const metadata = trafficClass === "inbound" ? INBOUND_METADATA : headers.skipMetadataHeaders ? OUTBOUND_METADATA_SKIP_HEADERS : OUTBOUND_METADATA;
  const guarded = trafficClass !== "outbound";
  const extensions = (phase: "AUTHN" | "AUTHZ" | "late") => parts.extensions("http", phase, trafficClass, options.port);
  const guards = [
    ...(guarded ? parts.custom("http") : []),
    ...extensions("AUTHN"),
    ...(guarded ? parts.jwt() : []),
    ...extensions("AUTHZ"),
    ...(guarded ? parts.authorization("http") : []),
    ...extensions("late"),
  ];
  return [
    ...(istio ? [metadata] : []),
    ...guards,
    ...(options.protocol === "GRPC-Web" ? [GRPC_WEB] : []),
    GRPC_STATS,
    ...(istio && trafficClass !== "inbound" ? [ALPN] : []),
    FAULT,
    CORS,
    ...parts.stats(trafficClass),
    ...(options.lookup ? [forwardProxyFilter(options.lookup, parts.proxy.view)] : []),
    ...(trafficClass === "outbound" && forwardsAny(parts.proxy) ? [anyNameFilter(parts.proxy.view)] : []),
    headers.suppressEnvoyHeaders ? ROUTER_SUPPRESS_HEADERS : ROUTER,
  ];
}

/** How paths are made uniform before policies look at them. */
function pathNormalization({ pathNormalization: { normalization } }: MeshConfig): Manager {
  const keep = HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED;
  switch (normalization) {
    case "NONE":
      return { normalizePath: false, pathWithEscapedSlashesAction: keep };
    case "MERGE_SLASHES":
      return { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: keep };
    case "DECODE_AND_MERGE_SLASHES":
      return { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_FORWARD };
    default:
      return { normalizePath: true, pathWithEscapedSlashesAction: keep };
  }
}

interface ConnectionSettings {
  profile?: string;
  httpIdleTimeout?: string;
  httpMaxConnectionDuration?: string;
  httpMaxStreamDuration?: string;
  httpStreamIdleTimeout?: string;
  httpRequestTimeout?: string;
  httpRequestHeadersTimeout?: string;
  httpDrainTimeout?: string;
  httpMaxConcurrentStreams?: number;
  http2InitialStreamWindowSize?: number;
  http2InitialConnectionWindowSize?: number;
  httpHeadersWithUnderscoresAction?: string;
  httpMergeSlashes?: boolean;
  httpPathWithEscapedSlashesAction?: string;
  listenerPerConnectionBufferLimitBytes?: number;
}

/** Envoy's advice for proxies that face the Internet; ProxyConfig's profile EDGE takes it for gateways. */
const EDGE: ConnectionSettings = {
  listenerPerConnectionBufferLimitBytes: 32_768,
  httpIdleTimeout: "1h",
  httpStreamIdleTimeout: "5m",
  httpRequestTimeout: "5m",
  httpRequestHeadersTimeout: "60s",
  httpMaxConcurrentStreams: 100,
  http2InitialStreamWindowSize: 65_536,
  http2InitialConnectionWindowSize: 1_048_576,
  httpHeadersWithUnderscoresAction: "HEADERS_WITH_UNDERSCORES_REJECT_REQUEST",
  httpMergeSlashes: true,
  httpPathWithEscapedSlashesAction: "UNESCAPE_AND_REDIRECT",
};

/** The limits and timeouts of connections from ProxyConfig. */
export function connectionSettings(parts: ListenerParts): ConnectionSettings {
  const settings = (parts.proxyConfig["connectionSettings"] ?? parts.proxy.mesh.config.defaultConfig["connectionSettings"] ?? {}) as ConnectionSettings;
  return settings.profile === "EDGE" && parts.proxy.view.type === "router" ? { ...EDGE, ...settings } : settings;
}

function applyConnectionSettings(manager: Manager, settings: ConnectionSettings): void {
  const duration = <Field extends string>(field: Field, text: string | undefined) => {
    const value = parseDuration(text);
    return value ? ({ [field]: value } as Record<Field, typeof value>) : {};
  };
  const underscores = settings.httpHeadersWithUnderscoresAction?.replace("HEADERS_WITH_UNDERSCORES_", "") as
    | keyof typeof HttpProtocolOptions_HeadersWithUnderscoresAction
    | undefined;
  const common: Init<typeof HttpProtocolOptionsSchema> = {
    ...(manager.commonHttpProtocolOptions as Init<typeof HttpProtocolOptionsSchema> | undefined),
    ...duration("idleTimeout", settings.httpIdleTimeout),
    ...duration("maxConnectionDuration", settings.httpMaxConnectionDuration),
    ...duration("maxStreamDuration", settings.httpMaxStreamDuration),
    ...(underscores && {
      headersWithUnderscoresAction: HttpProtocolOptions_HeadersWithUnderscoresAction[underscores] ?? HttpProtocolOptions_HeadersWithUnderscoresAction.ALLOW,
    }),
  };
  if (Object.keys(common).length > 0) manager.commonHttpProtocolOptions = common;
  Object.assign(
    manager,
    duration("streamIdleTimeout", settings.httpStreamIdleTimeout),
    duration("requestTimeout", settings.httpRequestTimeout),
    duration("requestHeadersTimeout", settings.httpRequestHeadersTimeout),
    duration("drainTimeout", settings.httpDrainTimeout),
  );
  const size = (value: number | undefined): number | undefined => (value !== undefined && value >= 0 ? value : undefined);
  const [streams, streamWindow, connectionWindow] = [
    size(settings.httpMaxConcurrentStreams),
    size(settings.http2InitialStreamWindowSize),
    size(settings.http2InitialConnectionWindowSize),
  ];
  if (streams !== undefined || streamWindow !== undefined || connectionWindow !== undefined) {
    const http2: Init<typeof Http2ProtocolOptionsSchema> = {
      ...(manager.http2ProtocolOptions as Init<typeof Http2ProtocolOptionsSchema> | undefined),
      ...(streams !== undefined && { maxConcurrentStreams: streams }),
      ...(streamWindow !== undefined && { initialStreamWindowSize: streamWindow }),
      ...(connectionWindow !== undefined && { initialConnectionWindowSize: connectionWindow }),
    };
    manager.http2ProtocolOptions = http2;
  }
  if (settings.httpMergeSlashes !== undefined) manager.mergeSlashes = settings.httpMergeSlashes;
  const slashes = settings.httpPathWithEscapedSlashesAction as keyof typeof HttpConnectionManager_PathWithEscapedSlashesAction | undefined;
  if (slashes && typeof HttpConnectionManager_PathWithEscapedSlashesAction[slashes] === "number")
    manager.pathWithEscapedSlashesAction = HttpConnectionManager_PathWithEscapedSlashesAction[slashes];
}
