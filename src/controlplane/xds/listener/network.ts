import { packAny, type Init } from "../../../proto/index.ts";
import { MongoProxySchema } from "../../../proto/gen/envoy/extensions/filters/network/mongo_proxy/v3/mongo_proxy_pb.ts";
import { TcpProxySchema } from "../../../proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import type { L4RouteDestination, TrafficPolicy } from "../../../resources/index.ts";
import { parseDuration, type FilterConfig } from "../../policy/index.ts";
import type { MeshService, Protocol } from "../../registry/index.ts";
import { TCP_METADATA_EXCHANGE } from "../filters.ts";
import { sniForwardProxyFilter } from "../forward-proxy.ts";
import { destinationCluster } from "../route/destination.ts";
import type { EffectiveRule } from "../scope/destination-rules.ts";
import { ruleOf } from "../scope/sidecar-scope.ts";
import { patternedStatName, statService, type StatSubject } from "../stat-name.ts";
import type { TrafficClass } from "../telemetry/index.ts";
import type { ListenerParts } from "./parts.ts";

type TcpProxy = Init<typeof TcpProxySchema>;

/** Istio's reporting interval for connections that last; that one has begun is told at once. */
const WHILE_OPEN = { accessLogFlushInterval: { seconds: 15n }, flushAccessLogOnConnected: true };

const TCP_PROXY = "envoy.filters.network.tcp_proxy";
const MONGO_PROXY = "envoy.filters.network.mongo_proxy";

/** The filter that passes bytes to a cluster, without the rest of its chain. */
export function tcpProxy(init: TcpProxy): FilterConfig {
  return { name: TCP_PROXY, typedConfig: packAny(TcpProxySchema, init) };
}

/** What understands a protocol before its bytes are passed on: MongoDB's operations are counted. */
function sniffers(protocol: Protocol, statPrefix: string): FilterConfig[] {
  return protocol === "Mongo" ? [{ name: MONGO_PROXY, typedConfig: packAny(MongoProxySchema, { statPrefix }) }] : [];
}

/** Where one cluster takes all; counted and logged. */
export function plainChain(parts: ListenerParts, cluster: string, trafficClass: TrafficClass): FilterConfig[] {
  return [...parts.stats(trafficClass), tcpProxy({ ...base(parts, cluster, trafficClass), clusterSpecifier: { case: "cluster", value: cluster } })];
}

/** Where connections end that must not go on; nothing is logged, Envoy closes them at once. */
export function deadEnd(parts: ListenerParts, cluster: string, trafficClass: TrafficClass): FilterConfig[] {
  return [...parts.stats(trafficClass), tcpProxy({ statPrefix: cluster, clusterSpecifier: { case: "cluster", value: cluster } })];
}

/** Bytes for the workload itself: who may connect is decided here. */
export function inboundTcpChain(parts: ListenerParts, cluster: string, protocol: Protocol, subject: StatSubject): FilterConfig[] {
  const prefix = patternedStatName(parts.proxy.mesh.config["inboundClusterStatName"], subject) ?? cluster;
  return [
    ...metadataExchange(parts),
    ...parts.custom("tcp"),
    ...parts.extensions("tcp", "AUTHN", "inbound", subject.port),
    ...parts.extensions("tcp", "AUTHZ", "inbound", subject.port),
    ...parts.authorization("tcp"),
    ...parts.extensions("tcp", "late", "inbound", subject.port),
    ...parts.stats("inbound"),
    ...sniffers(protocol, prefix),
    tcpProxy({ ...base(parts, prefix, "inbound"), clusterSpecifier: { case: "cluster", value: cluster } }),
  ];
}

export function metadataExchange(parts: ListenerParts): FilterConfig[] {
  return parts.proxy.view.dialect === "istio" ? [TCP_METADATA_EXCHANGE] : [];
}

/** The port of the listener. */
type StatPort = { readonly port: number; readonly name: string };

export interface TcpChainOptions {
  readonly protocol: Protocol;
  readonly trafficClass: TrafficClass;
  /** Of the listener. */
  readonly port: number;
  readonly subset?: string;
  /** Behind mutual TLS the peers tell each other who they are. */
  readonly exchange?: boolean;
  /** Bytes that stay encrypted for somebody else: nobody is judged and nothing is tunnelled here. */
  readonly opaque?: boolean;
  /** The service whose names are looked up here. */
  readonly lookup?: MeshService;
  /** What the statistics are about; without it they have the cluster's name. */
  readonly stats?: StatSubject;
}

