/** The types of protobuf itself that JSON of Envoy's messages holds. Naming them apart keeps the other ones out of bundles. */
export {
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
