import { fromBinary, fromJson, type DescMessage, type JsonObject, type MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { FilterConfigSchema } from "../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import { TypedStructSchema as UdpaTypedStruct } from "../../proto/gen/udpa/type/v1/typed_struct_pb.ts";
import { TypedStructSchema as XdsTypedStruct } from "../../proto/gen/xds/type/v3/typed_struct_pb.ts";
import type { Route } from "../router/route-table.ts";
import { checkConstraints } from "../constraints/index.ts";
import { InvalidResource } from "../types.ts";

/** A filter's configuration with any TypedStruct around it taken off. */
export class TypedConfig {
  private constructor(
    readonly typeName: string,
    private readonly bytes: Uint8Array | undefined,
    /** The Struct's content, where the configuration came as one. */
    readonly json: JsonObject | undefined,
  ) {}

  static open(any: Any): TypedConfig {
    const typeName = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
    if (typeName === UdpaTypedStruct.typeName || typeName === XdsTypedStruct.typeName) {
      const struct = fromBinary(typeName === UdpaTypedStruct.typeName ? UdpaTypedStruct : XdsTypedStruct, any.value);
      return new TypedConfig(struct.typeUrl.slice(struct.typeUrl.lastIndexOf("/") + 1), undefined, struct.value ?? {});
    }
    return new TypedConfig(typeName, any.value, undefined);
  }

  /** The message; throws InvalidResource when it is another or does not parse. */
  read<Desc extends DescMessage>(schema: Desc): MessageShape<Desc> {
    if (schema.typeName !== this.typeName) throw new InvalidResource("INVALID_FILTER_CONFIG", `expected ${schema.typeName}, not ${this.typeName}`);
    let message: MessageShape<Desc>;
    try {
      message = this.bytes ? fromBinary(schema, this.bytes) : fromJson(schema, this.json ?? {});
    } catch (cause) {
      throw new InvalidResource("INVALID_FILTER_CONFIG", `Unable to parse ${this.typeName}`, { cause });
    }
    checkConstraints(message);
    return message;
  }
}

/** A filter's most specific configuration on a route. `disabled`: the filter is off there. */
export function routeConfigOf(route: Route | undefined, name: string): { readonly config: TypedConfig | undefined; readonly disabled: boolean } {
  for (const configs of route?.filterConfigs ?? []) {
    const any = configs[name];
    if (any) return openRouteConfig(any);
  }
  return { config: undefined, disabled: false };
}

/** Whether a filter that is off by default is on for a route: it is where the most specific configuration does not say otherwise. */
export function routeEnables(route: Route | undefined, name: string): boolean {
  const any = route?.filterConfigs.find((configs) => configs[name])?.[name];
  return any !== undefined && !openRouteConfig(any).disabled;
}

/** Takes the FilterConfig wrapper off a per-route configuration. */
export function openRouteConfig(any: Any): { config: TypedConfig | undefined; disabled: boolean; optional: boolean } {
  const config = TypedConfig.open(any);
  if (config.typeName !== FilterConfigSchema.typeName) return { config, disabled: false, optional: false };
  const wrapped = config.read(FilterConfigSchema);
  return { config: wrapped.config && TypedConfig.open(wrapped.config), disabled: wrapped.disabled, optional: wrapped.isOptional };
}
