/** The specs of Istio's kinds as plain data, field names as in Istio's API. Durations are strings such as "10s". */
import type { Condition } from "./core.ts";
import type { KubeObject } from "./types.ts";

export interface WorkloadSelector {
  matchLabels?: Record<string, string>;
}

export interface PolicyTargetReference {
  group?: string;
  kind: string;
  name: string;
  namespace?: string;
}

export interface IstioStatus {
  conditions?: Condition[];
  observedGeneration?: number;
  validationMessages?: unknown[];
}

// security.istio.io

export type MutualTlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

export interface PeerAuthenticationSpec {
  selector?: WorkloadSelector;
  mtls?: { mode?: MutualTlsMode };
  /** Keyed by the workload's port, in decimal. */
  portLevelMtls?: Record<string, { mode?: MutualTlsMode }>;
}
export type PeerAuthentication = KubeObject<PeerAuthenticationSpec, IstioStatus>;

export interface JwtRule {
  issuer?: string;
  audiences?: string[];
  jwksUri?: string;
  /** The old spelling, still accepted. */
  jwks_uri?: string;
  jwks?: string;
  fromHeaders?: { name: string; prefix?: string }[];
  fromParams?: string[];
  fromCookies?: string[];
  outputPayloadToHeader?: string;
  outputClaimToHeaders?: { header: string; claim: string }[];
  forwardOriginalToken?: boolean;
  timeout?: string;
  spaceDelimitedClaims?: string[];
}
export interface RequestAuthenticationSpec {
  selector?: WorkloadSelector;
  targetRef?: PolicyTargetReference;
  targetRefs?: PolicyTargetReference[];
  jwtRules?: JwtRule[];
}
export type RequestAuthentication = KubeObject<RequestAuthenticationSpec, IstioStatus>;

export interface AuthorizationSource {
  principals?: string[];
  notPrincipals?: string[];
  requestPrincipals?: string[];
  notRequestPrincipals?: string[];
  namespaces?: string[];
  notNamespaces?: string[];
  serviceAccounts?: string[];
  notServiceAccounts?: string[];
  trustDomains?: string[];
  notTrustDomains?: string[];
  ipBlocks?: string[];
  notIpBlocks?: string[];
  remoteIpBlocks?: string[];
  notRemoteIpBlocks?: string[];
}
export interface AuthorizationOperation {
  hosts?: string[];
  notHosts?: string[];
  ports?: string[];
  notPorts?: string[];
  methods?: string[];
  notMethods?: string[];
  paths?: string[];
  notPaths?: string[];
}
export interface AuthorizationRule {
  from?: { source?: AuthorizationSource }[];
  to?: { operation?: AuthorizationOperation }[];
  when?: { key: string; values?: string[]; notValues?: string[] }[];
}
export interface AuthorizationPolicySpec {
  selector?: WorkloadSelector;
  targetRef?: PolicyTargetReference;
  targetRefs?: PolicyTargetReference[];
  action?: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  provider?: { name?: string };
  rules?: AuthorizationRule[];
}
export type AuthorizationPolicy = KubeObject<AuthorizationPolicySpec, IstioStatus>;

// networking.istio.io

