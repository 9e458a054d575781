import type { JsonObject } from "@bufbuild/protobuf";
import type { NodeIdentity } from "../../proxy/types.ts";
import { HEALTH_PORT, PROMETHEUS_PORT } from "../node-metadata.ts";
import type { AgentOptions } from "../options.ts";
import { statsConfig } from "./stats-config.ts";

const TYPE = "type.googleapis.com/";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** What a real Envoy starts from: the file that Istio's agent writes, setting for setting, so that habits and dashboards hold. */
export function envoyBootstrap(options: AgentOptions, node: NodeIdentity, xdsSocket: string): JsonObject {
  const { proxyConfig, paths } = options;
  const admin = socketAddress("127.0.0.1", proxyConfig.proxyAdminPort);
  return {
    application_log_config: { log_format: { text_format: "%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t" } },
    node: { id: node.id, cluster: node.cluster, locality: {}, metadata: node.metadata as JsonObject },
    layered_runtime: {
      layers: [
        { name: "global config", static_layer: RUNTIME },
        { name: "admin", admin_layer: {} },
      ],
    },
    bootstrap_extensions: [{ name: "envoy.bootstrap.internal_listener", typed_config: internalListener() }],
    stats_config: statsConfig(options),
    admin: {
      access_log: [
        { name: "envoy.access_loggers.file", typed_config: { "@type": `${TYPE}envoy.extensions.access_loggers.file.v3.FileAccessLog`, path: "/dev/null" } },
      ],
      profile_path: "/var/lib/istio/data/envoy.prof",
      address: { socket_address: { address: "127.0.0.1", port_value: proxyConfig.proxyAdminPort } },
    },
    dynamic_resources: {
      lds_config: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" },
      cds_config: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" },
      ads_config: {
        api_type: "DELTA_GRPC",
        set_node_on_first_message_only: true,
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
      },
    },
    static_resources: {
      clusters: [
        localCluster("prometheus_stats", admin, "0.250s"),
        localCluster("agent", socketAddress("127.0.0.1", proxyConfig.statusPort), "0.250s"),
        { ...localCluster("sds-grpc", { pipe: { path: relative(paths.workloadSocket) } }, "1s"), ...HTTP2 },
        {
          ...localCluster("xds-grpc", { pipe: { path: relative(xdsSocket) } }, "1s"),
          circuit_breakers: {
            thresholds: [
              { priority: "DEFAULT", ...UNLIMITED },
              { priority: "HIGH", ...UNLIMITED },
            ],
          },
          upstream_connection_options: { tcp_keepalive: { keepalive_time: 300 } },
          max_requests_per_connection: 1,
          ...HTTP2,
        },
      ],
      listeners: [
        httpListener(PROMETHEUS_PORT, "stats", "/stats/prometheus", "prometheus_stats", [
          compressor("brotli", "Brotli"),
          compressor("zstd", "Zstd"),
          compressor("gzip", "Gzip"),
        ]),
        httpListener(HEALTH_PORT, "agent", "/healthz/ready", "agent", []),
      ],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: {
            "@type": `${TYPE}envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig`,
            max_active_downstream_connections: 2147483647,
          },
        },
      ],
    },
    deferred_stat_options: { enable_deferred_creation_stats: true },
  };
}

/** Istio's choice of feature switches. */
const RUNTIME = {
  "envoy.deprecated_features:envoy.config.listener.v3.Listener.hidden_envoy_deprecated_use_original_dst": true,
  "envoy.reloadable_features.coalesce_lb_rebuilds_on_batch_update": false,
  "envoy.reloadable_features.fixed_heap_use_allocated": true,
  "envoy.reloadable_features.http_reject_path_with_fragment": false,
  "re2.max_program_size.error_level": "32768",
};

const UNLIMITED = { max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 };

const HTTP2 = {
  typed_extension_protocol_options: { [HTTP_OPTIONS]: { "@type": TYPE + HTTP_OPTIONS, explicit_http_config: { http2_protocol_options: {} } } },
};

function internalListener(): JsonObject {
  return {
    "@type": `${TYPE}udpa.type.v1.TypedStruct`,
    type_url: `${TYPE}envoy.extensions.bootstrap.internal_listener.v3.InternalListener`,
    value: { buffer_size_kb: 64 },
  };
}

function localCluster(name: string, address: JsonObject, timeout: string): JsonObject {
  return {
    name,
    alt_stat_name: `${name};`,
    type: "STATIC",
    connect_timeout: timeout,
    lb_policy: "ROUND_ROBIN",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function httpListener(port: number, statPrefix: string, prefix: string, cluster: string, filters: readonly JsonObject[]): JsonObject {
  const router = { name: "envoy.filters.http.router", typed_config: { "@type": `${TYPE}envoy.extensions.filters.http.router.v3.Router` } };
  const manager = {
    "@type": `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    codec_type: "AUTO",
    stat_prefix: statPrefix,
    route_config: { virtual_hosts: [{ name: "backend", domains: ["*"], routes: [{ match: { prefix }, route: { cluster } }] }] },
    http_filters: [...filters, router],
  };
  return {
    name: `0.0.0.0_${port}`,
    address: socketAddress("0.0.0.0", port),
    ignore_global_conn_limit: true,
    bypass_overload_manager: true,
    filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] }],
  };
}

function compressor(kind: string, message: string): JsonObject {
  const library = { "@type": `${TYPE}envoy.extensions.compression.${kind}.compressor.v3.${message}` };
  const contentType = ["text/plain", "application/vnd.google.protobuf", "application/openmetrics-text", "application/openmetrics-protobuf"];
  return {
    name: `envoy.filters.http.compressor.${kind}`,
    typed_config: {
      "@type": `${TYPE}envoy.extensions.filters.http.compressor.v3.Compressor`,
      compressor_library: { name: `stats_${kind}`, typed_config: library },
      response_direction_config: { common_config: { content_type: contentType } },
    },
  };
}

function socketAddress(address: string, port: number): JsonObject {
  return { socket_address: { protocol: "TCP", address, port_value: port } };
}

/** Istio's bootstrap names sockets from the root, where the agent runs: `./var/run/…`. */
function relative(path: string): string {
  return `.${path}`;
}
