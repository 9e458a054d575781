import { fromJson, type JsonObject, type JsonValue, type Registry } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { loadRegistry } from "../../proto/index.ts";
import type { DumpEntry, DumpInput, DumpQuery, DumpResource, DumpSecret } from "./dump-input.ts";
import { printDump } from "./dump-printer.ts";

type Config = JsonObject & { "@type": string };

const registry = await loadRegistry();
const golden = (name: string): string =>
  Buffer.from(Bun.gunzipSync(readFileSync(`${import.meta.dir}/../../../test/golden/envoy/${name}-config_dump.json.gz`))).toString("utf8");

/**
 * Envoy prints maps, and the set of inline route configurations, in the order of its hash tables: compared without it. It
 * keeps an inline one's time over changes of its listener's other chains, which we do not.
 */
function sortHashed(text: string): string {
  const sort = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(sort);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, child]) => [key, sort(child)]),
    );
  };
  const walk = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => {
        if (key === "static_route_configs" && Array.isArray(child))
          return [
            key,
            child.map((entry) => walk({ ...(entry as JsonObject), last_updated: "" })).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
          ];
        return [key, MAPS.has(key) ? sort(child) : walk(child)];
      }),
    );
  };
  return `${JSON.stringify(walk(JSON.parse(text)), null, 1)}\n`;
}
const MAPS = new Set(["metadata", "filter_metadata", "typed_extension_protocol_options", "typed_per_filter_config", "static_layer", "fields"]);

/** The input that a proxy in Envoy's place would have had. */
function inputOf(text: string, query: DumpQuery): DumpInput {
  const configs = (JSON.parse(text) as { configs: Config[] }).configs;
  const config = (type: string): JsonObject => configs.find((candidate) => candidate["@type"].endsWith(`.${type}`)) ?? {};
  const list = (value: JsonValue | undefined): JsonObject[] => (value ?? []) as JsonObject[];
  const time = (holder: JsonObject): number => Date.parse(String(holder.last_updated));
  const bootstrap = config("BootstrapConfigDump");
  const clusters = config("ClustersConfigDump");
  const listeners = config("ListenersConfigDump");
  const endpoints = list(config("EndpointsConfigDump").dynamic_endpoint_configs).map((entry) => {
    const assignment = entry.endpoint_config as JsonObject;
    return { ...encode(assignment, entry, registry), name: String(assignment.cluster_name) };
  });
  const secrets = list(config("SecretsConfigDump").dynamic_active_secrets).map((entry): DumpSecret => {
    const secret = entry.secret as {
      tls_certificate?: { certificate_chain: { inline_bytes: string } };
      validation_context?: { trusted_ca: { inline_bytes: string } };
    };
    const pem = (base64: string): string => Buffer.from(base64, "base64").toString("utf8");
    return {
      name: String(entry.name),
      version: String(entry.version_info),
      lastUpdated: time(entry),
      ...(secret.tls_certificate && { certificateChainPem: pem(secret.tls_certificate.certificate_chain.inline_bytes) }),
      ...(secret.validation_context && { trustedCaPem: pem(secret.validation_context.trusted_ca.inline_bytes) }),
    };
  });
  return {
    query,
    bootstrap: { json: JSON.stringify(bootstrap.bootstrap), lastUpdated: time(bootstrap) },
    clusters: {
      version: String(clusters.version_info),
      fixed: list(clusters.static_clusters).map((entry) => encode(entry.cluster as JsonObject, entry, registry)),
      dynamic: list(clusters.dynamic_active_clusters).map((entry): DumpResource => ({
        name: String((entry.cluster as JsonObject).name),
        active: encode(entry.cluster as JsonObject, entry, registry),
      })),
    },
    listeners: {
      version: String(listeners.version_info),
      fixed: list(listeners.static_listeners).map((entry) => encode(entry.listener as JsonObject, entry, registry)),
      dynamic: list(listeners.dynamic_listeners).map((entry): DumpResource => {
        const active = entry.active_state as JsonObject;
        return { name: String(entry.name), active: encode(active.listener as JsonObject, active, registry) };
      }),
    },
    routes: list(config("RoutesConfigDump").dynamic_route_configs).map((entry) => ({
      name: String((entry.route_config as JsonObject).name),
      active: encode(entry.route_config as JsonObject, entry, registry),
    })),
    extensions: [],
    endpoints,
    unhealthy: {},
    secrets: { fixed: [], active: secrets, warming: [] },
  };
}

