/** One bootstrap for both proxies, in Envoy's own words: a client hop that speaks mTLS to a server hop before a backend. */

export interface HopConfig {
  listenPort: number;
  adminPort: number;
  upstreamPort: number;
  accessLog: string;
  /** Paths of PEM files. */
  certificate: string;
  key: string;
  root: string;
  role: "client" | "server";
}

/** Identities as the mesh's: the server admits the client by its SPIFFE id, and the client checks the server's. */
export const CLIENT_ID = "spiffe://cluster.local/ns/bench/sa/client";
export const SERVER_ID = "spiffe://cluster.local/ns/bench/sa/server";

/** Istio's inbound and outbound chains in small: access log, RBAC by principal, XFCC, mTLS with SAN checks, statistics. */
export function bootstrap(config: HopConfig): unknown {
  const { role } = config;
  const common = {
    tls_certificates: [{ certificate_chain: { filename: config.certificate }, private_key: { filename: config.key } }],
    validation_context: {
      trusted_ca: { filename: config.root },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: role === "client" ? SERVER_ID : CLIENT_ID } }],
    },
  };
  const type = (name: string) => `type.googleapis.com/${name}`;
  return {
    admin: { address: address(config.adminPort) },
    node: { id: role, cluster: "bench" },
    static_resources: {
      listeners: [
        {
          name: role,
          address: address(config.listenPort),
          filter_chains: [
            {
              filters: [
                {
                  name: "envoy.filters.network.http_connection_manager",
                  typed_config: {
                    "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
                    stat_prefix: role,
                    ...(role === "server" && { forward_client_cert_details: "APPEND_FORWARD", set_current_client_cert_details: { subject: true, uri: true, dns: true } }),
                    access_log: [{ name: "envoy.access_loggers.file", typed_config: { "@type": type("envoy.extensions.access_loggers.file.v3.FileAccessLog"), path: config.accessLog } }],
                    http_filters: [
                      ...(role === "server"
                        ? [
                            {
                              name: "envoy.filters.http.rbac",
                              typed_config: {
                                "@type": type("envoy.extensions.filters.http.rbac.v3.RBAC"),
                                rules: { action: "ALLOW", policies: { client: { permissions: [{ header: { name: ":method", string_match: { exact: "GET" } } }], principals: [{ authenticated: { principal_name: { exact: CLIENT_ID } } }] } } },
                              },
                            },
                          ]
                        : []),
                      { name: "envoy.filters.http.router", typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") } },
                    ],
                    route_config: { name: "local", virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "upstream", timeout: "0s" } }] }] },
                  },
                },
              ],
              ...(role === "server" && { transport_socket: { name: "envoy.transport_sockets.tls", typed_config: { "@type": type("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"), require_client_certificate: true, common_tls_context: common } } }),
            },
          ],
        },
      ],
      clusters: [
        {
          name: "upstream",
          type: "STATIC",
          connect_timeout: "5s",
          circuit_breakers: { thresholds: [{ max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 }] },
          load_assignment: { cluster_name: "upstream", endpoints: [{ lb_endpoints: [{ endpoint: { address: address(config.upstreamPort) } }] }] },
          ...(role === "client" && { transport_socket: { name: "envoy.transport_sockets.tls", typed_config: { "@type": type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"), sni: "server.bench", common_tls_context: common } } }),
        },
      ],
    },
  };
}

function address(port: number): unknown {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
