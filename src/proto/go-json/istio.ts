import { NETWORKING } from "./istio-networking.ts";
import { POLICIES } from "./istio-policies.ts";
import type { EnumType, FieldType, MessageType, Scalar, ValueType, WellKnown } from "./types.ts";

/**
 * The notation of the tables: a line is a message with its fields in the order of its definition. After a field's name
 * stand `[]` for a list and `{}` for a map, with the type of its keys where they are no strings; `^` is for those of which
 * a message holds one, with a number where there are several such groups. A type that starts with a dot is nested in the
 * message, one with a slash is of another package, `#` marks an enumeration. Wrappers are read as what they wrap.
 */
const TABLES = { ...NETWORKING, ...POLICIES };

const SCALARS: ReadonlySet<string> = new Set<Scalar>(["bool", "int32", "uint32", "int64", "uint64", "float", "double", "string", "bytes"]);
const WELL_KNOWN: ReadonlySet<string> = new Set<WellKnown>(["Any", "Duration", "Timestamp", "Struct", "Value", "ListValue"]);

/** Which package a group's messages are in; ProxyConfig is the one that is not with its group. */
const PACKAGES: Readonly<Record<string, string>> = {
  "networking.istio.io": "networking.v1alpha3",
  "security.istio.io": "security.v1beta1",
  "telemetry.istio.io": "telemetry.v1alpha1",
  "extensions.istio.io": "extensions.v1alpha1",
};

let messages: Map<string, string> | undefined;
const enums = new Map<string, EnumType>();
const read = new Map<string, MessageType>();

/** The message of a kind's spec; undefined for kinds that are none of Istio's. */
export function istioMessage(group: string, kind: string): MessageType | undefined {
  const name = kind === "ProxyConfig" ? "networking.v1beta1" : PACKAGES[group];
  return name === undefined ? undefined : message(`${name}.${kind}`);
}

function message(name: string): MessageType | undefined {
  messages ??= readTables();
  const known = read.get(name);
  if (known) return known;
  const line = messages.get(name);
  if (line === undefined) return undefined;
  const fields: FieldType[] = [];
  const type: MessageType = { kind: "message", name: `istio.${name}`, fields };
  // Before its fields: messages may hold themselves.
  read.set(name, type);
  for (const entry of line.split(", ").filter(Boolean)) fields.push(field(entry, name));
  return type;
}

function readTables(): Map<string, string> {
  const all = new Map<string, string>();
  for (const [name, { messages: lines, enums: words }] of Object.entries(TABLES)) {
    for (const [own, list] of entries(lines)) all.set(`${name}.${own}`, list);
    for (const [own, list] of entries(words))
      enums.set(`${name}.${own}`, { kind: "enum", name: `istio.${name}.${own}`, values: new Map(list.split(" ").map((word, number) => [word, number])) });
  }
  return all;
}

function entries(lines: string): [string, string][] {
  return lines
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
}

function field(entry: string, owner: string): FieldType {
  const [marked = "", type = ""] = entry.split(" ");
  const [, name = "", list, map, oneof] = /^(\w+)(\[\])?(\{\w*\})?(\^\d?)?$/.exec(marked) ?? [];
  return {
    name,
    jsonName: name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()).replaceAll("_", ""),
    list: list !== undefined,
    ...(oneof !== undefined && { oneof }),
    ...(map !== undefined && { mapKey: (map.slice(1, -1) || "string") as Scalar }),
    type: valueType(type, owner),
  };
}

function valueType(text: string, owner: string): ValueType {
  if (SCALARS.has(text)) return { kind: "scalar", scalar: text as Scalar };
  if (WELL_KNOWN.has(text)) return { kind: "wellKnown", wellKnown: text as WellKnown };
  const path = text.replace("#", "");
  const place = /^\w+\.\w+/.exec(owner)?.[0] ?? "";
  const name = path.startsWith("/") ? path.slice(1) : path.startsWith(".") ? `${owner}${path}` : `${place}.${path}`;
  const found = text.startsWith("#") ? enums.get(name) : message(name);
  if (!found) throw new Error(`the tables of Istio's messages do not have ${name}, which ${owner} names`);
  return found;
}
