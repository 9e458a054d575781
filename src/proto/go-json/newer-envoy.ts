/**
 * Fields and words that Envoy of late 2026 has and the messages here do not: these come from a package that is older. What
 * a patch says in them is taken as it is. A line that the generated messages catch up with does no harm.
 */
const FIELDS = `
envoy.config.bootstrap.v3.Admin: allow_paths
envoy.config.bootstrap.v3.Bootstrap: stats_eviction_interval enable_worker_cpu_affinity
envoy.config.bootstrap.v3.MemoryAllocatorManager: soft_memory_limit_bytes max_per_cpu_cache_size_bytes max_unfreed_memory_bytes
envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget: budget_interval
envoy.config.cluster.v3.Cluster: transport_socket_matcher per_connection_buffer_high_watermark_timeout
envoy.config.cluster.v3.OutlierDetection: detect_degraded_hosts
envoy.config.common.matcher.v3.Matcher.OnMatch: keep_matching
envoy.config.common.mutation_rules.v3.HeaderMutation: remove_on_match
envoy.config.core.v3.GrpcService.GoogleGrpc: channel_credentials_plugin call_credentials_plugin
envoy.config.core.v3.Http1ProtocolOptions: ignore_http_11_upgrade
envoy.config.core.v3.Http2ProtocolOptions: max_metadata_size enable_huffman_encoding max_header_field_size_kb disallow_obs_text stream_reset_burst stream_reset_rate
envoy.config.core.v3.Http3ProtocolOptions: disable_qpack disable_connection_flow_control_for_streams disallow_obs_text
envoy.config.core.v3.HttpProtocolOptions: max_connection_duration_jitter max_response_headers_kb
envoy.config.core.v3.HttpService: formatters
envoy.config.core.v3.KeyValueAppend: record
envoy.config.core.v3.ProxyProtocolConfig: added_tlvs
envoy.config.core.v3.QuicProtocolOptions: max_packet_length client_packet_writer connection_migration memory_reduction_timeout enable_scone
envoy.config.core.v3.SocketAddress: network_namespace_filepath
envoy.config.core.v3.SocketOption: type ip_version
envoy.config.core.v3.WatchedDirectory: watch_modify
envoy.config.endpoint.v3.Endpoint: observability_name
envoy.config.listener.v3.AdditionalAddress: tcp_keepalive
envoy.config.listener.v3.Listener: fcds_config per_connection_buffer_high_watermark_timeout tcp_keepalive
envoy.config.listener.v3.Listener.ConnectionBalanceConfig: cpu_locality_balance
envoy.config.listener.v3.QuicProtocolOptions: save_cmsg_config reject_new_connections max_sessions_per_event_loop
envoy.config.metrics.v3.HistogramBucketSettings: bins
envoy.config.metrics.v3.MetricsServiceConfig: batch_size
envoy.config.metrics.v3.StatsConfig: allow_default_tag_overrides
envoy.config.rbac.v3.Permission: sourced_metadata
envoy.config.rbac.v3.Policy: cel_config
envoy.config.rbac.v3.Principal: sourced_metadata custom
envoy.config.route.v3.DirectResponseAction: body_format
envoy.config.route.v3.RateLimit: hits_addend apply_on_stream_done x_ratelimit_option
envoy.config.route.v3.RateLimit.Action: query_parameters remote_address_match
envoy.config.route.v3.RateLimit.Action.GenericKey: default_value
envoy.config.route.v3.RateLimit.Action.HeaderValueMatch: default_value
envoy.config.route.v3.RateLimit.Action.QueryParameterValueMatch: default_value
envoy.config.route.v3.RateLimit.Override: rate_limit
envoy.config.route.v3.RedirectAction: path_rewrite
envoy.config.route.v3.RetryPolicy: refresh_cluster_on_retry
envoy.config.route.v3.Route: request_body_buffer_limit
envoy.config.route.v3.RouteAction: path_rewrite host_rewrite flush_timeout
envoy.config.route.v3.RouteAction.RequestMirrorPolicy: request_headers_mutations host_rewrite_literal
envoy.config.route.v3.RouteConfiguration: vhost_header
envoy.config.route.v3.RouteMatch: cookies filter_state
envoy.config.route.v3.Tracing: operation upstream_operation
envoy.config.route.v3.VirtualHost: request_body_buffer_limit
envoy.config.route.v3.WeightedCluster: use_hash_policy
envoy.config.tap.v3.OutputConfig: min_streamed_sent_bytes
envoy.config.trace.v3.OpenTelemetryConfig: max_cache_size set_telemetry_sdk_resource_attributes set_service_name_resource_attribute
envoy.config.trace.v3.ZipkinConfig: timestamp_trace_ids
envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter: cel_config
envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig: http_service grpc_service log_name buffer_flush_interval buffer_size_bytes filter_state_objects_to_log custom_tags
envoy.extensions.clusters.dynamic_forward_proxy.v3.SubClustersConfig: dns_cluster_config
envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig: disable_dns_refresh_on_failure resolved_address_filter
envoy.extensions.common.ratelimit.v3.LocalRateLimitDescriptor: shadow_mode
envoy.extensions.common.ratelimit.v3.RateLimitDescriptor: hits_addend is_negative_hits
envoy.extensions.filters.http.basic_auth.v3.BasicAuth: authentication_header allow_missing emit_dynamic_metadata
envoy.extensions.filters.http.composite.v3.Composite: named_filter_chains matcher
envoy.extensions.filters.http.composite.v3.ExecuteFilterAction: filter_chain filter_chain_name
envoy.extensions.filters.http.compressor.v3.Compressor.ResponseDirectionConfig: weaken_etag_on_compress uncompressible_response_codes status_header_enabled
envoy.extensions.filters.http.compressor.v3.CompressorOverrides: compressor_library
envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig: allow_dynamic_host_from_filter_state
envoy.extensions.filters.http.ext_authz.v3.CheckSettings: grpc_service http_service
envoy.extensions.filters.http.ext_authz.v3.ExtAuthz: filter_metadata emit_filter_state_stats max_denied_response_body_bytes enforce_response_header_limits shadow_mode
envoy.extensions.filters.http.ext_authz.v3.HttpService: path_override retry_policy
envoy.extensions.filters.http.ext_proc.v3.ExtProcOverrides: failure_mode_allow processing_request_modifier
envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor: http_service send_body_without_waiting_for_header_response allowed_override_modes processing_request_modifier on_processing_response status_on_error allow_content_length_header
envoy.extensions.filters.http.ext_proc.v3.MetadataOptions: cluster_metadata_forwarding_namespaces
envoy.extensions.filters.http.header_mutation.v3.Mutations: query_parameter_mutations response_trailers_mutations request_trailers_mutations
envoy.extensions.filters.http.header_to_metadata.v3.Config: stat_prefix
envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication: stat_prefix
envoy.extensions.filters.http.jwt_authn.v3.JwtCacheConfig: jwt_max_token_size
envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement: extract_only_without_validation
envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit: rate_limits max_dynamic_descriptors
envoy.extensions.filters.http.lua.v3.Lua: clear_route_cache
envoy.extensions.filters.http.lua.v3.LuaPerRoute: filter_context
envoy.extensions.filters.http.ratelimit.v3.RateLimit: filter_enabled filter_enforced failure_mode_deny_percent rate_limits metadata_namespace
envoy.extensions.filters.http.router.v3.Router: reject_connect_request_early_data
envoy.extensions.filters.http.set_filter_state.v3.Config: clear_route_cache
envoy.extensions.filters.http.stateful_session.v3.StatefulSession: stat_prefix status_on_strict_destination_not_found
envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol: tlv_location
envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol.KeyValuePair: value_string_encoding
envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector: enable_ja4_fingerprinting close_connection_on_client_hello_parsing_errors max_client_hello_size
envoy.extensions.filters.network.ext_authz.v3.ExtAuthz: send_tls_alert_on_denial metadata_context_namespaces typed_metadata_context_namespaces
envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager: http1_safe_max_connection_duration stream_flush_timeout drain_timeout_jitter forward_client_cert_matcher forward_proto_config
envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails: format
envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing: operation upstream_operation
envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy: max_bson_depth
envoy.extensions.filters.network.rbac.v3.RBAC: delay_deny
envoy.extensions.filters.network.set_filter_state.v3.Config: on_downstream_tls_handshake on_downstream_data
envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig: save_upstream_address
envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy: backoff_options max_downstream_connection_duration_jitter_percentage proxy_protocol_tlvs proxy_protocol_tlv_merge_policy upstream_connect_mode max_early_data_bytes check_drain_close
envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TcpAccessLogOptions: flush_access_log_on_start
envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig: request_id_extension request_id_header request_id_metadata_key formatters
envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig.SessionFilter: config_discovery
envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig.UdpTunnelingConfig.RetryOptions: backoff_options
envoy.extensions.http.original_ip_detection.xff.v3.XffConfig: xff_trusted_cidrs skip_xff_append
envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin: metric_names_for_computing_utilization slow_start_config oob_reporting_config
envoy.extensions.load_balancing_policies.common.v3.ConsistentHashingLbConfig: hash_policy
envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.ZoneAwareLbConfig: force_locality_direct_routing force_local_zone locality_basis
envoy.extensions.matching.common_inputs.network.v3.FilterStateInput: field
envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig: query_timeout_seconds query_tries rotate_nameservers edns0_max_payload_size max_udp_channel_duration reinit_channel_on_timeout qcache_max_ttl
envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig: num_retries num_resolver_threads
envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig: max_heap_size_bytes_runtime
envoy.extensions.transport_sockets.http_11_proxy.v3.Http11ProxyUpstreamTransport: default_proxy_address
envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport: allow_unspecified_address tlv_as_pool_key
envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport: enable_resumption
envoy.extensions.transport_sockets.tap.v3.Tap: socket_tap_config
envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext: suppress_client_ca_list
envoy.extensions.transport_sockets.tls.v3.CommonTlsContext: custom_tls_certificate_selector
envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext: prefer_client_ciphers
envoy.extensions.transport_sockets.tls.v3.GenericSecret: secrets
envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig: trust_bundles
envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig.TrustDomain: workload_trust_domain
envoy.extensions.transport_sockets.tls.v3.TlsParameters: compliance_policies
envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext: auto_host_sni auto_sni_san_validation
envoy.extensions.upstreams.http.v3.HttpProtocolOptions: outlier_detection request_mirror_policies hash_policy retry_policy
envoy.extensions.wasm.v3.PluginConfig: reload_config allow_on_headers_stop_iteration
envoy.service.auth.v3.CheckResponse: error_response
envoy.type.http.v3.Cookie: attributes
envoy.type.matcher.v3.FilterStateMatcher: address_match
xds.type.matcher.v3.Matcher.OnMatch: keep_matching
xds.type.matcher.v3.StringMatcher: custom
xds.type.v3.CelExpression: cel_expr_parsed cel_expr_checked cel_expr_string
`;

