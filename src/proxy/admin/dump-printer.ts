import { create, fromJson, toJson, type DescMessage, type JsonObject, type JsonValue, type Registry } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { compileRegex } from "../../base/regex/index.ts";
import { loadRegistry } from "../../proto/index.ts";
import { endpointConfigs } from "./dump-endpoints.ts";
import type { AdminAnswer, DumpEntry, DumpInput, DumpResource, DumpSecret } from "./dump-input.ts";
import { adminJson, timestamp } from "./json.ts";
import { inlineRoutes } from "./dump-routes.ts";

const ADMIN = "envoy.admin.v3.";

/** The page that Envoy's /config_dump answers with: all configurations, or the part that `resource` and `mask` ask for. */
export async function printDump(input: DumpInput): Promise<AdminAnswer> {
  const { resource, mask } = input.query;
  if (secretsOnly(input.query)) return printSecrets(input);
  const registry = await loadRegistry();
  const paths = mask?.split(",").filter((path) => path !== "");
  let matches: (name: string) => boolean = () => true;
  try {
    if (input.query.nameRegex) matches = compileRegex(input.query.nameRegex, "re2").fits;
  } catch (error) {
    return failure(
      400,
      `INVALID_ARGUMENT: Error while parsing name_regex from ${input.query.nameRegex}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const dumps = buildDumps(input, registry, matches);
  if (resource !== undefined) return printResource(dumps, registry, resource, paths);
  const configs: JsonObject[] = [];
  for (const { type, content } of dumps) {
    if (paths && !paths.every((path) => pathExists(registry.getMessage(ADMIN + type), path))) continue;
    configs.push({ "@type": `type.googleapis.com/${ADMIN}${type}`, ...(paths ? trim(content, paths) : content) });
  }
  if (paths && configs.length === 0) return failure(400, `FieldMask ${mask} could not be successfully applied to any configs.`);
  return { status: 200, contentType: "application/json", body: adminJson({ configs }) };
}

/** True for what is printed without knowing any of Envoy's types, in microseconds: the certificates, which tools ask for most. */
export function secretsOnly({ mask, resource, nameRegex }: DumpInput["query"]): boolean {
  return resource === undefined && nameRegex === undefined && mask !== undefined && mask.split(",").every((path) => SECRET_FIELDS.includes(path));
}

const SECRET_FIELDS = ["static_secrets", "dynamic_active_secrets", "dynamic_warming_secrets"];

function printSecrets(input: DumpInput): AdminAnswer {
  const content = trim(
    secretsDump(input, () => true),
    input.query.mask?.split(",") ?? [],
  );
  return {
    status: 200,
    contentType: "application/json",
    body: adminJson({ configs: [{ "@type": `type.googleapis.com/${ADMIN}SecretsConfigDump`, ...content }] }),
  };
}

function secretsDump(input: DumpInput, matches: (name: string) => boolean): JsonObject {
  const select = (secrets: readonly DumpSecret[]): JsonObject[] => secrets.filter(({ name }) => matches(name)).map(secret);
  return prune({
    static_secrets: select(input.secrets.fixed),
    dynamic_active_secrets: select(input.secrets.active),
    dynamic_warming_secrets: input.secrets.warming.filter(matches).map((name) => ({ name, secret: { "@type": SECRET_TYPE, name } })),
  });
}

interface Dump {
  type: string;
  content: JsonObject;
}

/** In the order of Envoy's tracker, which is that of its keys. */
function buildDumps(input: DumpInput, registry: Registry, matches: (name: string) => boolean): Dump[] {
  const decode = (entry: DumpEntry): JsonObject => anyToJson(entry, registry);
  const named = <T extends { name: string }>(list: readonly T[]): T[] => list.filter(({ name }) => matches(name));
  const staticClusters = input.clusters.fixed.map((entry) => ({ entry, json: decode(entry) })).filter(({ json }) => matches(String(json.name)));
  const dynamicClusters = named(input.clusters.dynamic).sort(byName);
  const staticListeners = input.listeners.fixed.map((entry) => ({ entry, json: decode(entry) })).filter(({ json }) => matches(String(json.name)));
  const dynamicListeners = named(input.listeners.dynamic);
  const dumps: Dump[] = [
    { type: "BootstrapConfigDump", content: { bootstrap: bootstrapJson(input, registry), last_updated: timestamp(input.bootstrap.lastUpdated) } },
    {
      type: "ClustersConfigDump",
      content: prune({
        version_info: input.clusters.version,
        static_clusters: staticClusters
          .sort((a, b) => (String(a.json.name) < String(b.json.name) ? -1 : 1))
          .map(({ entry, json }) => ({ cluster: json, last_updated: timestamp(entry.lastUpdated) })),
        dynamic_active_clusters: dynamicClusters.flatMap((resource) =>
          resource.active ? [prune({ ...state("cluster", resource.active, decode), ...errorState(resource, decode) })] : [],
        ),
        dynamic_warming_clusters: dynamicClusters.flatMap((resource) =>
          resource.warming ? [state("cluster", resource.warming, decode)] : resource.active ? [] : [prune(errorState(resource, decode))],
        ),
      }),
    },
  ];
  // Envoy lists these only where some filter is discovered.
  if (input.extensions.length > 0)
    dumps.push({
      type: "EcdsConfigDump",
      content: prune({
        ecds_filters: named(input.extensions).map((resource) =>
          prune({ ...(resource.active && state("ecds_filter", resource.active, decode)), ...errorState(resource, decode) }),
        ),
      }),
    });
  if (input.query.includeEds) dumps.push({ type: "EndpointsConfigDump", content: endpointConfigs(input, decode, matches) });
  dumps.push(
    {
      type: "ListenersConfigDump",
      content: prune({
        version_info: input.listeners.version,
        static_listeners: staticListeners.map(({ entry, json }) => ({ listener: json, last_updated: timestamp(entry.lastUpdated) })),
        dynamic_listeners: dynamicListeners.map((resource) =>
          prune({
            name: resource.name,
            ...(resource.active && { active_state: state("listener", resource.active, decode) }),
            ...(resource.warming && { warming_state: state("listener", resource.warming, decode) }),
            ...errorState(resource, decode),
          }),
        ),
      }),
    },
    { type: "ScopedRoutesConfigDump", content: {} },
    {
      type: "RoutesConfigDump",
      content: prune({
        static_route_configs: inlineRoutes([
          ...staticListeners.map(({ entry, json }) => ({ listener: json, lastUpdated: entry.lastUpdated })),
          ...input.listeners.dynamic.flatMap(({ active }) => (active ? [{ listener: decode(active), lastUpdated: active.lastUpdated }] : [])),
        ]).filter(({ route_config }) => matches(String((route_config as JsonObject).name ?? ""))),
        dynamic_route_configs: named(input.routes).map((resource) =>
          prune({ ...(resource.active && state("route_config", resource.active, decode)), ...errorState(resource, decode) }),
        ),
      }),
    },
    { type: "SecretsConfigDump", content: secretsDump(input, matches) },
  );
  return dumps;
}

function bootstrapJson(input: DumpInput, registry: Registry): JsonObject {
  const json = JSON.parse(input.bootstrap.json) as JsonValue;
  const schema = registry.getMessage("envoy.config.bootstrap.v3.Bootstrap");
  if (!schema) throw new TypeError("the registry lacks Bootstrap");
  // Through the message, for Envoy's order of fields and for values that JSON may spell in several ways.
  return typeFirst(toJson(schema, fromJson(schema, json, { registry, ignoreUnknownFields: true }), { registry, useProtoFieldName: true })) as JsonObject;
}

function state(field: string, entry: DumpEntry, decode: (entry: DumpEntry) => JsonObject): JsonObject {
  return prune({ version_info: entry.version, [field]: decode(entry), last_updated: timestamp(entry.lastUpdated) });
}

function errorState({ error }: DumpResource, decode: (entry: DumpEntry) => JsonObject): JsonObject {
  if (!error) return {};
  return {
    error_state: prune({
      failed_configuration: decode(error.entry),
      last_update_attempt: timestamp(error.entry.lastUpdated),
      details: error.details,
      version_info: error.entry.version,
    }),
  };
}

const SECRET_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const REDACTED = Buffer.from("[redacted]").toString("base64");

function secret(entry: DumpSecret): JsonObject {
  const bytes = (pem: string): JsonObject => ({ inline_bytes: Buffer.from(pem).toString("base64") });
  return prune({
    name: entry.name,
    version_info: entry.version,
    last_updated: timestamp(entry.lastUpdated),
    secret: {
      "@type": SECRET_TYPE,
      name: entry.name,
      ...(entry.certificateChainPem !== undefined && {
        tls_certificate: { certificate_chain: bytes(entry.certificateChainPem), private_key: { inline_bytes: REDACTED } },
      }),
      ...(entry.trustedCaPem !== undefined && { validation_context: { trusted_ca: bytes(entry.trustedCaPem) } }),
    },
  });
}

/** One repeated field of whichever dump has it, each element as an entry of its own. */
function printResource(dumps: Dump[], registry: Registry, resource: string, paths: string[] | undefined): AdminAnswer {
  for (const { type, content } of dumps) {
    const field = registry.getMessage(ADMIN + type)?.fields.find((candidate) => candidate.name === resource);
    if (!field) continue;
    if (field.fieldKind !== "list" || field.listKind !== "message") {
      return failure(400, `${field.name} is not a repeated field. Use ?mask=${field.name} to get only this field`);
    }
    if (paths && !paths.every((path) => pathExists(field.message, path))) return failure(400, `FieldMask ${paths.join(",")} could not be successfully used.`);
    const elements = (content[resource] ?? []) as JsonObject[];
    const configs = elements.map((element) => ({ "@type": `type.googleapis.com/${field.message.typeName}`, ...(paths ? trim(element, paths) : element) }));
    return { status: 200, contentType: "application/json", body: adminJson(configs.length > 0 ? { configs } : {}) };
  }
  return failure(404, `${resource} not found in config dump`);
}

function pathExists(message: DescMessage | undefined, path: string): boolean {
  let current = message;
  const segments = path.split(".");
  return segments.every((segment, index) => {
    const field = current?.fields.find((candidate) => candidate.name === segment);
    if (!field) return false;
    // A mask does not reach into repeated fields.
    current = field.fieldKind === "message" ? field.message : undefined;
    return index === segments.length - 1 || current !== undefined;
  });
}

function trim(content: JsonObject, paths: string[]): JsonObject {
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(content)) {
    if (key === "@type" || paths.includes(key)) {
      out[key] = value;
      continue;
    }
    const below = paths.filter((path) => path.startsWith(`${key}.`)).map((path) => path.slice(key.length + 1));
    if (below.length > 0 && typeof value === "object" && value !== null && !Array.isArray(value)) out[key] = trim(value, below);
  }
  return out;
}

/** A type that we do not know is shown by its bytes: a dump must not fail for one resource. */
function anyToJson(entry: DumpEntry, registry: Registry): JsonObject {
  try {
    return typeFirst(toJson(AnySchema, create(AnySchema, { typeUrl: entry.typeUrl, value: entry.value }), { registry, useProtoFieldName: true })) as JsonObject;
  } catch {
    return { "@type": entry.typeUrl, value: Buffer.from(entry.value).toString("base64") };
  }
}

/** The library adds "@type" at the end of an expanded Any; everybody else prints and expects it first. */
function typeFirst(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(typeFirst);
  if (typeof value !== "object" || value === null) return value;
  const out: JsonObject = "@type" in value ? { "@type": value["@type"] ?? "" } : {};
  for (const [key, child] of Object.entries(value)) if (key !== "@type") out[key] = typeFirst(child);
  return out;
}

/** protojson leaves out what is empty. */
function prune(content: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(content)) if (value !== "" && !(Array.isArray(value) && value.length === 0)) out[key] = value;
  return out;
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function failure(status: number, body: string): AdminAnswer {
  return { status, contentType: "text/plain", body };
}
