import type { HttpConnectionManager } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import {
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type * as UuidTypes from "../../proto/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from "../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import { timeoutMs } from "../durations.ts";
import type * as LocalReplies from "./local-reply-config.ts";
import type * as Extras from "./request-extras.ts";
import type { RequestExtras } from "./request-extras.ts";
import type { RewriteReply } from "./local-reply-config.ts";
import { sessionOptions, type SessionOptions } from "../http2/options.ts";
import type { HttpFilter, HttpFilterConfig } from "../filters/http-filter.ts";
import { createHttpFilter, discoveredName, isRouterFilter, readRouterOptions, type RouterOptions } from "../filters/registry.ts";
import { routeConfigOf, routeEnables } from "../filters/typed-config.ts";
import { compileCidrs } from "../match/cidr.ts";
import type { Route, RouteTable } from "../router/route-table.ts";
import type { Services } from "../services.ts";
import { compileAccessLogs, type AccessLogger } from "../telemetry/access-log.ts";
import { compileXfcc, type XfccMutation } from "../tls/xfcc.ts";
import { HttpTracing } from "../tracing/index.ts";
import type { HttpStats } from "../telemetry/stat-scope.ts";
import { InvalidResource } from "../types.ts";
import { compileHeaderCase, type HeaderCase } from "./header-case.ts";
import type { HeadLimits } from "./head-parser.ts";

/** Where a connection manager finds its routes: inline, or by RDS name, changing under it. */
export interface RouteSource {
  current(): RouteTable | undefined;
}

/** The filters that act on a route's requests. */
export interface FilterPlan {
  readonly request: readonly HttpFilter[];
  /** In the order in which they run: the last filter first. */
  readonly response: readonly HttpFilter[];
  readonly complete: readonly HttpFilter[];
}

/** An HttpConnectionManager read once into plain values and functions. */
export class HcmConfig {
  readonly stats: HttpStats;
  readonly serverName: string;
  readonly serverHeader: "overwrite" | "append_if_absent" | "pass_through";
  readonly useRemoteAddress: boolean;
  readonly xffTrustedHops: number;
  readonly skipXffAppend: boolean;
  readonly via: string;
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly requestIdInResponse: boolean;
  readonly xfcc: XfccMutation;
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: "keep" | "reject" | "redirect" | "forward";
  readonly stripPort: "none" | "matching" | "any";
  readonly stripTrailingDot: boolean;
  readonly proxy100Continue: boolean;
  readonly acceptHttp10: boolean;
  readonly allowAbsoluteUrl: boolean;
  readonly enableTrailers: boolean;
  readonly defaultHostForHttp10: string;
  readonly limits: HeadLimits;
  readonly maxRequestsPerConnection: number;
  readonly idleTimeoutMs: number | undefined;
  readonly streamIdleTimeoutMs: number | undefined;
  readonly requestTimeoutMs: number | undefined;
  readonly requestHeadersTimeoutMs: number | undefined;
  readonly maxStreamMs: number | undefined;
  readonly tracing: "ingress" | "egress" | undefined;
  readonly tracer: HttpTracing | undefined;
  readonly localReplies: RewriteReply | undefined;
  readonly extras: RequestExtras | undefined;
  /** The scheme that is told upstream is that of the connection there. */
  readonly schemeOfUpstream: boolean;
  readonly codec: "auto" | "http1" | "http2";
  readonly http2: SessionOptions;
  readonly headerCase: HeaderCase | undefined;
  readonly isInternal: (address: string) => boolean;
  readonly accessLog: AccessLogger | undefined;
  readonly router: RouterOptions;
  readonly #upgrades: ReadonlyMap<string, boolean>;
  readonly #filters: readonly HttpFilterConfig[];
  /** Filters whose configuration must be discovered first. */
  readonly extensions: readonly string[];
  #plans = new WeakMap<Route, FilterPlan>();
  #planWithoutRoute: FilterPlan | undefined;

  /** Throws InvalidResource. */
  constructor(
    proto: HttpConnectionManager,
    readonly routes: RouteSource,
    readonly services: Services,
    readonly direction: "inbound" | "outbound" | "unspecified",
  ) {
    if (proto.codecType === CodecType.HTTP3) throw new InvalidResource("UNSUPPORTED_PROTOCOL", "HTTP/3 is not supported");
    const http1 = proto.httpProtocolOptions;
    const common = proto.commonHttpProtocolOptions;
    this.stats = services.core.http(proto.statPrefix);
    this.serverName = proto.serverName === "" ? "envoy" : proto.serverName;
    this.serverHeader = SERVER_HEADER[proto.serverHeaderTransformation];
    this.useRemoteAddress = proto.useRemoteAddress ?? false;
    this.xffTrustedHops = proto.xffNumTrustedHops;
    this.skipXffAppend = proto.skipXffAppend;
    this.via = proto.via;
    this.generateRequestId = proto.generateRequestId ?? true;
    this.preserveExternalRequestId = proto.preserveExternalRequestId;
    this.requestIdInResponse = proto.alwaysSetRequestIdInResponse;
    this.xfcc = compileXfcc(proto.forwardClientCertDetails, proto.setCurrentClientCertDetails);
    this.normalizePath = proto.normalizePath ?? false;
    this.mergeSlashes = proto.mergeSlashes;
    this.escapedSlashes = ESCAPED[proto.pathWithEscapedSlashesAction];
    this.stripPort = proto.stripPortMode.case === "stripAnyHostPort" && proto.stripPortMode.value ? "any" : proto.stripMatchingHostPort ? "matching" : "none";
    this.stripTrailingDot = proto.stripTrailingHostDot;
    this.proxy100Continue = proto.proxy100Continue;
    this.allowAbsoluteUrl = http1?.allowAbsoluteUrl ?? true;
    this.acceptHttp10 = http1?.acceptHttp10 ?? false;
    this.enableTrailers = http1?.enableTrailers ?? false;
    this.defaultHostForHttp10 = http1?.defaultHostForHttp10 ?? "";
    this.headerCase = compileHeaderCase(http1);
    this.limits = {
      maxBytes: (proto.maxRequestHeadersKb ?? 60) * 1024,
      maxHeaders: common?.maxHeadersCount ?? 100,
      keepCase: this.headerCase?.keep ?? false,
      underscores: UNDERSCORES[common?.headersWithUnderscoresAction ?? Underscores.ALLOW],
    };
    this.maxRequestsPerConnection = common?.maxRequestsPerConnection || Infinity;
    this.idleTimeoutMs = timeoutMs(common?.idleTimeout, 3_600_000);
    this.streamIdleTimeoutMs = timeoutMs(proto.streamIdleTimeout, 300_000);
    this.requestTimeoutMs = timeoutMs(proto.requestTimeout);
    this.requestHeadersTimeoutMs = timeoutMs(proto.requestHeadersTimeout);
    this.maxStreamMs = timeoutMs(common?.maxStreamDuration);
    this.tracing = proto.tracing && (direction === "outbound" ? "egress" : "ingress");
    this.tracer =
      proto.tracing &&
      new HttpTracing(proto.tracing, { services, stats: this.stats, direction: this.tracing ?? "egress", byRequestId: tracesByRequestId(proto) });
    // Few have one: what it needs is loaded with the first.
    this.localReplies =
      proto.localReplyConfig && (require("./local-reply-config.ts") as typeof LocalReplies).compileLocalReplies(proto.localReplyConfig, services);
    this.schemeOfUpstream = (proto.schemeHeaderTransformation?.matchUpstream ?? false) && proto.schemeHeaderTransformation?.transformation.case === undefined;
    this.extras = asksForExtras(proto) ? (require("./request-extras.ts") as typeof Extras).compileExtras(proto, services) : undefined;
    this.codec = proto.codecType === CodecType.HTTP1 ? "http1" : proto.codecType === CodecType.HTTP2 ? "http2" : "auto";
    this.http2 = { ...sessionOptions(proto.http2ProtocolOptions, this.limits.maxBytes, this.limits.maxHeaders), stats: services.core.http2() };
    const ranges = proto.internalAddressConfig?.cidrRanges ?? [];
    this.isInternal = ranges.length > 0 ? compileCidrs(ranges) : () => false;
    this.accessLog = compileAccessLogs(proto.accessLog, services);
    this.#upgrades = new Map(proto.upgradeConfigs.map((upgrade) => [upgrade.upgradeType.toLowerCase(), upgrade.enabled ?? true]));
    const filters: HttpFilterConfig[] = [];
    let router: RouterOptions | undefined;
    for (const [index, filter] of proto.httpFilters.entries()) {
      const last = index === proto.httpFilters.length - 1;
      if (isRouterFilter(filter)) {
        if (!last)
          throw new InvalidResource(
            "INVALID_FILTER_CHAIN",
            `Error: terminal filter named ${filter.name} of type ${filter.name} must be the last filter in a http filter chain.`,
          );
        router = readRouterOptions(filter);
        continue;
      }
      if (last)
        throw new InvalidResource(
          "INVALID_FILTER_CHAIN",
          `Error: non-terminal filter named ${filter.name} of type ${filter.name} is the last filter in a http filter chain.`,
        );
      const created = createHttpFilter(filter, { services, stats: this.stats, direction, gateway: direction !== "inbound" && isGateway(services) }, () =>
        this.#replan(),
      );
      if (created) filters.push(filter.disabled ? offByDefault(created, filter.name) : onByDefault(created, filter.name));
    }
    if (!router) throw new InvalidResource("INVALID_FILTER_CHAIN", "a http filter chain needs a router as its last filter");
    this.router = router;
    this.extensions = proto.httpFilters.flatMap((filter) => discoveredName(filter) ?? []);
    this.#filters = filters;
  }

  /** Whether an upgrade is on for the route: its own word counts before the connection manager's. */
  allowsUpgrade(upgrade: string, route: Route | undefined): boolean {
    const own = route?.action.kind === "forward" ? route.action.upgrades.get(upgrade) : undefined;
    return own ?? this.#upgrades.get(upgrade) ?? false;
  }

  plan(route: Route | undefined): FilterPlan {
    if (!route) return (this.#planWithoutRoute ??= this.#makePlan(undefined));
    let plan = this.#plans.get(route);
    if (!plan) {
      plan = this.#makePlan(route);
      this.#plans.set(route, plan);
    }
    return plan;
  }

  dispose(): void {
    for (const filter of this.#filters) filter.dispose?.();
  }

  #replan(): void {
    this.#plans = new WeakMap();
    this.#planWithoutRoute = undefined;
  }

  #makePlan(route: Route | undefined): FilterPlan {
    const filters = this.#filters.map((config) => config.forRoute(route)).filter((filter) => filter !== undefined);
    return {
      request: filters.filter((filter) => filter.onRequest),
      response: filters.filter((filter) => filter.onResponse).reverse(),
      complete: filters.filter((filter) => filter.onComplete),
    };
  }
}

/** A filter that a route can switch off, whatever else it may say of it. */
function onByDefault(filter: HttpFilterConfig, name: string): HttpFilterConfig {
  return { forRoute: (route) => (routeConfigOf(route, name).disabled ? undefined : filter.forRoute(route)), dispose: () => filter.dispose?.() };
}

/** A filter that only routes which configure it switch on. */
function offByDefault(filter: HttpFilterConfig, name: string): HttpFilterConfig {
  return { forRoute: (route) => (routeEnables(route, name) ? filter.forRoute(route) : undefined), dispose: () => filter.dispose?.() };
}

function asksForExtras(proto: HttpConnectionManager): boolean {
  return (
    proto.appendXForwardedPort ||
    (proto.addUserAgent ?? false) ||
    proto.schemeHeaderTransformation !== undefined ||
    proto.earlyHeaderMutationExtensions.length > 0 ||
    proto.originalIpDetectionExtensions.length > 0
  );
}

/** Whether request ids carry the decision to trace: they do unless their extension says otherwise. */
function tracesByRequestId({ requestIdExtension }: HttpConnectionManager): boolean {
  if (!requestIdExtension) return true;
  const { UuidRequestIdConfigSchema } = require("../../proto/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.ts") as typeof UuidTypes;
  const config = unpackAny(UuidRequestIdConfigSchema, requestIdExtension.typedConfig);
  return config?.useRequestIdForTraceSampling ?? true;
}

/** Istio marks routers in the node id; a plain Envoy node is no gateway. */
function isGateway(services: Services): boolean {
  return services.node.id.startsWith("router~");
}

const SERVER_HEADER: Record<ServerHeader, HcmConfig["serverHeader"]> = {
  [ServerHeader.OVERWRITE]: "overwrite",
  [ServerHeader.APPEND_IF_ABSENT]: "append_if_absent",
  [ServerHeader.PASS_THROUGH]: "pass_through",
};

const UNDERSCORES: Record<Underscores, NonNullable<HeadLimits["underscores"]>> = {
  [Underscores.ALLOW]: "allow",
  [Underscores.REJECT_REQUEST]: "refuse",
  [Underscores.DROP_HEADER]: "drop",
};

const ESCAPED: Record<EscapedSlashes, HcmConfig["escapedSlashes"]> = {
  [EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT]: "keep",
  [EscapedSlashes.KEEP_UNCHANGED]: "keep",
  [EscapedSlashes.REJECT_REQUEST]: "reject",
  [EscapedSlashes.UNESCAPE_AND_REDIRECT]: "redirect",
  [EscapedSlashes.UNESCAPE_AND_FORWARD]: "forward",
};
