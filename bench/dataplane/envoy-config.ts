import { IDS, SERVER_NAME } from "./certificates.ts";
import type { Hop } from "./hop.ts";

const type = (name: string) => ({ "@type": `type.googleapis.com/${name}` });
const struct = (name: string, value: unknown) => ({ "@type": "type.googleapis.com/udpa.type.v1.TypedStruct", type_url: `type.googleapis.com/${name}`, value });
const HTTP2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      ...type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};
/** More than any load here has, so that no circuit breaker decides a figure. */
const UNLIMITED = { thresholds: [{ max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000 }] };

/** Envoy's bootstrap for one hop, which Chainmail's proxy runs unchanged: access log, RBAC by principal, XFCC, SAN checks. */
export function envoyBootstrap(hop: Hop): unknown {
  const { role, ads } = hop;
  const whole = { listeners: [listener(hop)], clusters: [upstream(hop)] };
  return {
    admin: { address: address(hop.adminPort) },
    node: { id: `sidecar~127.0.0.1~${role}.bench~bench.svc.cluster.local`, cluster: "bench", metadata: METADATA },
    ...(ads === undefined
      ? { static_resources: whole }
      : {
          dynamic_resources: {
            lds_config: { ads: {} },
            cds_config: { ads: {} },
            ads_config: { api_type: "GRPC", transport_api_version: "V3", grpc_services: [{ envoy_grpc: { cluster_name: "ads" } }] },
          },
          static_resources: {
            clusters: [
              {
                name: "ads",
                type: "STATIC",
                ...HTTP2,
                load_assignment: { cluster_name: "ads", endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: ads } } } }] }] },
              },
            ],
          },
        }),
  };
}

/** What Istio's telemetry tells of a workload. */
const METADATA = {
  NAME: "bench-1",
  NAMESPACE: "bench",
  WORKLOAD_NAME: "bench",
  CLUSTER_ID: "Kubernetes",
  MESH_ID: "cluster.local",
  ISTIO_VERSION: "1.28.0",
  SERVICE_ACCOUNT: "bench",
  LABELS: { app: "bench", version: "v1", "service.istio.io/canonical-name": "bench", "service.istio.io/canonical-revision": "v1" },
};

export function listener({ role, listenPort, accessLog, identity, grpc, telemetry, ads }: Hop): unknown {
  const server = role === "server";
  const filters = [
    ...(telemetry ? [{ name: "istio.metadata_exchange", typed_config: struct("io.istio.http.peer_metadata.Config", exchange(server)) }] : []),
    ...(server ? [{ name: "envoy.filters.http.rbac", typed_config: { ...type("envoy.extensions.filters.http.rbac.v3.RBAC"), rules: allowClient(grpc) } }] : []),
    ...(telemetry ? [{ name: "istio.stats", typed_config: { ...type("stats.PluginConfig") } }] : []),
    { name: "envoy.filters.http.router", typed_config: type("envoy.extensions.filters.http.router.v3.Router") },
  ];
  const manager = {
    ...type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: role,
    codec_type: grpc ? "HTTP2" : "AUTO",
    ...(server && { forward_client_cert_details: "APPEND_FORWARD", set_current_client_cert_details: { subject: true, uri: true, dns: true } }),
    access_log: [{ name: "envoy.access_loggers.file", typed_config: { ...type("envoy.extensions.access_loggers.file.v3.FileAccessLog"), path: accessLog } }],
    http_filters: filters,
    ...(ads === undefined ? { route_config: routes(0) } : { rds: { route_config_name: "local", config_source: { ads: {} } } }),
  };
  return {
    name: role,
    address: address(listenPort),
    ...(telemetry && { traffic_direction: server ? "INBOUND" : "OUTBOUND" }),
    filter_chains: [
      {
        filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }],
        ...(server && {
          transport_socket: {
            name: "envoy.transport_sockets.tls",
            typed_config: {
              ...type("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
              require_client_certificate: true,
              common_tls_context: tlsContext("client", identity, grpc),
            },
          },
        }),
      },
    ],
  };
}

/** Every request goes upstream; `version` more virtual hosts and their routes make one table different from the next. */
export function routes(version: number): unknown {
  const others = Array.from({ length: version % 10 }, (_, i) => ({
    name: `other-${i}`,
    domains: [`other-${i}.bench`],
    routes: [{ match: { prefix: "/" }, route: { cluster: "upstream", timeout: `${version + 1}s` } }],
  }));
  return {
    name: "local",
    virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "upstream", timeout: "0s" } }] }, ...others],
  };
}

export function upstream({ role, upstreamPort, identity, grpc }: Hop): unknown {
  return {
    name: "upstream",
    type: "STATIC",
    // Thousands of connections are opened at once on a machine that may be busy: none shall fail for being slow.
    connect_timeout: "60s",
    circuit_breakers: UNLIMITED,
    ...(grpc && HTTP2),
    load_assignment: { cluster_name: "upstream", endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }] },
    ...(role === "client" && {
      transport_socket: {
        name: "envoy.transport_sockets.tls",
        typed_config: {
          ...type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
          sni: SERVER_NAME,
          common_tls_context: tlsContext("server", identity, grpc),
        },
      },
    }),
  };
}

function tlsContext(peer: "client" | "server", { certificate, key, root }: Hop["identity"], grpc: boolean): unknown {
  return {
    ...(grpc && { alpn_protocols: ["h2"] }),
    tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
    validation_context: { trusted_ca: { filename: root }, match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: IDS[peer] } }] },
  };
}

function allowClient(grpc: boolean): unknown {
  return {
    action: "ALLOW",
    policies: {
      client: {
        permissions: [{ header: { name: ":method", string_match: { exact: grpc ? "POST" : "GET" } } }],
        principals: [{ authenticated: { principal_name: { exact: IDS.client } } }],
      },
    },
  };
}

function exchange(server: boolean): unknown {
  const headers = [{ istio_headers: {} }];
  return server
    ? { downstream_discovery: [...headers, { workload_discovery: {} }], downstream_propagation: headers }
    : { upstream_discovery: [...headers, { workload_discovery: {} }], upstream_propagation: headers };
}

function address(port: number): unknown {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
