import { createRegistry, type Registry } from "@bufbuild/protobuf";

let loading: Promise<Registry> | undefined;

/**
 * Every generated type, for `toJson` and `fromJson` of messages that hold Any (config dumps, `xds render`).
 * Costs several megabytes and tens of milliseconds once: load it on first use, not at start.
 */
export function loadRegistry(): Promise<Registry> {
  loading ??= Promise.all([import("./gen/all-files.ts"), import("@bufbuild/protobuf/wkt")]).then(([{ allFiles }, wkt]) =>
    createRegistry(
      ...allFiles,
      wkt.file_google_protobuf_any,
      wkt.file_google_protobuf_duration,
      wkt.file_google_protobuf_empty,
      wkt.file_google_protobuf_struct,
      wkt.file_google_protobuf_timestamp,
      wkt.file_google_protobuf_wrappers,
    ),
  );
  return loading;
}
