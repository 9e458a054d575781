import { errorText } from "../../../base/index.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type ApiRequest, JSON_TYPE, PROTOBUF_TYPE, YAML_TYPE } from "../http/exchange.ts";
import { parseMediaType } from "../http/negotiate.ts";
import { badRequest, unsupportedMediaType } from "../http/status.ts";

/** The kind that an endpoint takes. */
export interface ExpectedKind {
  apiVersion: string;
  kind: string;
}

/**
 * The object in a request's body: JSON, YAML, or protobuf for built-in kinds. apiVersion and kind are filled in where
 * they are left out; without `expected` any kind will do. `onJson` gets the text that was parsed, and the value. Throws 400, 413 and 415.
 */
export async function decodeBody(request: ApiRequest, expected: ExpectedKind | undefined, protobuf: boolean, onJson?: (source: string, value: unknown) => void): Promise<JsonObject> {
  const { type } = parseMediaType(request.header("content-type") ?? JSON_TYPE);
  const bytes = await request.body();
  let value: unknown;
  if (type === PROTOBUF_TYPE && protobuf) {
    const { decodeProtobuf } = await import("../protobuf/index.ts");
    value = decodeProtobuf(bytes);
  } else if (type === YAML_TYPE) value = await parseYaml(text(bytes));
  else if (type === JSON_TYPE || type === "" || type === "application/x-www-form-urlencoded") {
    const source = text(bytes);
    value = parseJson(source);
    onJson?.(source, value);
  } else throw unsupportedMediaType(protobuf ? [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE] : [JSON_TYPE, YAML_TYPE]);
  if (!isObject(value)) throw badRequest(`the object provided is unrecognized (must be of type ${expected?.kind ?? "object"}): couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of type struct (${preview(bytes)})`);
  return expected ? checkKind(value, expected) : value;
}

/** Fills in and compares apiVersion and kind. */
export function checkKind(object: JsonObject, { apiVersion, kind }: ExpectedKind): JsonObject {
  if (object.apiVersion === undefined || object.apiVersion === "") object.apiVersion = apiVersion;
  if (object.kind === undefined || object.kind === "") object.kind = kind;
  if (typeof object.apiVersion !== "string" || typeof object.kind !== "string") throw badRequest(`the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind`);
  if (object.apiVersion !== apiVersion) {
    throw badRequest(`the API version in the data (${object.apiVersion}) does not match the expected API version (${apiVersion})`);
  }
  if (object.kind !== kind) {
    throw badRequest(`${object.kind} in version ${JSON.stringify(object.apiVersion.split("/").at(-1))} cannot be handled as a ${kind}`);
  }
  return object;
}

/** JSON from outside. A field `__proto__` would change prototypes when objects are merged: it is dropped. */
export function parseJson(source: string): unknown {
  try {
    return /__proto__|\\u005f/i.test(source) ? JSON.parse(source, dropPrototype) : JSON.parse(source);
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${errorText(error)}`);
  }
}

export async function parseYaml(source: string): Promise<unknown> {
  const { load, JSON_SCHEMA } = await import("js-yaml");
  try {
    // Through JSON: what JSON cannot say (dates, prototypes) does not get further.
    return parseJson(JSON.stringify(load(source, { schema: JSON_SCHEMA })) ?? "null");
  } catch (error) {
    throw badRequest(`yaml: ${errorText(error)}`);
  }
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function dropPrototype(this: unknown, key: string, value: unknown): unknown {
  return key === "__proto__" ? undefined : value;
}

function preview(bytes: Uint8Array): string {
  return JSON.stringify(text(bytes.subarray(0, 64)));
}
