import type { Any } from "@bufbuild/protobuf/wkt";
import { RoutingPriority } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { RouteConfiguration } from "../../proto/gen/envoy/config/route/v3/route_pb.ts";
import type {
  RateLimit,
  Route as RouteProto,
  RouteAction,
  RouteAction_RequestMirrorPolicy,
  VirtualHost as VirtualHostProto,
} from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import {
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  VirtualHost_TlsRequirementType as RequireTls,
} from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { durationMs, timeoutMs } from "../durations.ts";
import type { RequestHead } from "../http/header-map.ts";
import { headerReader } from "../match/headers.ts";
import { compileSubstitute, type TextRewrite } from "../match/regex.ts";
import type { FilterMetadata, StreamInfo } from "../telemetry/stream-info.ts";
import { readText } from "../tls/data-source.ts";
import { InvalidResource } from "../types.ts";
import { LB_METADATA, MetadataCriteria } from "../upstream/metadata-criteria.ts";
import { compileHashPolicies, type HashPolicy } from "./hash-policy.ts";
import { compileHeaderOps, joinHeaderOps, type HeaderOps } from "./header-ops.ts";
import { compilePath, compileRouteMatch, fraction, pathWithoutQuery, type PathMatcher, type RouteMatch } from "./route-match.ts";
import { compileRetryPolicy, type RetryPolicy } from "./retry-policy.ts";
import { compilePathRewrite, compileRedirect, type Redirect } from "./rewrite.ts";

export interface ForwardAction {
  readonly kind: "forward";
  /** Fixed, or read from a request header; undefined when that is missing. */
  readonly cluster: string | ((request: RequestHead) => string | undefined);
  readonly clusterNotFoundStatus: number;
  /** Zero and unset are gone: undefined waits for ever. */
  readonly timeoutMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly maxGrpcTimeoutMs: number | undefined;
  /** The caller's `grpc-timeout` limits the whole exchange: up to a most (0: any), less an offset. */
  readonly grpcLimit: { readonly maxMs: number; readonly offsetMs: number } | undefined;
  readonly maxStreamMs: number | undefined;
  readonly retry: RetryPolicy | undefined;
  readonly pathRewrite: TextRewrite | undefined;
  readonly hostRewrite: ((request: RequestHead) => string | undefined) | undefined;
  /** Of a weighted cluster: before all else, and the old one is not told, as in Envoy. */
  readonly presetHost: string | undefined;
  /** The host's own name is put in after one is chosen. */
  readonly autoHostRewrite: boolean;
  readonly appendXForwardedHost: boolean;
  readonly hash: HashPolicy | undefined;
  /** The subset of the cluster's endpoints that is meant. */
  readonly criteria: MetadataCriteria | undefined;
  readonly mirrors: readonly { readonly cluster: string; readonly share: number; readonly suffix: boolean }[];
  readonly priority: "default" | "high";
  /** A CONNECT ends here: its bytes go to the cluster without it. */
  readonly endsConnect: boolean;
  /** By upgrade type, lower-case. */
  readonly upgrades: ReadonlyMap<string, boolean>;
}

export interface DirectAction {
  readonly kind: "direct";
  readonly status: number;
  readonly body: string;
}

export interface RedirectRouteAction {
  readonly kind: "redirect";
  readonly redirect: Redirect;
}

export interface Route {
  readonly name: string;
  readonly virtualHost: VirtualHost;
  readonly match: RouteMatch;
  readonly action: ForwardAction | DirectAction | RedirectRouteAction | { readonly kind: "none" };
  readonly decorator: { readonly operation: string; readonly propagate: boolean } | undefined;
  readonly requestOps: HeaderOps | undefined;
  readonly responseOps: HeaderOps | undefined;
  readonly metadata: FilterMetadata;
  /** Filter configurations, the most specific first. */
  readonly filterConfigs: readonly { readonly [filter: string]: Any }[];
  /** What requests count as, of the route itself and of its virtual host. */
  readonly rateLimits: { readonly own: readonly RateLimit[]; readonly host: readonly RateLimit[]; readonly includeHost: boolean };
  /** One route a weighted cluster, with its share of the sum of weights, cumulated. */
  readonly variants: readonly { readonly upTo: number; readonly route: Route }[];
}

