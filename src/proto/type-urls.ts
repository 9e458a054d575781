/** The type URLs of xDS subscriptions, by their usual short names. */
export const XDS_TYPES = {
  CDS: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  EDS: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  LDS: "type.googleapis.com/envoy.config.listener.v3.Listener",
  RDS: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  SDS: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
  ECDS: "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
  NDS: "type.googleapis.com/istio.networking.nds.v1.NameTable",
} as const;

export type XdsTypeName = keyof typeof XDS_TYPES;

/** Who is behind an address: asked for by name, `<network>/<address>`. */
export const WORKLOAD_TYPE = "type.googleapis.com/istio.workload.Workload";
