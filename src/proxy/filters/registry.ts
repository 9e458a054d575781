import type { Any } from "@bufbuild/protobuf/wkt";
import { RouterSchema } from "../../proto/gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import type { HttpFilter as HttpFilterProto } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { Services } from "../services.ts";
import { StatScope } from "../telemetry/stat-scope.ts";
import { InvalidResource } from "../types.ts";
import type { HttpFilterConfig, HttpFilterContext, HttpFilterFactory } from "./http-filter.ts";
import { alpnFilter } from "./alpn.ts";
import { DiscoveredFilter } from "./discovered.ts";
import { corsFilter } from "./cors.ts";
import { faultFilter } from "./fault.ts";
import { grpcStatsFilter } from "./grpc-stats.ts";
import { istioStatsFilter } from "./istio-stats.ts";
import { peerMetadataFilter } from "./peer-metadata.ts";
import { rareFactory } from "./rare.ts";
import { openRouteConfig, TypedConfig } from "./typed-config.ts";

/** What the router filter itself is told. */
export interface RouterOptions {
  readonly suppressEnvoyHeaders: boolean;
}

/** Those that every sidecar has; all others are loaded when they are named. */
const FACTORIES: readonly HttpFilterFactory[] = [alpnFilter, corsFilter, faultFilter, grpcStatsFilter, istioStatsFilter, peerMetadataFilter];

const PREFIX = "type.googleapis.com/";

/**
 * Creates a filter of a connection manager; undefined for an unknown one that is marked optional. `onChange` is called when
 * one whose configuration is discovered has got another.
 */
export function createHttpFilter(proto: HttpFilterProto, shared: Omit<HttpFilterContext, "name">, onChange: () => void): HttpFilterConfig | undefined {
  const context = { ...shared, name: proto.name };
  const create = (any: Any | undefined): HttpFilterConfig | undefined => {
    const config = any && TypedConfig.open(any);
    const factory = config && factoryOf(config.typeName, "typeNames");
    if (factory) return factory.create(config, context);
    if (proto.isOptional) return undefined;
    throw unknownFilter(proto.name, any?.typeUrl);
  };
  if (proto.configType.case === "configDiscovery") return new DiscoveredFilter(proto.configType.value, context, create, onChange);
  return create(proto.configType.value);
}

/** The name of a filter that must be discovered before its listener can serve. */
export function discoveredName(proto: HttpFilterProto): string | undefined {
  return proto.configType.case === "configDiscovery" && !proto.configType.value.defaultConfig ? proto.name : undefined;
}

function factoryOf(typeName: string, where: "typeNames" | "routeTypeNames"): HttpFilterFactory | undefined {
  const found = FACTORIES.find((each) => each[where].includes(typeName));
  if (found) return found;
  const rare = rareFactory(typeName);
  return rare?.[where].includes(typeName) ? rare : undefined;
}

export function unknownFilter(name: string, typeUrl: string | undefined): InvalidResource {
  return new InvalidResource("UNKNOWN_FILTER", `Didn't find a registered implementation for '${name}' with type URL: '${(typeUrl ?? "").replace(PREFIX, "")}'`);
}

export function isRouterFilter(proto: HttpFilterProto): boolean {
  return proto.configType.value !== undefined && "typeUrl" in proto.configType.value && proto.configType.value.typeUrl === PREFIX + RouterSchema.typeName;
}

export function readRouterOptions(proto: HttpFilterProto): RouterOptions {
  const any = proto.configType.case === "typedConfig" ? proto.configType.value : undefined;
  const router = any && TypedConfig.open(any).read(RouterSchema);
  return { suppressEnvoyHeaders: router?.suppressEnvoyHeaders ?? false };
}

/** Throws InvalidResource for a per-route configuration that no filter here understands, or with a bad value. */
export function checkRouteFilterConfig(name: string, any: Any, services: Services): void {
  const { config, disabled, optional } = openRouteConfig(any);
  if (!config) {
    if (!disabled) throw new InvalidResource("INVALID_FILTER_CONFIG", `Empty route/virtual host per filter configuration for ${name} filter`);
    return;
  }
  const factory = factoryOf(config.typeName, "routeTypeNames");
  if (factory) factory.checkRoute?.(config, { services, stats: new StatScope("") });
  else if (!optional) throw unknownFilter(name, any.typeUrl);
}
