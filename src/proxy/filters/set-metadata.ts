import { ConfigSchema } from "../../proto/gen/envoy/extensions/filters/http/set_metadata/v3/set_metadata_pb.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";

type Values = { readonly [key: string]: unknown };

/** `envoy.filters.http.set_metadata`: gives each request dynamic metadata, for the filters, the balancer and the logs after it. */
export const setMetadataFilter: HttpFilterFactory = {
  typeNames: [ConfigSchema.typeName],
  routeTypeNames: [],
  create(config, context) {
    const proto = config.read(ConfigSchema);
    const entries = [
      // The older field merges with what is there.
      ...(proto.metadataNamespace !== "" && proto.value ? [{ namespace: proto.metadataNamespace, value: proto.value as Values, overwrite: true }] : []),
      ...proto.metadata.flatMap(({ metadataNamespace, allowOverwrite, value }) =>
        value ? [{ namespace: metadataNamespace, value: value as Values, overwrite: allowOverwrite }] : [],
      ),
    ];
    const denied = context.stats.counter("set_metadata.overwrite_denied");
    const filter: HttpFilter = {
      onRequest(stream) {
        for (const { namespace, value, overwrite } of entries) {
          const before = stream.dynamicMetadata?.get(namespace);
          if (before && !overwrite) {
            denied.inc();
            continue;
          }
          (stream.dynamicMetadata ??= new Map()).set(namespace, merge(before ?? {}, value));
        }
        return "continue";
      },
    };
    return { forRoute: () => filter };
  },
};

/** As Envoy merges metadata: structures by their keys, lists one after the other, other values by the later. */
function merge(before: Values, value: Values): { [key: string]: unknown } {
  const merged: { [key: string]: unknown } = { ...before };
  for (const [key, each] of Object.entries(value)) {
    const old = merged[key];
    if (Array.isArray(old) && Array.isArray(each)) merged[key] = [...(old as unknown[]), ...(each as unknown[])];
    else if (isStruct(old) && isStruct(each)) merged[key] = merge(old, each);
    else merged[key] = each;
  }
  return merged;
}

function isStruct(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
