/** The messages of security.istio.io, telemetry.istio.io and extensions.istio.io, in the notation of `istio.ts`. */
export const POLICIES: Readonly<Record<string, { readonly messages: string; readonly enums: string }>> = {
  "security.v1beta1": {
    messages: `
AuthorizationPolicy: selector /type.v1beta1.WorkloadSelector, targetRef /type.v1beta1.PolicyTargetReference, targetRefs[] /type.v1beta1.PolicyTargetReference, rules[] Rule, action #.Action, provider^ .ExtensionProvider
AuthorizationPolicy.ExtensionProvider: name string
ClaimToHeader: header string, claim string
Condition: key string, values[] string, not_values[] string
JWTHeader: name string, prefix string
JWTRule: issuer string, audiences[] string, jwks_uri string, jwks string, from_headers[] JWTHeader, from_params[] string, output_payload_to_header string, from_cookies[] string, forward_original_token bool, output_claim_to_headers[] ClaimToHeader, timeout Duration, space_delimited_claims[] string
Operation: hosts[] string, not_hosts[] string, ports[] string, not_ports[] string, methods[] string, not_methods[] string, paths[] string, not_paths[] string
PeerAuthentication: selector /type.v1beta1.WorkloadSelector, mtls .MutualTLS, port_level_mtls{uint32} .MutualTLS
PeerAuthentication.MutualTLS: mode #.Mode
RequestAuthentication: selector /type.v1beta1.WorkloadSelector, targetRef /type.v1beta1.PolicyTargetReference, targetRefs[] /type.v1beta1.PolicyTargetReference, jwt_rules[] JWTRule
Rule: from[] .From, to[] .To, when[] Condition
Rule.From: source Source
Rule.To: operation Operation
Source: principals[] string, not_principals[] string, request_principals[] string, not_request_principals[] string, namespaces[] string, not_namespaces[] string, service_accounts[] string, not_service_accounts[] string, ip_blocks[] string, not_ip_blocks[] string, remote_ip_blocks[] string, not_remote_ip_blocks[] string, trust_domains[] string, not_trust_domains[] string
`,
    enums: `
AuthorizationPolicy.Action: ALLOW DENY AUDIT CUSTOM
PeerAuthentication.MutualTLS.Mode: UNSET DISABLE PERMISSIVE STRICT
`,
  },
  "telemetry.v1alpha1": {
    messages: `
AccessLogging: match .LogSelector, providers[] ProviderRef, disabled bool, filter .Filter
AccessLogging.Filter: expression string
AccessLogging.LogSelector: mode #WorkloadMode
MetricSelector: metric^ #.IstioMetric, custom_metric^ string, mode #WorkloadMode
Metrics: providers[] ProviderRef, overrides[] MetricsOverrides, reporting_interval Duration
MetricsOverrides: match MetricSelector, disabled bool, tag_overrides{} .TagOverride
MetricsOverrides.TagOverride: operation #.Operation, value string
ProviderRef: name string
Telemetry: selector /type.v1beta1.WorkloadSelector, targetRef /type.v1beta1.PolicyTargetReference, targetRefs[] /type.v1beta1.PolicyTargetReference, tracing[] Tracing, metrics[] Metrics, access_logging[] AccessLogging
Tracing: match .TracingSelector, providers[] ProviderRef, random_sampling_percentage double, disable_span_reporting bool, custom_tags{} .CustomTag, use_request_id_for_trace_sampling bool, enable_istio_tags bool, disable_context_propagation bool
Tracing.CustomTag: literal^ Tracing.Literal, environment^ Tracing.Environment, header^ Tracing.RequestHeader, formatter^ Tracing.Formatter
Tracing.Environment: name string, default_value string
Tracing.Formatter: value string
Tracing.Literal: value string
Tracing.RequestHeader: name string, default_value string
Tracing.TracingSelector: mode #WorkloadMode
`,
    enums: `
MetricSelector.IstioMetric: ALL_METRICS REQUEST_COUNT REQUEST_DURATION REQUEST_SIZE RESPONSE_SIZE TCP_OPENED_CONNECTIONS TCP_CLOSED_CONNECTIONS TCP_SENT_BYTES TCP_RECEIVED_BYTES GRPC_REQUEST_MESSAGES GRPC_RESPONSE_MESSAGES
MetricsOverrides.TagOverride.Operation: UPSERT REMOVE
WorkloadMode: CLIENT_AND_SERVER CLIENT SERVER
`,
  },
  "extensions.v1alpha1": {
    messages: `
EnvVar: name string, value_from #EnvValueSource, value string
LuaConfig: inline_code string
TrafficExtension: selector /type.v1beta1.WorkloadSelector, targetRefs[] /type.v1beta1.PolicyTargetReference, phase #.ExecutionPhase, priority int32, match[] TrafficSelector, wasm^ WasmConfig, lua^ LuaConfig
TrafficSelector: mode #/type.v1beta1.WorkloadMode, ports[] /type.v1beta1.PortSelector
VmConfig: env[] EnvVar
WasmConfig: url string, sha256 string, image_pull_policy #PullPolicy, image_pull_secret string, verification_key string, plugin_config Struct, plugin_name string, fail_strategy #FailStrategy, vm_config VmConfig, type #PluginType
WasmPlugin: selector /type.v1beta1.WorkloadSelector, targetRef /type.v1beta1.PolicyTargetReference, targetRefs[] /type.v1beta1.PolicyTargetReference, url string, sha256 string, image_pull_policy #PullPolicy, image_pull_secret string, verification_key string, plugin_config Struct, plugin_name string, phase #PluginPhase, priority int32, fail_strategy #FailStrategy, vm_config VmConfig, match[] .TrafficSelector, type #PluginType
WasmPlugin.TrafficSelector: mode #/type.v1beta1.WorkloadMode, ports[] /type.v1beta1.PortSelector
`,
    enums: `
EnvValueSource: INLINE HOST
FailStrategy: FAIL_CLOSE FAIL_OPEN FAIL_RELOAD
PluginPhase: UNSPECIFIED_PHASE AUTHN AUTHZ STATS
PluginType: UNSPECIFIED_PLUGIN_TYPE HTTP NETWORK
PullPolicy: UNSPECIFIED_POLICY IfNotPresent Always
TrafficExtension.ExecutionPhase: UNSPECIFIED AUTHN AUTHZ STATS
`,
  },
  "type.v1beta1": {
    messages: `
PolicyTargetReference: group string, kind string, name string, namespace string
PortSelector: number uint32
WorkloadSelector: match_labels{} string
`,
    enums: `
WorkloadMode: UNDEFINED CLIENT SERVER CLIENT_AND_SERVER
`,
  },
};