export interface VirtualHost {
  readonly name: string;
  routes: readonly Route[];
  readonly requireTls: "none" | "external" | "all";
  readonly includeAttemptCount: boolean;
  readonly attemptCountInResponse: boolean;
  readonly filterConfigs: { readonly [filter: string]: Any };
}

/** What a route's cluster name and header operations may refer to. */
export interface RouteTableOptions {
  readonly hostname: string;
  /** Throws InvalidResource for a per-route filter configuration that no filter here takes. */
  readonly checkFilterConfig: (name: string, config: Any) => void;
}

/** A RouteConfiguration compiled: hosts to virtual hosts to routes, no protobuf left in the way. */
export class RouteTable {
  readonly name: string;
  readonly #exact = new Map<string, VirtualHost>();
  readonly #suffixes: { readonly suffix: string; readonly host: VirtualHost }[] = [];
  readonly #prefixes: { readonly prefix: string; readonly host: VirtualHost }[] = [];
  readonly #any: VirtualHost | undefined;
  readonly #ignorePort: boolean;

  /** Throws InvalidResource. */
  constructor(
    readonly proto: RouteConfiguration,
    private readonly options: RouteTableOptions,
  ) {
    this.name = proto.name;
    this.#ignorePort = proto.ignorePortInHostMatching;
    if (proto.vhds) throw new InvalidResource("UNSUPPORTED_VHDS", `route configuration ${proto.name}: vhds is not supported`);
    this.#check(proto.typedPerFilterConfig);
    let any: VirtualHost | undefined;
    const wildcards = new Set<string>();
    for (const virtualHost of proto.virtualHosts) {
      const compiled = this.#compileVirtualHost(virtualHost);
      for (const each of virtualHost.domains) {
        const domain = each.toLowerCase();
        if (domain === "*") {
          if (any) throw new InvalidResource("DUPLICATE_DOMAIN", `Only a single wildcard domain is permitted in route ${proto.name}`);
          any = compiled;
          continue;
        }
        if (this.#exact.has(domain) || wildcards.has(domain)) {
          throw new InvalidResource(
            "DUPLICATE_DOMAIN",
            `Only unique values for domains are permitted. Duplicate entry of domain ${domain} in route ${proto.name}`,
          );
        }
        if (domain.startsWith("*") || domain.endsWith("*")) wildcards.add(domain);
        if (domain.startsWith("*")) this.#suffixes.push({ suffix: domain.slice(1), host: compiled });
        else if (domain.endsWith("*")) this.#prefixes.push({ prefix: domain.slice(0, -1), host: compiled });
        else this.#exact.set(domain, compiled);
      }
    }
    this.#any = any;
    this.#suffixes.sort((a, b) => b.suffix.length - a.suffix.length);
    this.#prefixes.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  virtualHost(authority: string): VirtualHost | undefined {
    if (this.#exact.size === 0 && this.#suffixes.length === 0 && this.#prefixes.length === 0) return this.#any;
    let host = authority.toLowerCase();
    if (this.#ignorePort) host = withoutPort(host);
    const exact = this.#exact.get(host);
    if (exact) return exact;
    for (const { suffix, host: found } of this.#suffixes) if (host.length > suffix.length && host.endsWith(suffix)) return found;
    for (const { prefix, host: found } of this.#prefixes) if (host.length > prefix.length && host.startsWith(prefix)) return found;
    return this.#any;
  }

  /** The route for a request; `draw` in [0, 1) decides weights and fractions. `https`: the client came by TLS. */
  route(request: RequestHead, info: StreamInfo, draw: number): Route | undefined {
    const virtualHost = this.virtualHost(request.authority);
    if (!virtualHost) return undefined;
    if (virtualHost.requireTls !== "none" && lacksTls(request, virtualHost)) return toHttps(virtualHost);
    const path = pathWithoutQuery(request.path);
    for (const route of virtualHost.routes) {
      if (!route.match(request, path, info, draw)) continue;
      const { variants } = route;
      if (variants.length === 0) return route;
      return (variants.find((variant) => draw < variant.upTo) ?? variants[variants.length - 1])?.route;
    }
    return undefined;
  }

  #compileVirtualHost(proto: VirtualHostProto): VirtualHost {
    if (proto.domains.length === 0)
      throw new InvalidResource("INVALID_VIRTUAL_HOST", `VirtualHostValidationError.Domains: value must contain at least 1 item(s)`);
    if (proto.matcher) throw new InvalidResource("UNSUPPORTED_MATCHER", `virtual host ${proto.name}: matcher is not supported`);
    this.#check(proto.typedPerFilterConfig);
    const virtualHost: VirtualHost = {
      name: proto.name,
      routes: [],
      requireTls: proto.requireTls === RequireTls.ALL ? "all" : proto.requireTls === RequireTls.EXTERNAL_ONLY ? "external" : "none",
      includeAttemptCount: proto.includeRequestAttemptCount,
      attemptCountInResponse: proto.includeAttemptCountInResponse,
      filterConfigs: proto.typedPerFilterConfig,
    };
    virtualHost.routes = proto.routes.map((route) => this.#compileRoute(route, virtualHost, proto));
    return virtualHost;
  }

  #compileRoute(proto: RouteProto, virtualHost: VirtualHost, vhProto: VirtualHostProto): Route {
    if (!proto.match) throw new InvalidResource("INVALID_ROUTE", "RouteValidationError.Match: value is required");
    this.#check(proto.typedPerFilterConfig);
    const path = compilePath(proto.match);
    const { hostname } = this.options;
    const own = { add: proto.requestHeadersToAdd, remove: proto.requestHeadersToRemove };
    const ownResponse = { add: proto.responseHeadersToAdd, remove: proto.responseHeadersToRemove };
    const levels = this.#levels(vhProto);
    const order = this.proto.mostSpecificHeaderMutationsWins ? (ops: (HeaderOps | undefined)[]) => ops.reverse() : (ops: (HeaderOps | undefined)[]) => ops;
    const base: Route = {
      name: proto.name,
      virtualHost,
      match: compileRouteMatch(proto.match, path),
      action: { kind: "none" },
      decorator: proto.decorator && { operation: proto.decorator.operation, propagate: proto.decorator.propagate ?? true },
      requestOps: joinHeaderOps(order([compileHeaderOps(own, hostname), ...levels.request])),
      responseOps: joinHeaderOps(order([compileHeaderOps(ownResponse, hostname), ...levels.response])),
      metadata: proto.metadata?.filterMetadata ?? {},
      filterConfigs: [proto.typedPerFilterConfig, vhProto.typedPerFilterConfig, this.proto.typedPerFilterConfig],
      rateLimits: {
        own: proto.action.case === "route" ? proto.action.value.rateLimits : [],
        host: vhProto.rateLimits,
        includeHost: proto.action.case === "route" && (proto.action.value.includeVhRateLimits ?? false),
      },
      variants: [],
    };
    const { action } = proto;
    switch (action.case) {
      case "redirect":
        return { ...base, action: { kind: "redirect", redirect: compileRedirect(action.value, path) } };
      case "directResponse":
        return { ...base, action: { kind: "direct", status: action.value.status, body: toBytes(readText(action.value.body) ?? "") } };
      case "nonForwardingAction":
        return base;
      case "route": {
        const forward = compileForward(action.value, path, vhProto, this.proto.requestMirrorPolicies);
        const specifier = action.value.clusterSpecifier;
        if (specifier.case === "cluster") return { ...base, action: { ...forward, cluster: specifier.value } };
        if (specifier.case === "clusterHeader") return { ...base, action: { ...forward, cluster: headerReader(specifier.value.toLowerCase()) } };
        if (specifier.case === "weightedClusters") {
          const { clusters } = specifier.value;
          const total = clusters.reduce((sum, each) => sum + (each.weight ?? 0), 0);
          if (total === 0) throw new InvalidResource("INVALID_ROUTE", "Sum of weights in the weighted_cluster must be greater than 0.");
          let sum = 0;
          const variants = clusters.map((each) => {
            sum += each.weight ?? 0;
            this.#check(each.typedPerFilterConfig);
            const literal = each.hostRewriteSpecifier.case === "hostRewriteLiteral" ? each.hostRewriteSpecifier.value : undefined;
            const route: Route = {
              ...base,
              action: {
                ...forward,
                cluster: each.clusterHeader === "" ? each.name : headerReader(each.clusterHeader.toLowerCase()),
                criteria: MetadataCriteria.merged(forward.criteria, each.metadataMatch?.filterMetadata[LB_METADATA]),
                presetHost: literal || undefined,
              },
              requestOps: joinHeaderOps([compileHeaderOps({ add: each.requestHeadersToAdd, remove: each.requestHeadersToRemove }, hostname), base.requestOps]),
              responseOps: joinHeaderOps([
                compileHeaderOps({ add: each.responseHeadersToAdd, remove: each.responseHeadersToRemove }, hostname),
                base.responseOps,
              ]),
              filterConfigs: [each.typedPerFilterConfig, ...base.filterConfigs],
            };
            return { upTo: sum / total, route };
          });
          return { ...base, variants };
        }
        throw new InvalidResource("UNSUPPORTED_ROUTE", `cluster specifier ${specifier.case ?? "(none)"} is not supported`);
      }
    }
    throw new InvalidResource("INVALID_ROUTE", `RouteValidationError.Action: ${action.case ?? "value is required"}`);
  }

  #levels(vhProto: VirtualHostProto): { request: (HeaderOps | undefined)[]; response: (HeaderOps | undefined)[] } {
    const { hostname } = this.options;
    return {
      request: [vhProto, this.proto].map((level) => compileHeaderOps({ add: level.requestHeadersToAdd, remove: level.requestHeadersToRemove }, hostname)),
      response: [vhProto, this.proto].map((level) => compileHeaderOps({ add: level.responseHeadersToAdd, remove: level.responseHeadersToRemove }, hostname)),
    };
  }

  #check(configs: { readonly [filter: string]: Any }): void {
    for (const name in configs) this.options.checkFilterConfig(name, configs[name] as Any);
  }
}

function compileForward(
  action: RouteAction,
  path: PathMatcher,
  vhProto: VirtualHostProto,
  tableMirrors: readonly RouteAction_RequestMirrorPolicy[],
): Omit<ForwardAction, "cluster"> {
  const retry = action.retryPolicy ?? vhProto.retryPolicy;
  const host = action.hostRewriteSpecifier;
  let hostRewrite: ForwardAction["hostRewrite"];
  if (host.case === "hostRewriteLiteral") hostRewrite = () => host.value;
  else if (host.case === "hostRewriteHeader") hostRewrite = firstValue(host.value.toLowerCase());
  else if (host.case === "hostRewritePathRegex") {
    const substitute = compileSubstitute(host.value);
    hostRewrite = (request) => substitute(pathWithoutQuery(request.path));
  }
  const ended = action.upgradeConfigs.find(({ connectConfig }) => connectConfig)?.connectConfig;
  if (ended?.proxyProtocolConfig || ended?.allowPost)
    throw new InvalidResource("UNSUPPORTED_CONNECT", "connect_config with proxy_protocol_config or allow_post is not supported");
  const mirrors =
    action.requestMirrorPolicies.length > 0
      ? action.requestMirrorPolicies
      : vhProto.requestMirrorPolicies.length > 0
        ? vhProto.requestMirrorPolicies
        : tableMirrors;
  const streamLimit = action.maxStreamDuration;
  return {
    kind: "forward",
    clusterNotFoundStatus: NOT_FOUND[action.clusterNotFoundResponseCode],
    // Envoy's default route timeout.
    timeoutMs: timeoutMs(action.timeout, 15_000),
    idleTimeoutMs: timeoutMs(action.idleTimeout),
    maxGrpcTimeoutMs: streamLimit ? undefined : durationMs(action.maxGrpcTimeout),
    grpcLimit: streamLimit?.grpcTimeoutHeaderMax && {
      maxMs: durationMs(streamLimit.grpcTimeoutHeaderMax) ?? 0,
      offsetMs: durationMs(streamLimit.grpcTimeoutHeaderOffset) ?? 0,
    },
    maxStreamMs: timeoutMs(streamLimit?.maxStreamDuration),
    retry: retry && compileRetryPolicy(retry),
    pathRewrite: compilePathRewrite(action, path),
    hostRewrite,
    presetHost: undefined,
    autoHostRewrite: host.case === "autoHostRewrite" && Boolean(host.value.value),
    appendXForwardedHost: action.appendXForwardedHost,
    hash: compileHashPolicies(action.hashPolicy),
    criteria: MetadataCriteria.of(action.metadataMatch?.filterMetadata),
    mirrors: mirrors.map((mirror) => ({
      cluster: mirror.cluster,
      share: mirror.runtimeFraction?.defaultValue ? fraction(mirror.runtimeFraction.defaultValue) : 1,
      suffix: !mirror.disableShadowHostSuffixAppend,
    })),
    priority: action.priority === RoutingPriority.HIGH ? "high" : "default",
    endsConnect: ended !== undefined,
    upgrades: new Map(action.upgradeConfigs.map((upgrade) => [upgrade.upgradeType.toLowerCase(), upgrade.enabled ?? true])),
  };
}

/** A header's first line counts. */
function firstValue(name: string): (request: RequestHead) => string | undefined {
  return name.startsWith(":") || name === "host" ? headerReader(name) : (request) => request.headers.get(name);
}

const NOT_FOUND: Record<NotFoundCode, number> = {
  [NotFoundCode.SERVICE_UNAVAILABLE]: 503,
  [NotFoundCode.NOT_FOUND]: 404,
  [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
};

/** What Envoy answers on a virtual host that takes TLS only. */
/** The cluster that an action sends a request to; undefined for one that sends it nowhere. */
export function clusterName(action: Route["action"], request: RequestHead): string | undefined {
  if (action.kind !== "forward") return undefined;
  return typeof action.cluster === "string" ? action.cluster : action.cluster(request);
}

function toHttps(virtualHost: VirtualHost): Route {
  return {
    name: "",
    virtualHost,
    match: () => true,
    action: { kind: "redirect", redirect: { status: 301, rewrite: undefined, location: (request) => `https://${request.authority}${request.path}` } },
    decorator: undefined,
    requestOps: undefined,
    responseOps: undefined,
    metadata: {},
    filterConfigs: [],
    rateLimits: { own: [], host: [], includeHost: false },
    variants: [],
  };
}

/** Envoy believes x-forwarded-proto, and its own word for who is internal. */
function lacksTls(request: RequestHead, { requireTls }: VirtualHost): boolean {
  if (requireTls === "external" && request.headers.get("x-envoy-internal") === "true") return false;
  return (request.headers.get("x-forwarded-proto") ?? request.scheme) !== "https";
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(":");
  if (colon < 0 || host.endsWith("]")) return host;
  return /^\d+$/.test(host.slice(colon + 1)) ? host.slice(0, colon) : host;
}

function toBytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
