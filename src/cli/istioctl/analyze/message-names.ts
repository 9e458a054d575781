/**
 * The fields of Istio's protobuf messages that are messages or enumerations themselves, by package: with them a mistake in
 * a file is told by the message that it is in. A type that starts with a dot is nested in the message, one that starts
 * with a slash is of another package; a star stands before the type of a map's values.
 */
const MESSAGES: Readonly<Record<string, string>> = {
  "extensions.v1alpha1": `
EnvVar: valueFrom EnvValueSource
TrafficExtension: selector /type.v1beta1.WorkloadSelector, targetRefs /type.v1beta1.PolicyTargetReference, phase .ExecutionPhase, match TrafficSelector, wasm WasmConfig, lua LuaConfig
TrafficSelector: mode /type.v1beta1.WorkloadMode, ports /type.v1beta1.PortSelector
VmConfig: env EnvVar
WasmConfig: imagePullPolicy PullPolicy, failStrategy FailStrategy, vmConfig VmConfig, type PluginType
WasmPlugin: selector /type.v1beta1.WorkloadSelector, targetRef /type.v1beta1.PolicyTargetReference, targetRefs /type.v1beta1.PolicyTargetReference, imagePullPolicy PullPolicy, phase PluginPhase, failStrategy FailStrategy, vmConfig VmConfig, match .TrafficSelector, type PluginType
WasmPlugin.TrafficSelector: mode /type.v1beta1.WorkloadMode, ports /type.v1beta1.PortSelector
`,
  "networking.v1alpha3": `
ClientTLSSettings: mode .TLSmode
ConnectionPoolSettings: tcp .TCPSettings, http .HTTPSettings
ConnectionPoolSettings.HTTPSettings: h2UpgradePolicy .H2UpgradePolicy, http2KeepAlive .ConnectionKeepalive
ConnectionPoolSettings.TCPSettings: tcpKeepalive .TcpKeepalive
CorsPolicy: allowOrigins StringMatch, unmatchedPreflights .UnmatchedPreflights
Destination: port PortSelector
DestinationRule: trafficPolicy TrafficPolicy, subsets Subset, workloadSelector /type.v1beta1.WorkloadSelector
EnvoyFilter: workloadSelector WorkloadSelector, targetRefs /type.v1beta1.PolicyTargetReference, configPatches .EnvoyConfigObjectPatch
EnvoyFilter.EnvoyConfigObjectMatch: context EnvoyFilter.PatchContext, proxy EnvoyFilter.ProxyMatch, listener EnvoyFilter.ListenerMatch, routeConfiguration EnvoyFilter.RouteConfigurationMatch, cluster EnvoyFilter.ClusterMatch, waypoint EnvoyFilter.WaypointMatch
EnvoyFilter.EnvoyConfigObjectPatch: applyTo EnvoyFilter.ApplyTo, match EnvoyFilter.EnvoyConfigObjectMatch, patch EnvoyFilter.Patch
EnvoyFilter.ListenerMatch: filterChain .FilterChainMatch
EnvoyFilter.ListenerMatch.FilterChainMatch: filter EnvoyFilter.ListenerMatch.FilterMatch
EnvoyFilter.ListenerMatch.FilterMatch: subFilter EnvoyFilter.ListenerMatch.SubFilterMatch
EnvoyFilter.Patch: operation .Operation, filterClass .FilterClass
EnvoyFilter.RouteConfigurationMatch: vhost .VirtualHostMatch
EnvoyFilter.RouteConfigurationMatch.RouteMatch: action .Action
EnvoyFilter.RouteConfigurationMatch.VirtualHostMatch: route EnvoyFilter.RouteConfigurationMatch.RouteMatch
EnvoyFilter.WaypointMatch: route .RouteMatch, filter .FilterMatch
EnvoyFilter.WaypointMatch.FilterMatch: subFilter .SubFilterMatch
Gateway: servers Server
HTTPDirectResponse: body HTTPBody
HTTPFaultInjection: delay .Delay, abort .Abort
HTTPFaultInjection.Abort: percentage Percent
HTTPFaultInjection.Delay: percentage Percent
HTTPHealthCheckConfig: httpHeaders HTTPHeader
HTTPMatchRequest: uri StringMatch, scheme StringMatch, method StringMatch, authority StringMatch, headers *StringMatch, queryParams *StringMatch, withoutHeaders *StringMatch
HTTPMirrorPolicy: destination Destination, percentage Percent
HTTPRedirect: derivePort .RedirectPortSelection
HTTPRewrite: uriRegexRewrite RegexRewrite
HTTPRoute: match HTTPMatchRequest, route HTTPRouteDestination, redirect HTTPRedirect, directResponse HTTPDirectResponse, delegate Delegate, rewrite HTTPRewrite, retries HTTPRetry, fault HTTPFaultInjection, mirror Destination, mirrors HTTPMirrorPolicy, mirrorPercentage Percent, corsPolicy CorsPolicy, headers Headers
HTTPRouteDestination: destination Destination, headers Headers
Headers: request .HeaderOperations, response .HeaderOperations
IstioEgressListener: port SidecarPort, captureMode CaptureMode
IstioIngressListener: port SidecarPort, captureMode CaptureMode, tls ServerTLSSettings, connectionPool ConnectionPoolSettings
LoadBalancerSettings: simple .SimpleLB, consistentHash .ConsistentHashLB, localityLbSetting LocalityLoadBalancerSetting, zoneAwareLbSetting ZoneAwareLoadBalancerSetting, warmup WarmupConfiguration
LoadBalancerSettings.ConsistentHashLB: httpCookie .HTTPCookie, ringHash .RingHash, maglev .MagLev
LoadBalancerSettings.ConsistentHashLB.HTTPCookie: attributes .Attribute
LocalityLoadBalancerSetting: distribute .Distribute, failover .Failover
OutboundTrafficPolicy: mode .Mode, egressProxy Destination
ReadinessProbe: httpGet HTTPHealthCheckConfig, tcpSocket TCPHealthCheckConfig, exec ExecHealthCheckConfig, grpc GrpcHealthCheckConfig
RouteDestination: destination Destination
Server: port Port, tls ServerTLSSettings
ServerTLSSettings: mode .TLSmode, tlsCertificates .TLSCertificate, minProtocolVersion .TLSProtocol, maxProtocolVersion .TLSProtocol
ServiceEntry: ports ServicePort, location .Location, resolution .Resolution, endpoints WorkloadEntry, workloadSelector WorkloadSelector
ServiceEntryStatus: addresses ServiceEntryAddress
Sidecar: workloadSelector WorkloadSelector, ingress IstioIngressListener, egress IstioEgressListener, inboundConnectionPool ConnectionPoolSettings, outboundTrafficPolicy OutboundTrafficPolicy
Subset: trafficPolicy TrafficPolicy
TCPRoute: match L4MatchAttributes, route RouteDestination
TLSRoute: match TLSMatchAttributes, route RouteDestination
TrafficPolicy: loadBalancer LoadBalancerSettings, connectionPool ConnectionPoolSettings, outlierDetection OutlierDetection, tls ClientTLSSettings, portLevelSettings .PortTrafficPolicy, tunnel .TunnelSettings, proxyProtocol .ProxyProtocol, retryBudget .RetryBudget
TrafficPolicy.PortTrafficPolicy: port PortSelector, loadBalancer LoadBalancerSettings, connectionPool ConnectionPoolSettings, outlierDetection OutlierDetection, tls ClientTLSSettings
TrafficPolicy.ProxyProtocol: version .VERSION
VirtualService: http HTTPRoute, tls TLSRoute, tcp TCPRoute
WorkloadGroup: metadata .ObjectMeta, template WorkloadEntry, probe ReadinessProbe
ZoneAwareLoadBalancerSetting: failover .Failover
`,
  "networking.v1beta1": `
ProxyConfig: selector /type.v1beta1.WorkloadSelector, image ProxyImage
`,
  "security.v1beta1": `
AuthorizationPolicy: selector /type.v1beta1.WorkloadSelector, targetRef /type.v1beta1.PolicyTargetReference, targetRefs /type.v1beta1.PolicyTargetReference, rules Rule, action .Action, provider .ExtensionProvider
JWTRule: fromHeaders JWTHeader, outputClaimToHeaders ClaimToHeader
PeerAuthentication: selector /type.v1beta1.WorkloadSelector, mtls .MutualTLS, portLevelMtls *.MutualTLS
PeerAuthentication.MutualTLS: mode .Mode
RequestAuthentication: selector /type.v1beta1.WorkloadSelector, targetRef /type.v1beta1.PolicyTargetReference, targetRefs /type.v1beta1.PolicyTargetReference, jwtRules JWTRule
Rule: from .From, to .To, when Condition
Rule.From: source Source
Rule.To: operation Operation
`,
  "telemetry.v1alpha1": `
AccessLogging: match .LogSelector, providers ProviderRef, filter .Filter
AccessLogging.LogSelector: mode WorkloadMode
MetricSelector: metric .IstioMetric, mode WorkloadMode
Metrics: providers ProviderRef, overrides MetricsOverrides
MetricsOverrides: match MetricSelector, tagOverrides *.TagOverride
MetricsOverrides.TagOverride: operation .Operation
Telemetry: selector /type.v1beta1.WorkloadSelector, targetRef /type.v1beta1.PolicyTargetReference, targetRefs /type.v1beta1.PolicyTargetReference, tracing Tracing, metrics Metrics, accessLogging AccessLogging
Tracing: match .TracingSelector, providers ProviderRef, customTags *.CustomTag
Tracing.CustomTag: literal Tracing.Literal, environment Tracing.Environment, header Tracing.RequestHeader, formatter Tracing.Formatter
Tracing.TracingSelector: mode WorkloadMode
`,
};

