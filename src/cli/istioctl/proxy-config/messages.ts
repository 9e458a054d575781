import { createRegistry, fromJson, type DescMessage, type JsonValue, type Message, type Registry } from "@bufbuild/protobuf";
import { ChainmailError } from "../../../base/index.ts";
import { loadRegistry } from "../../../proto/index.ts";
import { jsonpb, jsonpbList, marshalIndent } from "../format/go-json.ts";
import { goYaml } from "../format/go-yaml.ts";
import type { Json } from "./dump.ts";

/** `-o json` and `-o yaml` of parts of a dump: through the messages, which gives camel case and istioctl's order of fields. */
export async function printMessages(typeName: string, values: readonly Json[], format: "json" | "yaml"): Promise<string> {
  const { registry, schema } = await load(typeName);
  return finish(
    jsonpbList(
      schema,
      values.map((value) => decode(schema, value, registry)),
      registry,
    ),
    format,
  );
}

export async function printMessage(typeName: string, value: Json, format: "json" | "yaml"): Promise<string> {
  const { registry, schema } = await load(typeName);
  return finish(jsonpb(schema, decode(schema, value, registry), registry), format);
}

/** The text of an admin page as it came, or as YAML. */
export function printRaw(text: string, format: "json" | "yaml"): string {
  return finish(text, format);
}

export function printValue(value: unknown, format: "json" | "yaml", indent = "    "): string {
  return finish(marshalIndent(value, indent), format);
}

function finish(json: string, format: "json" | "yaml"): string {
  return format === "json" ? `${json}\n` : `${goYaml(JSON.parse(json))}\n`;
}

async function load(typeName: string): Promise<{ registry: Registry; schema: DescMessage }> {
  const registry = await (SMALL_REGISTRIES[typeName] ?? loadRegistry)();
  const schema = registry.getMessage(typeName);
  if (!schema) throw new TypeError(`no type ${typeName}`);
  return { registry, schema };
}

/** Documents of few types: loading all of Envoy's would take most of the command's time. */
const SMALL_REGISTRIES: Record<string, () => Promise<Registry>> = {
  async "envoy.admin.v3.SecretsConfigDump"() {
    const [dump, secret] = await Promise.all([
      import("../../../proto/gen/envoy/admin/v3/config_dump_pb.ts"),
      import("../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts"),
    ]);
    return createRegistry(dump.file_envoy_admin_v3_config_dump, secret.file_envoy_extensions_transport_sockets_tls_v3_secret);
  },
};

function decode(schema: DescMessage, value: Json, registry: Registry): Message {
  const { "@type": _, ...fields } = value;
  try {
    return fromJson(schema, fields as JsonValue, { registry, ignoreUnknownFields: true });
  } catch (cause) {
    throw new ChainmailError("DUMP_UNREADABLE", `${schema.typeName}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