export interface StringMatch {
  exact?: string;
  prefix?: string;
  regex?: string;
}
export interface Destination {
  host: string;
  subset?: string;
  port?: { number?: number };
}
export interface HeaderOperations {
  set?: Record<string, string>;
  add?: Record<string, string>;
  remove?: string[];
}
export interface Headers {
  request?: HeaderOperations;
  response?: HeaderOperations;
}
export interface Percent {
  value?: number;
}
export interface HttpRouteDestination {
  destination: Destination;
  weight?: number;
  headers?: Headers;
}
export interface HttpMatchRequest {
  name?: string;
  uri?: StringMatch;
  scheme?: StringMatch;
  method?: StringMatch;
  authority?: StringMatch;
  headers?: Record<string, StringMatch>;
  withoutHeaders?: Record<string, StringMatch>;
  queryParams?: Record<string, StringMatch>;
  port?: number;
  sourceLabels?: Record<string, string>;
  sourceNamespace?: string;
  gateways?: string[];
  ignoreUriCase?: boolean;
  statPrefix?: string;
}
export interface HttpRetry {
  attempts?: number;
  perTryTimeout?: string;
  retryOn?: string;
  backoff?: string;
  retryRemoteLocalities?: boolean | null;
  retryIgnorePreviousHosts?: boolean | null;
}
export interface HttpFaultInjection {
  delay?: { percent?: number; percentage?: Percent; fixedDelay?: string; exponentialDelay?: string };
  abort?: { percentage?: Percent; httpStatus?: number; grpcStatus?: string; http2Error?: string };
}
export interface CorsPolicy {
  allowOrigin?: string[];
  allowOrigins?: StringMatch[];
  allowMethods?: string[];
  allowHeaders?: string[];
  exposeHeaders?: string[];
  maxAge?: string;
  allowCredentials?: boolean | null;
  unmatchedPreflights?: "UNSPECIFIED" | "FORWARD" | "IGNORE";
}
export interface HttpRedirect {
  uri?: string;
  prefixRewrite?: string;
  authority?: string;
  port?: number;
  derivePort?: "FROM_PROTOCOL_DEFAULT" | "FROM_REQUEST_PORT";
  scheme?: string;
  redirectCode?: number;
}
export interface HttpRewrite {
  uri?: string;
  authority?: string;
  uriRegexRewrite?: { match?: string; rewrite?: string };
}
export interface HttpRoute {
  name?: string;
  match?: HttpMatchRequest[];
  route?: HttpRouteDestination[];
  redirect?: HttpRedirect;
  directResponse?: { status: number; body?: { string?: string; bytes?: string } };
  delegate?: { name?: string; namespace?: string };
  rewrite?: HttpRewrite;
  timeout?: string;
  retries?: HttpRetry;
  fault?: HttpFaultInjection;
  mirror?: Destination;
  mirrors?: { destination: Destination; percentage?: Percent }[];
  mirrorPercent?: number | null;
  mirror_percent?: number | null;
  mirrorPercentage?: Percent;
  corsPolicy?: CorsPolicy;
  headers?: Headers;
}
export interface L4RouteDestination {
  destination: Destination;
  weight?: number;
}
export interface L4Match {
  destinationSubnets?: string[];
  port?: number;
  sourceLabels?: Record<string, string>;
  sourceNamespace?: string;
  gateways?: string[];
}
export interface TlsRoute {
  match: (L4Match & { sniHosts: string[] })[];
  route?: L4RouteDestination[];
}
export interface TcpRoute {
  match?: (L4Match & { sourceSubnet?: string })[];
  route?: L4RouteDestination[];
}
export interface VirtualServiceSpec {
  hosts?: string[];
  gateways?: string[];
  http?: HttpRoute[];
  tls?: TlsRoute[];
  tcp?: TcpRoute[];
  exportTo?: string[];
}
export type VirtualService = KubeObject<VirtualServiceSpec, IstioStatus>;

export type ServerTlsMode = "PASSTHROUGH" | "SIMPLE" | "MUTUAL" | "AUTO_PASSTHROUGH" | "ISTIO_MUTUAL" | "OPTIONAL_MUTUAL";
export interface ServerTlsSettings {
  httpsRedirect?: boolean;
  mode?: ServerTlsMode;
  serverCertificate?: string;
  privateKey?: string;
  caCertificates?: string;
  caCrl?: string;
  caCertCredentialName?: string;
  credentialName?: string;
  credentialNames?: string[];
  tlsCertificates?: { serverCertificate?: string; privateKey?: string; caCertificates?: string }[];
  subjectAltNames?: string[];
  verifyCertificateSpki?: string[];
  verifyCertificateHash?: string[];
  minProtocolVersion?: "TLS_AUTO" | "TLSV1_0" | "TLSV1_1" | "TLSV1_2" | "TLSV1_3";
  maxProtocolVersion?: "TLS_AUTO" | "TLSV1_0" | "TLSV1_1" | "TLSV1_2" | "TLSV1_3";
  cipherSuites?: string[];
  insecureSkipVerify?: boolean;
}
export interface Port {
  number: number;
  protocol: string;
  name: string;
  targetPort?: number;
}
export interface Server {
  port: Port;
  bind?: string;
  hosts: string[];
  tls?: ServerTlsSettings;
  defaultEndpoint?: string;
  name?: string;
}
export interface GatewaySpec {
  servers?: Server[];
  selector?: Record<string, string>;
}
export type Gateway = KubeObject<GatewaySpec, IstioStatus>;