/** Bytes for one service under its DestinationRule. */
export function serviceTcpChain(parts: ListenerParts, cluster: string, rule: EffectiveRule | undefined, options: TcpChainOptions): FilterConfig[] {
  const prefix = options.stats && patternedStatName(parts.proxy.mesh.config["outboundClusterStatName"], options.stats);
  return outboundChain(parts, options, {
    ...base(parts, prefix ?? cluster, options.trafficClass),
    ...ruled(rule, options),
    clusterSpecifier: { case: "cluster", value: cluster },
  });
}

/** Bytes for the destinations of a VirtualService's route; `name` is that VirtualService's. */
export function routedTcpChain(
  parts: ListenerParts,
  routes: readonly L4RouteDestination[],
  port: StatPort,
  name: string,
  rest: Omit<TcpChainOptions, "port">,
): FilterConfig[] {
  const { scope, node } = parts.proxy;
  const options = { ...rest, port: port.port };
  const [first] = routes;
  if (!first) return [];
  const service = scope.byHostname.get(first.destination.host);
  const rule = service && ruleOf(scope, service.hostname, node);
  if (routes.length === 1) {
    const { subset = "" } = first.destination;
    const stats = service && { ...statService(service), port: port.port, portName: port.name, subset, targetPort: 0 };
    return serviceTcpChain(parts, destinationCluster(first.destination, service, port.port), rule, { ...options, subset, ...(stats && { stats }) });
  }
  const clusters = routes
    .filter(({ weight }) => (weight ?? 0) > 0)
    .map(({ destination, weight }) => ({ name: destinationCluster(destination, scope.byHostname.get(destination.host), port.port), weight: weight ?? 0 }));
  return outboundChain(parts, options, {
    ...base(parts, name, options.trafficClass),
    ...ruled(rule, options),
    clusterSpecifier: { case: "weightedClusters", value: { clusters } },
  });
}

function outboundChain(parts: ListenerParts, { trafficClass, protocol, exchange, opaque, port, lookup }: TcpChainOptions, proxy: TcpProxy): FilterConfig[] {
  // A gateway is where clients from outside are judged.
  const guarded = trafficClass === "gateway" && !opaque;
  const extensions = (phase: "AUTHN" | "AUTHZ" | "late") => parts.extensions("tcp", phase, trafficClass, port);
  const guards = [
    ...(guarded ? parts.custom("tcp") : []),
    ...extensions("AUTHN"),
    ...extensions("AUTHZ"),
    ...(guarded ? parts.authorization("tcp") : []),
    ...extensions("late"),
  ];
  return [
    ...(exchange ? metadataExchange(parts) : []),
    ...guards,
    ...parts.stats(trafficClass),
    ...(lookup ? [sniForwardProxyFilter(lookup, port, parts.proxy.view)] : []),
    ...sniffers(protocol, proxy.statPrefix ?? ""),
    tcpProxy(proxy),
  ];
}

function base(parts: ListenerParts, statPrefix: string, trafficClass: TrafficClass): TcpProxy {
  const counted = parts.agentLog(trafficClass) !== undefined;
  return {
    statPrefix,
    ...(parts.idleTimeout && { idleTimeout: parts.idleTimeout }),
    accessLog: parts.logs(trafficClass, "tcp"),
    ...(counted && { accessLogOptions: WHILE_OPEN }),
  };
}

/** What a DestinationRule says of connections as a whole, which the cluster cannot say. */
function ruled(rule: EffectiveRule | undefined, { subset: subsetName = "", opaque }: TcpChainOptions): TcpProxy {
  const policy = rule?.spec.trafficPolicy;
  const subset = rule?.spec.subsets?.find(({ name }) => name === subsetName)?.trafficPolicy;
  const tcp = policy?.connectionPool?.tcp;
  const idleTimeout = parseDuration(tcp?.idleTimeout);
  const maxDuration = parseDuration(tcp?.maxConnectionDuration);
  const tunnel = opaque ? undefined : tunnelOf(policy, subset, subsetName);
  return {
    ...(idleTimeout && { idleTimeout }),
    ...(maxDuration && { maxDownstreamConnectionDuration: maxDuration }),
    ...(hashesSourceIp(policy, subset) && { hashPolicy: [{ policySpecifier: { case: "sourceIp" as const, value: {} } }] }),
    ...(tunnel && { tunnelingConfig: { hostname: hostPort(tunnel.targetHost, tunnel.targetPort), usePost: tunnel.protocol === "POST" } }),
  };
}

function hashesSourceIp(policy: TrafficPolicy | undefined, subset: TrafficPolicy | undefined): boolean {
  const balancer = subset?.loadBalancer ?? policy?.loadBalancer;
  return balancer?.consistentHash?.useSourceIp === true;
}

/** A subset's tunnel replaces the rule's; a subset without one has none only when it is not asked for. */
function tunnelOf(policy: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, subsetName: string) {
  return subsetName === "" ? policy?.tunnel : subset?.tunnel;
}

function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
