import type { Init } from "../../../proto/index.ts";
import {
  RedirectAction_RedirectResponseCode,
  type RouteAction_RequestMirrorPolicySchema,
  type RouteActionSchema,
  type RouteSchema,
  type WeightedCluster_ClusterWeightSchema,
} from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import type { Destination, HttpMatchRequest, HttpRedirect, HttpRetry, HttpRoute, Percent } from "../../../resources/index.ts";
import { parseDuration } from "../../policy/index.ts";
import { selects, type MeshConfig, type MeshService } from "../../registry/index.ts";
import { configPath } from "../metadata.ts";
import { parseClusterName } from "../names.ts";
import type { MatchContext } from "../scope/l4-match.ts";
import type { ResolvedVirtualService } from "../scope/virtual-services.ts";
import type { EffectiveRule } from "../scope/destination-rules.ts";
import { destinationCluster } from "./destination.ts";
import { filterSettings, fraction, wholePercent } from "./features.ts";
import { hashOfDestination, hashPolicy } from "./hash.ts";
import { headerChanges, joinChanges, type HeaderChanges } from "./headers.ts";
import { isCatchAll, pathPattern, routeMatch } from "./match.ts";
import { retryPolicy } from "./retry.ts";

export type Route = Init<typeof RouteSchema>;
type Action = Init<typeof RouteActionSchema>;

export interface RouteContext extends MatchContext {
  readonly mesh: MeshConfig;
  readonly tls: boolean;
  /** Whether the original host goes on in a header when it is rewritten. */
  readonly forwardedHost: boolean;
  /** The service behind a destination's host, as far as this listener has it. */
  service(hostname: string): MeshService | undefined;
  rule(hostname: string): EffectiveRule | undefined;
}

const NO_LIMIT = { seconds: 0n };
const REDIRECT_CODES: Readonly<Record<number, RedirectAction_RedirectResponseCode>> = {
  0: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
};

/** The routes of a VirtualService for a listener, up to the first that takes everything. */
export function virtualServiceRoutes(virtualService: ResolvedVirtualService, context: RouteContext): Route[] {
  const routes: Route[] = [];
  for (const http of virtualService.spec.http ?? []) {
    for (const match of http.match?.length ? http.match : [undefined]) {
      const route = translate(virtualService, http, match, context);
      if (route) routes.push(route);
      if (!match || (route && isCatchAll(route.match as Parameters<typeof isCatchAll>[0]))) return routes;
    }
  }
  return routes;
}

/** Timeouts that a route gives to requests; without one they may take as long as they want. */
export function timeouts(timeout: string | undefined): Pick<Action, "timeout" | "maxGrpcTimeout"> {
  const limit = parseDuration(timeout) ?? NO_LIMIT;
  return { timeout: limit, maxGrpcTimeout: limit };
}

function translate(virtualService: ResolvedVirtualService, http: HttpRoute, match: HttpMatchRequest | undefined, context: RouteContext): Route | undefined {
  if (match?.port && match.port !== context.port) return undefined;
  if (match && !matchesClient(match, context)) return undefined;
  const translated = routeMatch(match, virtualService.prefixBySegment);
  const { changes, authority } = headerChanges(http.headers);
  const { action, headers } = http.redirect
    ? { action: redirect(http.redirect, context), headers: changes }
    : http.directResponse
      ? { action: { case: "directResponse" as const, value: directResponse(http.directResponse) }, headers: changes }
      : forward(http, authority, changes, context);
  return {
    name: match?.name ? `${http.name ?? ""}.${match.name}` : (http.name ?? ""),
    match: translated,
    metadata: { filterMetadata: { istio: { config: configPath("virtual-service", virtualService) } } },
    ...(match?.statPrefix && { statPrefix: match.statPrefix }),
    ...headers,
    ...(action && { action }),
    decorator: { operation: operationName(virtualService.name, action, pathPattern(translated), context.port) },
    typedPerFilterConfig: filterSettings(http.fault, http.corsPolicy),
  };
}

/** Gateways and workloads are alternatives here: where gateways are named, labels and namespace do not count. */
function matchesClient(match: HttpMatchRequest, { gateways, labels, namespace }: RouteContext): boolean {
  if (match.gateways?.length) return match.gateways.some((gateway) => gateways.has(gateway));
  return selects(match.sourceLabels ?? {}, labels) && (!match.sourceNamespace || match.sourceNamespace === namespace);
}

type RouteAction = NonNullable<Route["action"]>;