export interface ClientTlsSettings {
  mode?: "DISABLE" | "SIMPLE" | "MUTUAL" | "ISTIO_MUTUAL";
  clientCertificate?: string;
  privateKey?: string;
  caCertificates?: string;
  caCrl?: string;
  credentialName?: string;
  subjectAltNames?: string[];
  sni?: string;
  insecureSkipVerify?: boolean | null;
}
export interface ConsistentHash {
  httpHeaderName?: string;
  httpCookie?: { name: string; path?: string; ttl?: string; attributes?: { name: string; value?: string }[] };
  useSourceIp?: boolean;
  httpQueryParameterName?: string;
  ringHash?: { minimumRingSize?: number };
  maglev?: { tableSize?: number };
  minimumRingSize?: number;
}
export interface LocalityLbSetting {
  distribute?: { from?: string; to?: Record<string, number> }[];
  failover?: { from?: string; to?: string }[];
  failoverPriority?: string[];
  enabled?: boolean | null;
}
export interface LoadBalancerSettings {
  simple?: "UNSPECIFIED" | "LEAST_CONN" | "RANDOM" | "PASSTHROUGH" | "ROUND_ROBIN" | "LEAST_REQUEST";
  consistentHash?: ConsistentHash;
  localityLbSetting?: LocalityLbSetting;
  zoneAwareLbSetting?: Omit<LocalityLbSetting, "distribute"> & { minClusterSize?: number | null };
  warmupDurationSecs?: string;
  warmup?: { duration: string; minimumPercent?: number | null; aggression?: number | null };
}
export interface ConnectionPoolSettings {
  tcp?: {
    maxConnections?: number;
    connectTimeout?: string;
    tcpKeepalive?: { probes?: number; time?: string; interval?: string };
    maxConnectionDuration?: string;
    idleTimeout?: string;
  };
  http?: {
    http1MaxPendingRequests?: number;
    http2MaxRequests?: number;
    maxRequestsPerConnection?: number;
    maxRetries?: number;
    idleTimeout?: string;
    h2UpgradePolicy?: "DEFAULT" | "DO_NOT_UPGRADE" | "UPGRADE";
    useClientProtocol?: boolean;
    maxConcurrentStreams?: number;
    http2KeepAlive?: { interval?: string; timeout?: string };
  };
}
export interface OutlierDetection {
  consecutiveErrors?: number;
  splitExternalLocalOriginErrors?: boolean;
  consecutiveLocalOriginFailures?: number | null;
  consecutiveGatewayErrors?: number | null;
  consecutive5xxErrors?: number | null;
  interval?: string;
  baseEjectionTime?: string;
  maxEjectionPercent?: number;
  minHealthPercent?: number;
  outlierDetectionHttpErrorCodes?: number[];
}
export interface PortTrafficPolicy {
  port?: { number?: number };
  loadBalancer?: LoadBalancerSettings;
  connectionPool?: ConnectionPoolSettings;
  outlierDetection?: OutlierDetection;
  tls?: ClientTlsSettings;
}
export interface TrafficPolicy extends Omit<PortTrafficPolicy, "port"> {
  portLevelSettings?: PortTrafficPolicy[];
  tunnel?: { protocol?: string; targetHost: string; targetPort: number };
  proxyProtocol?: { version?: "V1" | "V2" };
  retryBudget?: { percent?: number | null; minRetryConcurrency?: number };
}
export interface Subset {
  name: string;
  labels?: Record<string, string>;
  trafficPolicy?: TrafficPolicy;
}
export interface DestinationRuleSpec {
  host: string;
  trafficPolicy?: TrafficPolicy;
  subsets?: Subset[];
  exportTo?: string[];
  workloadSelector?: WorkloadSelector;
}
export type DestinationRule = KubeObject<DestinationRuleSpec, IstioStatus>;

