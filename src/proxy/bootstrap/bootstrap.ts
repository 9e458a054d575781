import { fromJson, type JsonObject, type JsonValue, type Registry } from "@bufbuild/protobuf";
import { ChainmailError } from "../../base/index.ts";
import { ClusterSchema, type Cluster } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { StatsConfigSchema, type StatsConfig } from "../../proto/gen/envoy/config/metrics/v3/stats_pb.ts";
import { ListenerSchema, type Listener } from "../../proto/gen/envoy/config/listener/v3/listener_pb.ts";
import { SecretSchema, type Secret } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import type * as OverloadTypes from "../../proto/gen/envoy/config/overload/v3/overload_pb.ts";
import type * as OverloadRoom from "../overload/index.ts";
import type { OverloadConfig } from "../overload/index.ts";
import { DEFAULT_MAX_PROGRAM_SIZE } from "../match/regex.ts";
import type { NodeIdentity } from "../types.ts";

/** The parts of Envoy's bootstrap that a proxy acts on, and the whole as protojson for the dump. */
export interface ProxyBootstrap {
  readonly node: NodeIdentity;
  /** The document with the .proto files' names. */
  readonly json: string;
  readonly clusters: readonly Cluster[];
  readonly listeners: readonly Listener[];
  readonly secrets: readonly Secret[];
  readonly statsConfig?: StatsConfig;
  readonly overload?: OverloadConfig;
  /** How large regular expressions may be. */
  readonly maxProgramSize: number;
  readonly admin?: { readonly address: string; readonly port: number };
  readonly ads?: { readonly delta: boolean; readonly clusterName: string; readonly metadata: [string, string][] };
}

/** The document cannot be a bootstrap, or asks for what this proxy does not do. */
export class BootstrapError extends ChainmailError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super("BOOTSTRAP_INVALID", message, options);
  }
}

/**
 * Reads a bootstrap from JSON in either spelling of names. `registry` must know the types in the static resources. Only the
 * parts that are used are read, so that an agent does not load the descriptors of all that a bootstrap may hold.
 */
export function readBootstrap(document: JsonObject, registry: Registry): ProxyBootstrap {
  const node = object(get(document, "node"));
  const fixed = object(get(document, "static_resources"));
  const admin = object(get(object(get(object(get(document, "admin")), "address")), "socket_address"));
  const ads = adsConfig(object(get(document, "dynamic_resources")));
  const port = get(admin, "port_value");
  const stats = get(document, "stats_config") as JsonObject | undefined;
  const read = <T>(what: string, list: JsonObject[], one: (json: JsonObject) => T): T[] =>
    list.map((json, index) => {
      try {
        return one(json);
      } catch (cause) {
        throw new BootstrapError(`static_resources.${what}[${index}]: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      }
    });
  return {
    node: {
      id: text(get(node, "id")),
      cluster: text(get(node, "cluster")),
      metadata: object(get(node, "metadata")),
      locality: locality(object(get(node, "locality"))),
    },
    json: JSON.stringify(document),
    clusters: read("clusters", objects(get(fixed, "clusters")), (json) => fromJson(ClusterSchema, json, { registry })),
    listeners: read("listeners", objects(get(fixed, "listeners")), (json) => fromJson(ListenerSchema, json, { registry })),
    secrets: read("secrets", objects(get(fixed, "secrets")), (json) => fromJson(SecretSchema, json, { registry })),
    ...overload(document, registry),
    maxProgramSize: Number(runtime(document)["re2.max_program_size.error_level"] ?? DEFAULT_MAX_PROGRAM_SIZE),
    ...(stats && { statsConfig: fromJson(StatsConfigSchema, stats, { registry }) }),
    ...(typeof port === "number" && { admin: { address: text(get(admin, "address")), port } }),
    ...(ads && { ads }),
  };
}

function runtime(document: JsonObject): Record<string, JsonValue> {
  const values: Record<string, JsonValue> = {};
  for (const layer of objects(get(object(get(document, "layered_runtime")), "layers"))) Object.assign(values, object(get(layer, "static_layer")));
  return values;
}

/** Few bootstraps have one: its types are loaded with the first. */
function overload(document: JsonObject, registry: Registry): { overload?: OverloadConfig } {
  const manager = get(document, "overload_manager");
  const values = runtime(document);
  if (manager === undefined && !Object.keys(values).some((key) => key.endsWith("connection_limit") || key.endsWith("global_downstream_max_connections")))
    return {};
  const { OverloadManagerSchema } = require("../../proto/gen/envoy/config/overload/v3/overload_pb.ts") as typeof OverloadTypes;
  const { readOverload } = require("../overload/index.ts") as typeof OverloadRoom;
  try {
    const config = readOverload(manager === undefined ? undefined : fromJson(OverloadManagerSchema, manager, { registry }), values);
    return config ? { overload: config } : {};
  } catch (cause) {
    throw new BootstrapError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function adsConfig(dynamic: JsonObject): ProxyBootstrap["ads"] {
  const config = object(get(dynamic, "ads_config"));
  if (Object.keys(config).length === 0) {
    if (Object.keys(dynamic).length > 0) throw new BootstrapError("dynamic_resources needs an ads_config: only aggregated discovery is supported");
    return undefined;
  }
  const type = text(get(config, "api_type"));
  if (type !== "DELTA_GRPC" && type !== "GRPC") throw new BootstrapError(`ads_config.api_type ${type || "(none)"} is not supported: use GRPC or DELTA_GRPC`);
  const service = objects(get(config, "grpc_services"))[0] ?? {};
  const clusterName = text(get(object(get(service, "envoy_grpc")), "cluster_name"));
  if (!clusterName) throw new BootstrapError("ads_config.grpc_services needs an envoy_grpc with a cluster_name");
  const metadata = objects(get(service, "initial_metadata")).map(({ key, value }): [string, string] => [text(key), text(value)]);
  return { delta: type === "DELTA_GRPC", clusterName, metadata };
}

function locality(json: JsonObject): { region: string; zone: string; subZone: string } {
  return { region: text(get(json, "region")), zone: text(get(json, "zone")), subZone: text(get(json, "sub_zone")) };
}

/** A field by its name in the .proto file or in camel case, as protojson allows. */
function get(json: JsonObject, name: string): JsonValue | undefined {
  return json[name] ?? json[name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
}

function object(value: JsonValue | undefined): JsonObject {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new BootstrapError(`an object was expected, not ${JSON.stringify(value)}`);
  return value;
}

function objects(value: JsonValue | undefined): JsonObject[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new BootstrapError(`a list was expected, not ${JSON.stringify(value)}`);
  return value.map(object);
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
