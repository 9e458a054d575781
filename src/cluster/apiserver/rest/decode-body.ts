import { errorText } from "../../../base/index.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type ApiRequest, JSON_TYPE, PROTOBUF_TYPE, YAML_TYPE } from "../http/exchange.ts";
import { parseMediaType } from "../http/negotiate.ts";
import { badRequest, invalid, StatusError, unsupportedMediaType } from "../http/status.ts";
import { duplicateFields } from "../schema/duplicate-fields.ts";
import { jsonProblem } from "../schema/go-json.ts";

/** As much of a body as a refusal shows. */
const MAX_SHOWN = 1024;

/** The kind that an endpoint takes. */
export interface ExpectedKind {
  apiVersion: string;
  kind: string;
  custom?: boolean;
  /** Of the server's own kinds: whether another one is of them too. */
  known?(apiVersion: string, kind: string): boolean;
}

/**
 * The object in a request's body: JSON, YAML, or protobuf for built-in kinds. apiVersion and kind are filled in where
 * they are left out; without `expected` any kind will do. `onJson` gets the text that was parsed, and the value; `onDuplicate` what is wrong with YAML that names a key twice. Throws 400, 413 and 415.
 */
export async function decodeBody(
  request: ApiRequest,
  expected: ExpectedKind | undefined,
  protobuf: boolean,
  onJson?: (source: string, value: unknown) => void,
  onDuplicate?: (problem: string) => void,
): Promise<JsonObject> {
  const { type } = parseMediaType(request.header("content-type") ?? JSON_TYPE);
  const bytes = await request.body();
  let value: unknown;
  if (type === PROTOBUF_TYPE && protobuf) {
    const { decodeProtobuf } = await import("../protobuf/index.ts");
    value = decodeProtobuf(bytes);
  } else if (type === YAML_TYPE) value = await parseYaml(text(bytes), onDuplicate);
  else if (type === JSON_TYPE || type === "") {
    const source = text(bytes);
    value = parseObject(source, expected);
    onJson?.(source, value);
  } else throw unsupportedMediaType(protobuf ? [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE] : [JSON_TYPE, YAML_TYPE]);
  if (!isObject(value)) {
    const type = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
    throw badRequest(
      unrecognized(
        `json: cannot unmarshal ${type} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
        text(bytes),
        expected,
      ),
    );
  }
  return expected ? checkKind(value, expected) : value;
}

/** Fills in and compares apiVersion and kind. */
export function checkKind(object: JsonObject, { apiVersion, kind, custom, known }: ExpectedKind): JsonObject {
  if (custom) checkCustomKind(object, apiVersion, kind);
  if (object.apiVersion === undefined || object.apiVersion === "") object.apiVersion = apiVersion;
  if (object.kind === undefined || object.kind === "") object.kind = kind;
  if (typeof object.apiVersion !== "string" || typeof object.kind !== "string")
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind`);
  if (object.apiVersion === apiVersion && object.kind === kind) return object;
  const version = JSON.stringify(object.apiVersion.split("/").at(-1));
  if (known && (object.apiVersion !== apiVersion || object.kind !== kind)) {
    const why = known(object.apiVersion, object.kind)
      ? `converting (${object.apiVersion.split("/").at(-1)}.${object.kind}) to (${internalPackage(apiVersion)}.${kind}): unknown conversion`
      : `no kind ${JSON.stringify(object.kind)} is registered for version ${JSON.stringify(object.apiVersion)} in scheme "pkg/runtime/scheme.go:110"`;
    throw badRequest(`${object.kind} in version ${version} cannot be handled as a ${kind}: ${why}`);
  }
  if (object.apiVersion !== apiVersion) {
    throw badRequest(`the API version in the data (${object.apiVersion}) does not match the expected API version (${apiVersion})`);
  }
  if (object.kind !== kind) {
    throw badRequest(`${object.kind} in version ${version} cannot be handled as a ${kind}`);
  }
  return object;
}

/** A custom resource of another kind is told of as an invalid one. */
function checkCustomKind(object: JsonObject, apiVersion: string, kind: string): void {
  if (!object.kind || object.apiVersion !== apiVersion || object.kind === kind) return;
  const { name = "" } = isObject(object.metadata) ? object.metadata : {};
  const group = apiVersion.split("/")[0] ?? "";
  throw invalid({ group, plural: "", kind: String(object.kind) }, String(name), [
    { type: "FieldValueInvalid", field: "kind", message: `Invalid value: ${JSON.stringify(object.kind)}: must be ${kind}` },
  ]);
}

/** The package of Kubernetes' internal types of a group. */
function internalPackage(apiVersion: string): string {
  return apiVersion.includes("/") ? (apiVersion.split(/[./]/)[0] ?? "") : "core";
}

/** JSON from outside. A field `__proto__` would change prototypes when objects are merged: it is dropped. */
export function parseJson(source: string): unknown {
  try {
    return /__proto__|\\u005f/i.test(source) ? JSON.parse(source, dropPrototype) : JSON.parse(source);
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${jsonProblem(source) ?? errorText(error)}`);
  }
}

/** Of a key that comes twice the last counts; `onDuplicate` hears of the first such. Throws 400. */
export async function parseYaml(source: string, onDuplicate?: (problem: string) => void): Promise<unknown> {
  const json = parseCompact(source);
  if (json !== undefined) return json;
  const { load, JSON_SCHEMA } = (yaml ??= await import("js-yaml"));
  // Through JSON: what JSON cannot say (dates, prototypes) does not get further.
  const parse = (json: boolean) => parseJson(JSON.stringify(load(source, { schema: JSON_SCHEMA, json })) ?? "null");
  try {
    return parse(false);
  } catch (error) {
    const duplicate = /^duplicated mapping key \((\d+):(\d+)\)/.exec(errorText(error));
    if (!duplicate) throw badRequest(`yaml: ${errorText(error)}`);
    const [line, column] = [Number(duplicate[1]), Number(duplicate[2])];
    const key = /^["']?([^"':\s]+)/.exec(source.split("\n")[line - 1]?.slice(column - 1) ?? "")?.[1] ?? "";
    onDuplicate?.(`yaml: unmarshal errors:\n  line ${line}: key ${JSON.stringify(key)} already set in map`);
    return parse(true);
  }
}

let yaml: typeof import("js-yaml") | undefined;

/** Programs send JSON where YAML is allowed, and it is read ten times faster. Undefined for all else, and for what has a key twice. */
function parseCompact(source: string): unknown {
  if (!source.startsWith("{")) return undefined;
  try {
    const value = parseJson(source);
    return duplicateFields(source, value).length === 0 ? value : undefined;
  } catch {
    // YAML that begins with a brace; if it is none either, its parser says why.
    return undefined;
  }
}

/** What a parser says, as one warning. */
export function asWarning(problem: string): string {
  return problem.replace(/^yaml: unmarshal errors:\n */, "");
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function parseObject(source: string, expected: ExpectedKind | undefined): unknown {
  try {
    return parseJson(source);
  } catch (error) {
    if (!expected || !(error instanceof StatusError)) throw error;
    throw badRequest(unrecognized(error.message.replace(/^.*json parse error: /s, ""), source, expected));
  }
}

/** The real server shows a body that it cannot read: as it is where it begins like JSON, else in hexadecimal. */
function unrecognized(problem: string, source: string, expected: ExpectedKind | undefined): string {
  const shown =
    source === ""
      ? "<empty>"
      : source.startsWith("{")
        ? cut(source)
        : `${Buffer.from(source.slice(0, MAX_SHOWN)).toString("hex")}${source.length > MAX_SHOWN ? " ..." : ""}`;
  return `the object provided is unrecognized (must be of type ${expected?.kind ?? "object"}): couldn't get version/kind; json parse error: ${problem} (${shown})`;
}

function cut(source: string): string {
  return source.length > MAX_SHOWN ? `${source.slice(0, MAX_SHOWN)} ...` : source;
}

function dropPrototype(this: unknown, key: string, value: unknown): unknown {
  return key === "__proto__" ? undefined : value;
}