/** Which package a kind's message is in; ProxyConfig is the one that is not with its group. */
const PACKAGES: Readonly<Record<string, string>> = {
  "networking.istio.io": "networking.v1alpha3",
  "security.istio.io": "security.v1beta1",
  "telemetry.istio.io": "telemetry.v1alpha1",
  "extensions.istio.io": "extensions.v1alpha1",
};

let fields: Map<string, string> | undefined;

/** The message or enumeration at a path of a kind's spec, such as `http[0].route[0].destination`; undefined where it is neither. */
export function messageAt(group: string, kind: string, path: string): string | undefined {
  let message: string | undefined = `istio.${kind === "ProxyConfig" ? "networking.v1beta1" : PACKAGES[group]}.${kind}`;
  fields ??= parse();
  let isMap = false;
  for (const step of path.match(/\[[^\]]*\]|[^.[\]]+/g) ?? []) {
    // Places in lists and keys of maps lead to values of the field's own type.
    if (step.startsWith("[")) continue;
    const type = fields.get(`${message} ${step}`);
    if (type === undefined && isMap) continue;
    isMap = type?.startsWith("*") ?? false;
    message = isMap ? type?.slice(1) : type;
  }
  return message;
}

/** Types by message and field. */
function parse(): Map<string, string> {
  const all = new Map<string, string>();
  for (const [name, text] of Object.entries(MESSAGES)) {
    for (const line of text.trim().split("\n")) {
      const [message = "", list = ""] = line.split(": ");
      for (const [field = "", marked = ""] of list.split(", ").map((entry) => entry.split(" "))) {
        const type = marked.replace("*", "");
        const full = type.startsWith("/") ? type.slice(1) : type.startsWith(".") ? `${name}.${message}${type}` : `${name}.${type}`;
        all.set(`istio.${name}.${message} ${field}`, `${marked.startsWith("*") ? "*" : ""}istio.${full}`);
      }
    }
  }
  return all;
}