function encode(json: JsonObject, holder: JsonObject, types: Registry): DumpEntry {
  const { typeUrl, value } = fromJson(AnySchema, json, { registry: types, ignoreUnknownFields: true });
  return { typeUrl, value, version: String(holder.version_info ?? ""), lastUpdated: Date.parse(String(holder.last_updated ?? "2026-01-01T00:00:00Z")) };
}

test.each(["permissive", "strict"])("the %s dump of a real Envoy is printed again, byte for byte but for maps", async (name) => {
  const text = golden(name);
  const { status, contentType, body } = await printDump(inputOf(text, { includeEds: true }));
  expect([status, contentType]).toEqual([200, "application/json"]);
  const ours = sortHashed(body).split("\n");
  const theirs = sortHashed(text).split("\n");
  // The first difference says more than two documents of ten thousand lines.
  const at = theirs.findIndex((line, index) => line !== ours[index]);
  expect({ at, ours: ours.slice(at - 3, at + 3) }).toEqual({ at: -1, ours: ours.slice(-4, 2) });
  expect(ours.length).toBe(theirs.length);
});

const ask = async (query: Partial<DumpQuery>): Promise<{ status: number; json: { configs?: JsonObject[] }; body: string }> => {
  const { status, body } = await printDump(inputOf(golden("permissive"), { includeEds: false, ...query }));
  return { status, body, json: (status === 200 ? JSON.parse(body) : {}) as { configs?: JsonObject[] } };
};

test("masks keep the dumps that have every field, and of those only the fields", async () => {
  const secrets = await ask({ mask: "dynamic_active_secrets,dynamic_warming_secrets" });
  expect(secrets.json.configs?.map((config) => Object.keys(config))).toEqual([["@type", "dynamic_active_secrets"]]);
  expect(secrets.body).toContain(`"inline_bytes": "${Buffer.from("[redacted]").toString("base64")}"`);
  const bootstrap = await ask({ mask: "bootstrap.node.id" });
  expect(bootstrap.json.configs).toHaveLength(1);
  const shown = bootstrap.json.configs?.[0]?.bootstrap as { node: JsonObject } | undefined;
  expect(Object.keys(shown?.node ?? {})).toEqual(["id"]);
  const none = await ask({ mask: "no_such_field" });
  expect([none.status, none.body]).toEqual([400, "FieldMask no_such_field could not be successfully applied to any configs."]);
});

test("resource, with and without a mask, and names by regular expression", async () => {
  const listeners = await ask({ resource: "dynamic_listeners", mask: "active_state.listener", nameRegex: "virtual.*" });
  expect(listeners.json.configs?.map((config) => [config["@type"], Object.keys(config)])).toEqual([
    ["type.googleapis.com/envoy.admin.v3.ListenersConfigDump.DynamicListener", ["@type", "active_state"]],
    ["type.googleapis.com/envoy.admin.v3.ListenersConfigDump.DynamicListener", ["@type", "active_state"]],
  ]);
  const clusters = await ask({ resource: "dynamic_active_clusters", nameRegex: "inbound.*" });
  expect(clusters.json.configs?.map((config) => (config.cluster as JsonObject).name)).toEqual(["inbound|8081||"]);
  expect((await ask({ resource: "nothing" })).status).toBe(404);
  expect((await ask({ resource: "version_info" })).status).toBe(400);
  expect((await ask({ nameRegex: "(" })).status).toBe(400);
});
