import { ConfigSchema } from "../../proto/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.ts";
import { compileStateValues } from "./filter-state.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { routeConfigOf } from "./typed-config.ts";

/** `envoy.filters.http.set_filter_state`: gives each request named values, for the filters, the cluster and the logs after it. */
export const setFilterStateFilter: HttpFilterFactory = {
  typeNames: [ConfigSchema.typeName],
  routeTypeNames: [ConfigSchema.typeName],
  checkRoute: (config, { services }) => void compileStateValues(config.read(ConfigSchema).onRequestHeaders, services.hostname),
  create(config, context) {
    const { hostname } = context.services;
    const compile = (from: typeof config): HttpFilter => {
      const set = compileStateValues(from.read(ConfigSchema).onRequestHeaders, hostname);
      return {
        onRequest(stream) {
          set((stream.namedState ??= new Map()), stream);
          return "continue";
        },
      };
    };
    const whole = compile(config);
    return {
      forRoute(route) {
        const own = routeConfigOf(route, context.name);
        return own.config ? compile(own.config) : whole;
      },
    };
  },
};
