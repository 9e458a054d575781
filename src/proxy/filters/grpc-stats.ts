import { FilterConfigSchema } from "../../proto/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb.ts";
import type { HttpFilterFactory } from "./http-filter.ts";

/**
 * `envoy.filters.http.grpc_stats` as Istio configures it (no statistics by method): its message counts feed only
 * filter state that nothing here reads, so it has no work on any route.
 */
export const grpcStatsFilter: HttpFilterFactory = {
  typeNames: [FilterConfigSchema.typeName],
  routeTypeNames: [],
  create(config) {
    config.read(FilterConfigSchema);
    return { forRoute: () => undefined };
  },
};
