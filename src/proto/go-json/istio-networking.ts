/** The messages of networking.istio.io, in the notation of `istio.ts`. */
export const NETWORKING: Readonly<Record<string, { readonly messages: string; readonly enums: string }>> = {
  "networking.v1alpha3": {
    messages: `
ClientTLSSettings: mode #.TLSmode, client_certificate string, private_key string, ca_certificates string, credential_name string, subject_alt_names[] string, sni string, insecure_skip_verify bool, ca_crl string
ConnectionPoolSettings: tcp .TCPSettings, http .HTTPSettings
ConnectionPoolSettings.HTTPSettings: http1_max_pending_requests int32, http2_max_requests int32, max_requests_per_connection int32, max_retries int32, idle_timeout Duration, h2_upgrade_policy #.H2UpgradePolicy, use_client_protocol bool, max_concurrent_streams int32, http2_keep_alive .ConnectionKeepalive
ConnectionPoolSettings.HTTPSettings.ConnectionKeepalive: interval Duration, timeout Duration
ConnectionPoolSettings.TCPSettings: max_connections int32, connect_timeout Duration, tcp_keepalive .TcpKeepalive, max_connection_duration Duration, idle_timeout Duration
ConnectionPoolSettings.TCPSettings.TcpKeepalive: probes uint32, time Duration, interval Duration
CorsPolicy: allow_origin[] string, allow_origins[] StringMatch, allow_methods[] string, allow_headers[] string, expose_headers[] string, max_age Duration, allow_credentials bool, unmatched_preflights #.UnmatchedPreflights
Delegate: name string, namespace string
Destination: host string, subset string, port PortSelector
DestinationRule: host string, traffic_policy TrafficPolicy, subsets[] Subset, export_to[] string, workload_selector /type.v1beta1.WorkloadSelector
EnvoyFilter: workload_selector WorkloadSelector, targetRefs[] /type.v1beta1.PolicyTargetReference, config_patches[] .EnvoyConfigObjectPatch, priority int32
EnvoyFilter.ClusterMatch: port_number uint32, service string, subset string, name string
EnvoyFilter.EnvoyConfigObjectMatch: context #EnvoyFilter.PatchContext, proxy EnvoyFilter.ProxyMatch, listener^ EnvoyFilter.ListenerMatch, route_configuration^ EnvoyFilter.RouteConfigurationMatch, cluster^ EnvoyFilter.ClusterMatch, waypoint^ EnvoyFilter.WaypointMatch
EnvoyFilter.EnvoyConfigObjectPatch: apply_to #EnvoyFilter.ApplyTo, match EnvoyFilter.EnvoyConfigObjectMatch, patch EnvoyFilter.Patch
EnvoyFilter.ListenerMatch: port_number uint32, port_name string, filter_chain .FilterChainMatch, listener_filter string, name string
EnvoyFilter.ListenerMatch.FilterChainMatch: name string, sni string, transport_protocol string, application_protocols string, filter EnvoyFilter.ListenerMatch.FilterMatch, destination_port uint32
EnvoyFilter.ListenerMatch.FilterMatch: name string, sub_filter EnvoyFilter.ListenerMatch.SubFilterMatch
EnvoyFilter.ListenerMatch.SubFilterMatch: name string
EnvoyFilter.Patch: operation #.Operation, value Struct, filter_class #.FilterClass
EnvoyFilter.ProxyMatch: proxy_version string, metadata{} string
EnvoyFilter.RouteConfigurationMatch: port_number uint32, port_name string, gateway string, vhost .VirtualHostMatch, name string
EnvoyFilter.RouteConfigurationMatch.RouteMatch: name string, action #.Action
EnvoyFilter.RouteConfigurationMatch.VirtualHostMatch: name string, domain_name string, route EnvoyFilter.RouteConfigurationMatch.RouteMatch
EnvoyFilter.WaypointMatch: port_number uint32, route .RouteMatch, filter .FilterMatch
EnvoyFilter.WaypointMatch.FilterMatch: name string, sub_filter .SubFilterMatch
EnvoyFilter.WaypointMatch.FilterMatch.SubFilterMatch: name string
EnvoyFilter.WaypointMatch.RouteMatch: name string
ExecHealthCheckConfig: command[] string
Gateway: servers[] Server, selector{} string
GrpcHealthCheckConfig: port uint32, service string
HTTPBody: string^ string, bytes^ bytes
HTTPDirectResponse: status uint32, body HTTPBody
HTTPFaultInjection: delay .Delay, abort .Abort
HTTPFaultInjection.Abort: http_status^ int32, grpc_status^ string, http2_error^ string, percentage Percent
HTTPFaultInjection.Delay: percent int32, fixed_delay^ Duration, exponential_delay^ Duration, percentage Percent
HTTPHeader: name string, value string
HTTPHealthCheckConfig: path string, port uint32, host string, scheme string, http_headers[] HTTPHeader
HTTPMatchRequest: name string, uri StringMatch, scheme StringMatch, method StringMatch, authority StringMatch, headers{} StringMatch, port uint32, source_labels{} string, gateways[] string, query_params{} StringMatch, ignore_uri_case bool, without_headers{} StringMatch, source_namespace string, stat_prefix string
HTTPMirrorPolicy: destination Destination, percentage Percent
HTTPRedirect: uri string, authority string, port^ uint32, derive_port^ #.RedirectPortSelection, scheme string, redirect_code uint32, prefix_rewrite string
HTTPRetry: attempts int32, per_try_timeout Duration, retry_on string, retry_remote_localities bool, retry_ignore_previous_hosts bool, backoff Duration
HTTPRewrite: uri string, authority string, uri_regex_rewrite RegexRewrite
HTTPRoute: name string, match[] HTTPMatchRequest, route[] HTTPRouteDestination, redirect HTTPRedirect, direct_response HTTPDirectResponse, delegate Delegate, rewrite HTTPRewrite, timeout Duration, retries HTTPRetry, fault HTTPFaultInjection, mirror Destination, mirrors[] HTTPMirrorPolicy, mirror_percent uint32, mirror_percentage Percent, cors_policy CorsPolicy, headers Headers
HTTPRouteDestination: destination Destination, weight int32, headers Headers
Headers: request .HeaderOperations, response .HeaderOperations
Headers.HeaderOperations: set{} string, add{} string, remove[] string
IstioEgressListener: port SidecarPort, bind string, capture_mode #CaptureMode, hosts[] string
IstioIngressListener: port SidecarPort, bind string, capture_mode #CaptureMode, default_endpoint string, tls ServerTLSSettings, connection_pool ConnectionPoolSettings
L4MatchAttributes: destination_subnets[] string, port uint32, source_subnet string, source_labels{} string, gateways[] string, source_namespace string
LoadBalancerSettings: simple^ #.SimpleLB, consistent_hash^ .ConsistentHashLB, locality_lb_setting LocalityLoadBalancerSetting, zone_aware_lb_setting ZoneAwareLoadBalancerSetting, warmup_duration_secs Duration, warmup WarmupConfiguration
LoadBalancerSettings.ConsistentHashLB: http_header_name^ string, http_cookie^ .HTTPCookie, use_source_ip^ bool, http_query_parameter_name^ string, ring_hash^1 .RingHash, maglev^1 .MagLev, minimum_ring_size uint64
LoadBalancerSettings.ConsistentHashLB.HTTPCookie: name string, path string, ttl Duration, attributes[] .Attribute
LoadBalancerSettings.ConsistentHashLB.HTTPCookie.Attribute: name string, value string
LoadBalancerSettings.ConsistentHashLB.MagLev: table_size uint64
LoadBalancerSettings.ConsistentHashLB.RingHash: minimum_ring_size uint64
LocalityLoadBalancerSetting: distribute[] .Distribute, failover[] .Failover, failover_priority[] string, enabled bool
LocalityLoadBalancerSetting.Distribute: from string, to{} uint32
LocalityLoadBalancerSetting.Failover: from string, to string
OutboundTrafficPolicy: mode #.Mode, egress_proxy Destination
OutlierDetection: consecutive_errors int32, split_external_local_origin_errors bool, consecutive_local_origin_failures uint32, consecutive_gateway_errors uint32, consecutive_5xx_errors uint32, interval Duration, base_ejection_time Duration, max_ejection_percent int32, min_health_percent int32, outlier_detection_http_error_codes[] uint32
Percent: value double
Port: number uint32, protocol string, name string, target_port uint32
PortSelector: number uint32
ReadinessProbe: initial_delay_seconds int32, timeout_seconds int32, period_seconds int32, success_threshold int32, failure_threshold int32, http_get^ HTTPHealthCheckConfig, tcp_socket^ TCPHealthCheckConfig, exec^ ExecHealthCheckConfig, grpc^ GrpcHealthCheckConfig
RegexRewrite: match string, rewrite string
RouteDestination: destination Destination, weight int32
Server: port Port, bind string, hosts[] string, tls ServerTLSSettings, default_endpoint string, name string
ServerTLSSettings: https_redirect bool, mode #.TLSmode, server_certificate string, private_key string, ca_certificates string, ca_crl string, credential_name string, credential_names[] string, ca_cert_credential_name string, tls_certificates[] .TLSCertificate, subject_alt_names[] string, verify_certificate_spki[] string, verify_certificate_hash[] string, min_protocol_version #.TLSProtocol, max_protocol_version #.TLSProtocol, cipher_suites[] string, insecure_skip_verify bool
ServerTLSSettings.TLSCertificate: server_certificate string, private_key string, ca_certificates string
ServiceEntry: hosts[] string, addresses[] string, ports[] ServicePort, location #.Location, resolution #.Resolution, endpoints[] WorkloadEntry, workload_selector WorkloadSelector, export_to[] string, subject_alt_names[] string
ServicePort: number uint32, protocol string, name string, target_port uint32
Sidecar: workload_selector WorkloadSelector, ingress[] IstioIngressListener, egress[] IstioEgressListener, inbound_connection_pool ConnectionPoolSettings, outbound_traffic_policy OutboundTrafficPolicy
SidecarPort: number uint32, protocol string, name string, target_port uint32
StringMatch: exact^ string, prefix^ string, regex^ string
Subset: name string, labels{} string, traffic_policy TrafficPolicy
TCPHealthCheckConfig: host string, port uint32
TCPRoute: match[] L4MatchAttributes, route[] RouteDestination
TLSMatchAttributes: sni_hosts[] string, destination_subnets[] string, port uint32, source_labels{} string, gateways[] string, source_namespace string
TLSRoute: match[] TLSMatchAttributes, route[] RouteDestination
TrafficPolicy: load_balancer LoadBalancerSettings, connection_pool ConnectionPoolSettings, outlier_detection OutlierDetection, tls ClientTLSSettings, port_level_settings[] .PortTrafficPolicy, tunnel .TunnelSettings, proxy_protocol .ProxyProtocol, retry_budget .RetryBudget
TrafficPolicy.PortTrafficPolicy: port PortSelector, load_balancer LoadBalancerSettings, connection_pool ConnectionPoolSettings, outlier_detection OutlierDetection, tls ClientTLSSettings
TrafficPolicy.ProxyProtocol: version #.VERSION
TrafficPolicy.RetryBudget: percent double, min_retry_concurrency uint32, budget_interval Duration
TrafficPolicy.TunnelSettings: protocol string, target_host string, target_port uint32
VirtualService: hosts[] string, gateways[] string, http[] HTTPRoute, tls[] TLSRoute, tcp[] TCPRoute, export_to[] string
WarmupConfiguration: duration Duration, minimum_percent double, aggression double
WorkloadEntry: address string, ports{} uint32, labels{} string, network string, locality string, weight uint32, service_account string
WorkloadGroup: metadata .ObjectMeta, template WorkloadEntry, probe ReadinessProbe
WorkloadGroup.ObjectMeta: labels{} string, annotations{} string
WorkloadSelector: labels{} string
ZoneAwareLoadBalancerSetting: enabled bool, failover[] .Failover, failover_priority[] string, min_cluster_size uint32
ZoneAwareLoadBalancerSetting.Failover: from string, to string
`,
    enums: `
CaptureMode: DEFAULT IPTABLES NONE
ClientTLSSettings.TLSmode: DISABLE SIMPLE MUTUAL ISTIO_MUTUAL
ConnectionPoolSettings.HTTPSettings.H2UpgradePolicy: DEFAULT DO_NOT_UPGRADE UPGRADE
CorsPolicy.UnmatchedPreflights: UNSPECIFIED FORWARD IGNORE
EnvoyFilter.ApplyTo: INVALID LISTENER FILTER_CHAIN NETWORK_FILTER HTTP_FILTER ROUTE_CONFIGURATION VIRTUAL_HOST HTTP_ROUTE CLUSTER EXTENSION_CONFIG BOOTSTRAP LISTENER_FILTER
EnvoyFilter.Patch.FilterClass: UNSPECIFIED AUTHN AUTHZ STATS
EnvoyFilter.Patch.Operation: INVALID MERGE ADD REMOVE INSERT_BEFORE INSERT_AFTER INSERT_FIRST REPLACE MERGE_AND_REPLACE_LIST
EnvoyFilter.PatchContext: ANY SIDECAR_INBOUND SIDECAR_OUTBOUND GATEWAY WAYPOINT
EnvoyFilter.RouteConfigurationMatch.RouteMatch.Action: ANY ROUTE REDIRECT DIRECT_RESPONSE
HTTPRedirect.RedirectPortSelection: FROM_PROTOCOL_DEFAULT FROM_REQUEST_PORT
LoadBalancerSettings.SimpleLB: UNSPECIFIED LEAST_CONN RANDOM PASSTHROUGH ROUND_ROBIN LEAST_REQUEST
OutboundTrafficPolicy.Mode: REGISTRY_ONLY ALLOW_ANY
ServerTLSSettings.TLSProtocol: TLS_AUTO TLSV1_0 TLSV1_1 TLSV1_2 TLSV1_3
ServerTLSSettings.TLSmode: PASSTHROUGH SIMPLE MUTUAL AUTO_PASSTHROUGH ISTIO_MUTUAL OPTIONAL_MUTUAL
ServiceEntry.Location: MESH_EXTERNAL MESH_INTERNAL
ServiceEntry.Resolution: NONE STATIC DNS DNS_ROUND_ROBIN DYNAMIC_DNS
TrafficPolicy.ProxyProtocol.VERSION: V1 V2
`,
  },
  "networking.v1beta1": {
    messages: `
ProxyConfig: selector /type.v1beta1.WorkloadSelector, concurrency int32, environment_variables{} string, image ProxyImage
ProxyImage: image_type string
`,
    enums: `

`,
  },
};