const WORDS = `
envoy.config.accesslog.v3.ComparisonFilter.Op: NE
envoy.config.cluster.v3.UpstreamConnectionOptions.FirstAddressFamilyVersion: PIPE INTERNAL
envoy.config.overload.v3.ScaleTimersOverloadActionConfig.TimerType: HTTP_DOWNSTREAM_CONNECTION_MAX HTTP_DOWNSTREAM_STREAM_FLUSH
envoy.config.route.v3.RateLimit.Action.MetaData.Source: CLUSTER_ENTRY CLUSTER_LOCALITY_ENTRY
envoy.extensions.filters.http.ext_proc.v3.ProcessingMode.BodySendMode: FULL_DUPLEX_STREAMED GRPC
envoy.service.ratelimit.v3.RateLimitResponse.RateLimit.Unit: WEEK
`;

function read(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    text
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2).split(" ")]),
  );
}

let fields: ReadonlyMap<string, readonly string[]> | undefined;
let words: ReadonlyMap<string, readonly string[]> | undefined;

/** Names of newer fields of a message, as protobuf writes them. */
export function newerFields(message: string): readonly string[] {
  return (fields ??= read(FIELDS)).get(message) ?? [];
}

/** Newer words of an enumeration. */
export function newerWords(enumeration: string): readonly string[] {
  return (words ??= read(WORDS)).get(enumeration) ?? [];
}
