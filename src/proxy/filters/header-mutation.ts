import type { HeaderMutation as MutationProto } from "../../proto/gen/envoy/config/common/mutation_rules/v3/mutation_rules_pb.ts";
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
  type Mutations,
} from "../../proto/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { HttpStream } from "../http/http-stream.ts";
import { compileHeaderOps } from "../router/header-ops.ts";
import type { Route } from "../router/route-table.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import type { HttpFilter, HttpFilterFactory } from "./http-filter.ts";
import { openRouteConfig } from "./typed-config.ts";

type Mutate = (headers: HeaderMap, info: StreamInfo) => void;

interface Compiled {
  readonly request: readonly Mutate[];
  readonly response: readonly Mutate[];
}

/** `envoy.filters.http.header_mutation`: changes headers of requests and responses, by the filter's word and by each level's of the route. */
export const headerMutationFilter: HttpFilterFactory = {
  typeNames: [HeaderMutationSchema.typeName],
  routeTypeNames: [HeaderMutationPerRouteSchema.typeName],
  checkRoute: (config, { services }) => void compile(config.read(HeaderMutationPerRouteSchema).mutations, services.hostname),
  create(config, context) {
    const proto = config.read(HeaderMutationSchema);
    const { hostname } = context.services;
    const whole = compile(proto.mutations, hostname);
    return {
      forRoute(route) {
        const levels = routeLevels(route, context.name, hostname);
        if (!levels) return undefined;
        // The last has the last word: the least specific, unless the most specific is to win.
        const all = [whole, ...(proto.mostSpecificHeaderMutationsWins ? levels.reverse() : levels)];
        const request = all.flatMap((each) => each.request);
        const response = all.flatMap((each) => each.response);
        const filter: HttpFilter = {
          ...(request.length > 0 && { onRequest: (stream) => (run(request, stream.request.headers, stream), "continue") }),
          ...(response.length > 0 && { onResponse: (stream) => (run(response, stream.responseHeaders as HeaderMap, stream), "continue") }),
        };
        return filter;
      },
    };
  },
};

/** The most specific first; undefined where the filter is off. */
function routeLevels(route: Route | undefined, name: string, hostname: string): Compiled[] | undefined {
  const levels: Compiled[] = [];
  for (const [index, configs] of (route?.filterConfigs ?? []).entries()) {
    const any = configs[name];
    if (!any) continue;
    const { config, disabled } = openRouteConfig(any);
    if (disabled && index === 0) return undefined;
    if (config) levels.push(compile(config.read(HeaderMutationPerRouteSchema).mutations, hostname));
  }
  return levels;
}

/** Changes of one kind of headers, one after the other. Throws InvalidResource. */
export function compileMutations(mutations: readonly MutationProto[], hostname: string): (headers: HeaderMap, info: StreamInfo) => void {
  const all = mutations.map((each) => compileMutation(each, hostname));
  return (headers, info) => {
    for (const mutate of all) mutate(headers, info);
  };
}

function run(mutations: readonly Mutate[], headers: HeaderMap, stream: HttpStream): void {
  for (const mutate of mutations) mutate(headers, stream);
}

function compile(mutations: Mutations | undefined, hostname: string): Compiled {
  return {
    request: (mutations?.requestMutations ?? []).map((each) => compileMutation(each, hostname)),
    response: (mutations?.responseMutations ?? []).map((each) => compileMutation(each, hostname)),
  };
}

function compileMutation({ action }: MutationProto, hostname: string): Mutate {
  return compileHeaderOps(action.case === "append" ? { add: [action.value], remove: [] } : { add: [], remove: [action.value ?? ""] }, hostname) as Mutate;
}