function forward(
  http: HttpRoute,
  headerAuthority: string,
  routeChanges: HeaderChanges,
  context: RouteContext,
): { action: RouteAction; headers: HeaderChanges } {
  const { rewrite, route: destinations = [] } = http;
  const [only] = destinations;
  let changes = routeChanges;
  let authority = rewrite?.authority || headerAuthority;
  let target: Action["clusterSpecifier"];
  let hashed = false;
  const hashes: Action["hashPolicy"] = [];
  const addHash = (destination: Destination): void => {
    const hash = hashOfDestination(context.rule(destination.host), destination);
    const policy = hashPolicy(hash);
    if (policy) hashes.push(policy);
    hashed = hash !== undefined;
  };
  if (destinations.length === 1 && only) {
    target = { case: "cluster", value: clusterOf(only.destination, context) };
    const own = headerChanges(only.headers);
    changes = joinChanges(changes, own.changes);
    authority ||= own.authority;
    addHash(only.destination);
  } else {
    const weighted = destinations.filter(({ weight }) => weight);
    const clusters = weighted.map(({ destination, weight, headers }): Init<typeof WeightedCluster_ClusterWeightSchema> => {
      const own = headerChanges(headers);
      addHash(destination);
      return {
        name: clusterOf(destination, context),
        weight: weight ?? 0,
        ...own.changes,
        ...(own.authority && { hostRewriteSpecifier: { case: "hostRewriteLiteral" as const, value: own.authority } }),
      };
    });
    hashed = false;
    target = { case: "weightedClusters", value: { clusters } };
  }
  const retry = retryPolicy(http.retries ?? (context.mesh.defaultHttpRetryPolicy as HttpRetry | undefined), hashed);
  const action: Action = {
    clusterSpecifier: target,
    ...timeouts(http.timeout),
    ...(rewrite && { appendXForwardedHost: context.forwardedHost }),
    ...(rewrite?.uriRegexRewrite
      ? { regexRewrite: { pattern: { regex: rewrite.uriRegexRewrite.match ?? "" }, substitution: rewrite.uriRegexRewrite.rewrite ?? "" } }
      : rewrite?.uri && { prefixRewrite: rewrite.uri }),
    ...(authority && { hostRewriteSpecifier: { case: "hostRewriteLiteral" as const, value: authority } }),
    requestMirrorPolicies: mirrors(http, context),
    hashPolicy: hashes,
    ...(retry && { retryPolicy: retry }),
  };
  return { action: { case: "route", value: action }, headers: changes };
}

function clusterOf(destination: Destination, context: RouteContext): string {
  return destinationCluster(destination, context.service(destination.host), context.port);
}

/** Copies of requests whose answers nobody waits for. */
function mirrors(http: HttpRoute, context: RouteContext): Init<typeof RouteAction_RequestMirrorPolicySchema>[] {
  const old = http.mirrorPercent ?? http.mirror_percent ?? undefined;
  const list: { destination: Destination; percentage: Percent | undefined; whole: number }[] = [];
  if (http.mirror) list.push({ destination: http.mirror, percentage: http.mirrorPercentage, whole: old ?? 100 });
  for (const { destination, percentage } of http.mirrors ?? []) if (destination) list.push({ destination, percentage, whole: 100 });
  return list
    .filter(({ percentage, whole }) => (percentage ? (percentage.value ?? 0) > 0 : whole > 0))
    .map(({ destination, percentage, whole }) => ({
      cluster: clusterOf(destination, context),
      runtimeFraction: { defaultValue: percentage ? fraction(percentage) : wholePercent(whole) },
      traceSampled: false,
      // The mirror sees the host that the client asked for.
      disableShadowHostSuffixAppend: true,
    }));
}

function redirect(to: HttpRedirect, { port, tls }: RouteContext): RouteAction | undefined {
  const responseCode = REDIRECT_CODES[to.redirectCode ?? 0];
  if (responseCode === undefined) return undefined;
  const wanted = to.derivePort === "FROM_REQUEST_PORT" ? port : (to.port ?? 0);
  const scheme = to.scheme || (tls ? "https" : "http");
  // The port that a scheme means anyway is left out.
  const portRedirect = (wanted === 80 && scheme === "http") || (wanted === 443 && scheme === "https") ? 0 : wanted;
  return {
    case: "redirect",
    value: {
      hostRedirect: to.authority ?? "",
      pathRewriteSpecifier: to.prefixRewrite ? { case: "prefixRewrite", value: to.prefixRewrite } : { case: "pathRedirect", value: to.uri ?? "" },
      ...(to.scheme && { schemeRewriteSpecifier: { case: "schemeRedirect" as const, value: to.scheme } }),
      portRedirect,
      responseCode,
    },
  };
}

function directResponse({ status, body }: NonNullable<HttpRoute["directResponse"]>) {
  if (body?.string !== undefined) return { status, body: { specifier: { case: "inlineString" as const, value: body.string } } };
  if (body?.bytes !== undefined)
    return { status, body: { specifier: { case: "inlineBytes" as const, value: Uint8Array.from(Buffer.from(body.bytes, "base64")) } } };
  return { status };
}

/** What requests of the route are called in traces: by their destination, or by the rule when there are several. */
function operationName(virtualService: string, action: RouteAction | undefined, path: string, port: number): string {
  const target = action?.case === "route" ? (action.value as Action).clusterSpecifier : undefined;
  const cluster = target?.case === "cluster" ? parseClusterName(target.value) : undefined;
  return cluster ? `${cluster.hostname}:${cluster.port}${path}` : `${virtualService}:${port}${path}`;
}
