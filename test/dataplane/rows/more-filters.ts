import type { JsonObject } from "@bufbuild/protobuf";
import { get, http, row, typed, type Call, type Group, type Row } from "../row.ts";

/** HTTP filters that people add to what Istio configures. */

const F = "envoy.extensions.filters.http.";

function filtered(name: string, filters: readonly JsonObject[], call: Call | readonly Call[], more: Parameters<typeof http>[0] = {}): Row {
  return row(name, http({ filters, ...more }), call);
}
const named = (name: string, type: string, config: JsonObject): JsonObject => ({ name: `envoy.filters.http.${name}`, typed_config: typed(`${F}${type}`, config) });

// ---- metadata

const setMetadata = (config: JsonObject): JsonObject => named("set_metadata", "set_metadata.v3.Config", config);
const LOG_METADATA = "%DYNAMIC_METADATA(ns)% %DYNAMIC_METADATA(ns:a)% %DYNAMIC_METADATA(other)%";
const metadata = (name: string, ...configs: readonly JsonObject[]): Row => filtered(`set metadata: ${name}`, configs.map(setMetadata), get(), { log: LOG_METADATA });
const set = (values: JsonObject, more: JsonObject = {}): JsonObject => ({ metadata: [{ metadata_namespace: "ns", value: values, ...more }] });

const setMetadataRows: readonly Row[] = [
  metadata("a value", set({ a: "1" })),
  metadata("two namespaces", { metadata: [{ metadata_namespace: "ns", value: { a: 1 } }, { metadata_namespace: "other", value: { b: true } }] }),
  metadata("the second is denied", set({ a: "1" }), set({ a: "2", b: "3" })),
  metadata("the second overwrites", set({ a: "1", c: "c" }), set({ a: "2", b: "3" }, { allow_overwrite: true })),
  metadata("lists are joined", set({ a: ["1"], s: { x: 1 } }), set({ a: ["2"], s: { y: 2 } }, { allow_overwrite: true })),
  metadata("the older way", { metadata_namespace: "ns", value: { a: "1" } }, { metadata_namespace: "ns", value: { a: "2", b: [1] } }),
];

export const moreFilters: Group = { name: "more filters", rows: [...setMetadataRows] };