export interface ServiceEntrySpec {
  hosts: string[];
  addresses?: string[];
  ports?: { number: number; protocol?: string; name: string; targetPort?: number }[];
  location?: "MESH_EXTERNAL" | "MESH_INTERNAL";
  resolution?: "NONE" | "STATIC" | "DNS" | "DNS_ROUND_ROBIN" | "DYNAMIC_DNS";
  endpoints?: WorkloadEntrySpec[];
  workloadSelector?: { labels?: Record<string, string> };
  exportTo?: string[];
  subjectAltNames?: string[];
}
export type ServiceEntry = KubeObject<ServiceEntrySpec, IstioStatus & { addresses?: { value: string; host?: string }[] }>;

export interface WorkloadEntrySpec {
  address?: string;
  ports?: Record<string, number>;
  labels?: Record<string, string>;
  network?: string;
  locality?: string;
  weight?: number;
  serviceAccount?: string;
}
export type WorkloadEntry = KubeObject<WorkloadEntrySpec, IstioStatus>;
export type WorkloadGroup = KubeObject<
  { metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }; template: WorkloadEntrySpec; probe?: unknown },
  IstioStatus
>;

export interface SidecarPort {
  number?: number;
  protocol?: string;
  name?: string;
  targetPort?: number;
}
export interface SidecarSpec {
  workloadSelector?: { labels?: Record<string, string> };
  ingress?: {
    port: SidecarPort;
    bind?: string;
    captureMode?: "DEFAULT" | "IPTABLES" | "NONE";
    defaultEndpoint?: string;
    tls?: ServerTlsSettings;
    connectionPool?: ConnectionPoolSettings;
  }[];
  egress?: { port?: SidecarPort; bind?: string; captureMode?: "DEFAULT" | "IPTABLES" | "NONE"; hosts: string[] }[];
  outboundTrafficPolicy?: { mode?: "REGISTRY_ONLY" | "ALLOW_ANY"; egressProxy?: Destination };
  inboundConnectionPool?: ConnectionPoolSettings;
}
export type Sidecar = KubeObject<SidecarSpec, IstioStatus>;

export type ProxyConfigResource = KubeObject<
  { selector?: WorkloadSelector; concurrency?: number | null; environmentVariables?: Record<string, string>; image?: { imageType?: string } },
  IstioStatus
>;

// telemetry.istio.io, extensions.istio.io

export interface TelemetrySpec {
  selector?: WorkloadSelector;
  targetRef?: PolicyTargetReference;
  targetRefs?: PolicyTargetReference[];
  tracing?: {
    match?: { mode?: string };
    providers?: { name: string }[];
    randomSamplingPercentage?: number | null;
    disableSpanReporting?: boolean | null;
    enableIstioTags?: boolean | null;
    disableContextPropagation?: boolean | null;
    useRequestIdForTraceSampling?: boolean | null;
    customTags?: Record<
      string,
      {
        literal?: { value: string };
        environment?: { name: string; defaultValue?: string };
        header?: { name: string; defaultValue?: string };
        formatter?: { value: string };
      }
    >;
  }[];
  metrics?: {
    providers?: { name: string }[];
    overrides?: {
      match?: { metric?: string; customMetric?: string; mode?: string };
      disabled?: boolean | null;
      tagOverrides?: Record<string, { operation?: "UPSERT" | "REMOVE"; value?: string }>;
    }[];
    reportingInterval?: string;
  }[];
  accessLogging?: { match?: { mode?: string }; providers?: { name: string }[]; disabled?: boolean | null; filter?: { expression?: string } }[];
}
export type Telemetry = KubeObject<TelemetrySpec, IstioStatus>;
