import type { JsonObject } from "@bufbuild/protobuf";
import type { NodeIdentity } from "../proxy/types.ts";
import { statsConfig } from "./envoy/stats-config.ts";
import { HEALTH_PORT, hostOf, portOf, PROMETHEUS_PORT } from "./node-metadata.ts";
import type { AgentOptions } from "./options.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const UNLIMITED = { max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 };

/**
 * The bootstrap that this pod's proxy runs on, in the shape of Istio's: health and metrics listeners, the agent, and the
 * way to the control plane, which for our own proxy is a verified connection of its own.
 */
export function sidecarBootstrap(options: AgentOptions, node: NodeIdentity): JsonObject {
  const { proxyConfig, paths } = options;
  return {
    node: { id: node.id, cluster: node.cluster, locality: {}, metadata: node.metadata as JsonObject },
    stats_config: statsConfig(options),
    admin: { profile_path: "/var/lib/istio/data/envoy.prof", address: socketAddress("127.0.0.1", proxyConfig.proxyAdminPort) },
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
        localCluster("prometheus_stats", socketAddress("127.0.0.1", proxyConfig.proxyAdminPort), "0.250s"),
        localCluster("agent", socketAddress("127.0.0.1", proxyConfig.statusPort), "0.250s"),
        { ...localCluster("sds-grpc", { pipe: { path: `.${paths.workloadSocket}` } }, "1s"), ...HTTP2 },
        controlPlaneCluster(options),
      ],
      listeners: [
        httpListener(PROMETHEUS_PORT, "stats", "/stats/prometheus", "prometheus_stats"),
        httpListener(HEALTH_PORT, "agent", "/healthz/ready", "agent"),
      ],
    },
  };
}

const HTTP2 = {
  typed_extension_protocol_options: {
    [HTTP_OPTIONS]: { "@type": `type.googleapis.com/${HTTP_OPTIONS}`, explicit_http_config: { http2_protocol_options: {} } },
  },
};

function controlPlaneCluster({ proxyConfig, paths }: AgentOptions): JsonObject {
  const host = hostOf(proxyConfig.discoveryAddress);
  return {
    ...localCluster("xds-grpc", socketAddress(host, portOf(proxyConfig.discoveryAddress)), "1s"),
    type: "STRICT_DNS",
    circuit_breakers: {
      thresholds: [
        { priority: "DEFAULT", ...UNLIMITED },
        { priority: "HIGH", ...UNLIMITED },
      ],
    },
    ...HTTP2,
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: host,
        common_tls_context: {
          alpn_protocols: ["h2"],
          validation_context: {
            trusted_ca: { filename: paths.rootCert },
            match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: host } }],
          },
        },
      },
    },
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

function httpListener(port: number, statPrefix: string, prefix: string, cluster: string): JsonObject {
  return {
    name: `0.0.0.0_${port}`,
    address: socketAddress("0.0.0.0", port),
    ignore_global_conn_limit: true,
    bypass_overload_manager: true,
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              codec_type: "AUTO",
              stat_prefix: statPrefix,
              route_config: { virtual_hosts: [{ name: "backend", domains: ["*"], routes: [{ match: { prefix }, route: { cluster } }] }] },
              http_filters: [
                { name: "envoy.filters.http.router", typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } },
              ],
            },
          },
        ],
      },
    ],
  };
}

function socketAddress(address: string, port: number): JsonObject {
  return { socket_address: { protocol: "TCP", address, port_value: port } };
}
