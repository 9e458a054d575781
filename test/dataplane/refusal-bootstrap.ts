import type { JsonObject } from "@bufbuild/protobuf";

const TYPE = "type.googleapis.com/";

/** A bootstrap whose listeners and clusters come over ADS, so that one process can be asked of many. */
export function discoveryBootstrap(adminPort: number, xdsPort: number): JsonObject {
  const ads = { ads: {}, resource_api_version: "V3" };
  return {
    node: { id: "refusals", cluster: "refusals" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: adminPort } } },
    dynamic_resources: {
      cds_config: ads,
      lds_config: ads,
      ads_config: { api_type: "DELTA_GRPC", transport_api_version: "V3", grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }] },
    },
    static_resources: {
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": `${TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: "xds",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: xdsPort } } } }] }],
          },
        },
      ],
    },
  };
}
