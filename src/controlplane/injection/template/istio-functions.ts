import { BUILTINS } from "./builtins.ts";
import { fieldOf, goText, GoStruct, isMap, jsonOf } from "./data.ts";
import type { Functions } from "./evaluate.ts";
import { SPRIG, yamlText } from "./sprig.ts";

const text = (value: unknown): string => (value === undefined || value === null ? "" : goText(value));
const strings = (value: unknown): Record<string, string> => (isMap(value) ? (value as Record<string, string>) : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const sortedJson = (value: Record<string, unknown>): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.keys(value)
        .sort()
        .map((key) => [key, value[key]]),
    ),
  );

/** Everything that a template of Istio may call. `env` reads istiod's environment. */
export function templateFunctions(environment: Readonly<Record<string, string | undefined>>): Functions {
  return { ...SPRIG, ...BUILTINS, ...ISTIO, env: (name, fallback) => environment[text(name)] || text(fallback) };
}

const ISTIO: Functions = {
  formatDuration: text,
  isset: (map, key) => Object.hasOwn(strings(map), text(key)),
  annotation: (metadata, name, fallback) => strings(fieldOf(metadata, "Annotations"))[text(name)] ?? goText(fallback),
  valueOrDefault: (value, fallback) => (value === "" || value === undefined || value === null ? fallback : value),
  excludeInboundPort: (port, excluded) => withPort(text(port).trim(), text(excluded)),
  includeInboundPorts: (containers) => portsOf(list(containers)),
  applicationPorts: (containers) => portsOf(list(containers).filter((container) => fieldOf(container, "Name") !== "istio-proxy")),
  kubevirtInterfaces: (value) => value,
  excludeInterfaces: (value) => value,
  toJSON: (map) => (map === undefined || map === null ? "{}" : sortedJson(strings(map))),
  fromJSON: (value) => parsed(text(value)),
  structToJSON: (value) => JSON.stringify(inGoOrder(jsonOf(value ?? null))),
  protoToJSON: (value) => (value === undefined || value === null ? "{}" : JSON.stringify(jsonOf(value))),
  toYaml: yamlText,
  // Not the first line, other than sprig's.
  indent: (spaces, value) => text(value).replaceAll("\n", `\n${" ".repeat(Math.max(Number(spaces), 0))}`),
  directory: (path) => text(path).slice(0, text(path).lastIndexOf("/") + 1),
  contains: (needle, haystack) => text(haystack).includes(text(needle)),
  toLower: (value) => text(value).toLowerCase(),
  appendMultusNetwork: (existing, network) => withNetwork(text(existing), text(network)),
  omit: (map, ...keys) => Object.fromEntries(Object.entries(strings(map)).filter(([key]) => !keys.includes(key))),
  omitNil: withoutNil,
  strdict: (...pairs) =>
    Object.fromEntries(Array.from({ length: Math.ceil(pairs.length / 2) }, (_, index) => [text(pairs[index * 2]), text(pairs[index * 2 + 1])])),
  toJsonMap: (...maps) => sortedJson(Object.assign({}, ...maps.map(strings)) as Record<string, unknown>),
  mergeMaps: (...maps) => Object.assign({}, ...maps.map(strings)) as Record<string, string>,
  otelResourceAttributes: (mesh, annotations, labels, namespace, containers) =>
    resourceAttributes(mesh, strings(annotations), strings(labels), text(namespace), list(containers)),
};

/** The fields of a container's port, which is what templates write as JSON, in the order of Go's type. */
const PORT_FIELDS = ["name", "hostPort", "containerPort", "protocol", "hostIP"];

function inGoOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inGoOrder);
  if (!isMap(value) || !Object.hasOwn(value, "containerPort")) return value;
  return Object.fromEntries([...PORT_FIELDS, ...Object.keys(value)].filter((field) => Object.hasOwn(value, field)).map((field) => [field, value[field]]));
}

/** Also from what is within; what has nothing left goes too. */
function withoutNil(value: unknown): unknown {
  if (Array.isArray(value)) {
    const kept = value.map(withoutNil).filter((item) => item !== undefined);
    return kept.length === 0 && value.length > 0 ? undefined : kept;
  }
  if (!isMap(value)) return value ?? undefined;
  const kept = Object.entries(value)
    .map(([key, item]) => [key, withoutNil(item)] as const)
    .filter(([, item]) => item !== undefined);
  return kept.length === 0 && Object.keys(value).length > 0 ? undefined : Object.fromEntries(kept);
}

function withPort(port: string, excluded: string): string {
  if (port === "" || port === "0") return excluded;
  const ports = excluded.split(",");
  return ports.includes(port) ? excluded : [...ports.map((one) => one.trim()).filter((one) => one !== ""), port].join(",");
}

function portsOf(containers: readonly unknown[]): string {
  return containers
    .flatMap((container) => list(fieldOf(container, "Ports")))
    .filter((port) => !["UDP", "SCTP"].includes(text(fieldOf(port, "Protocol"))))
    .map((port) => text(fieldOf(port, "ContainerPort")))
    .join(",");
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return "{}";
  }
}

/** Adds a network to Multus' annotation, in whichever of its two forms it is. */
function withNetwork(existing: string, network: string): string {
  if (existing === "") return network;
  const end = existing.lastIndexOf("]");
  if (end < 0) return existing.split(",").some((one) => one.trim() === network) ? existing : `${existing}, ${network}`;
  const networks = parsed(existing);
  if (!Array.isArray(networks)) return existing;
  const slash = network.indexOf("/");
  const [namespace, name] = [network.slice(0, Math.max(slash, 0)), network.slice(slash + 1)];
  if (networks.some((one: unknown) => isMap(one) && one["name"] === name && (one["namespace"] ?? "") === namespace)) return existing;
  return `${existing.slice(0, end)}, ${namespace === "" ? `{"name": "${name}"}` : `{"name": "${name}", "namespace": "${namespace}"}`}${existing.slice(end)}`;
}

const NAMESPACE = "resource.opentelemetry.io/service.namespace";
const VERSION = "resource.opentelemetry.io/service.version";
const INSTANCE = "resource.opentelemetry.io/service.instance.id";

/** What OpenTelemetry calls a workload, where a provider asks for that. */
function resourceAttributes(
  mesh: unknown,
  annotations: Record<string, string>,
  labels: Record<string, string>,
  namespace: string,
  containers: readonly unknown[],
): string {
  const wanted = list(fieldOf(mesh, "ExtensionProviders")).some(
    (provider) => fieldOf(fieldOf(provider, "Opentelemetry"), "ServiceAttributeEnrichment") === "OTEL_SEMANTIC_CONVENTIONS",
  );
  if (!wanted) return "";
  const [only] = containers;
  const image = containers.length === 1 && only instanceof GoStruct ? text(only.get("Image")) : "";
  const [, tag = "", digest = ""] = /^[^@]*?(?::([^/:@]+))?(?:@(.+))?$/.exec(image) ?? [];
  const name = text(fieldOf(only, "Name"));
  const attributes = [
    ["service.namespace", annotations[NAMESPACE] || namespace],
    ["service.version", annotations[VERSION] || labels["app.kubernetes.io/version"] || [tag, digest].filter(Boolean).join("@")],
    ["service.instance.id", annotations[INSTANCE] || (containers.length === 1 && name !== "" ? `${namespace}.$(POD_NAME).${name}` : "")],
  ];
  return attributes
    .filter(([, value]) => value)
    .map((pair) => pair.join("="))
    .join(",");
}
