/**
 * proto holds the protobuf types of Envoy's API and of Istio's own messages, generated into `gen/` by `npm run generate`.
 * Import a message's schema from its own file, such as `../proto/gen/envoy/config/cluster/v3/cluster_pb.ts`, so that a
 * process loads only the descriptors it needs. JSON that may hold any type needs `loadRegistry()`, which loads them all.
 */
export { packAny, typeUrlOf, unpackAny, TYPE_URL_PREFIX, type Init } from "./any.ts";
export { encode, encoded } from "./encode.ts";
export { GRPC_CODES, type GrpcCode } from "./grpc-codes.ts";
export { loadRegistry, registryNow } from "./registry.ts";
export { TELEMETRY_FORMATS, TELEMETRY_METADATA, type TelemetryClass, type TelemetryLine } from "./envoy-telemetry.ts";
export { WORKLOAD_TYPE, XDS_TYPES, type XdsTypeName } from "./type-urls.ts";
