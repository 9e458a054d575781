import type { HeaderValueOption } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { HeaderValueOption_HeaderAppendAction as Append } from "../../proto/gen/envoy/config/core/v3/base_pb.ts";
import type { HeaderMap } from "../http/header-map.ts";
import { compileFormat } from "../telemetry/format.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { InvalidResource } from "../types.ts";

/** What a route adds to and takes from headers. */
export type HeaderOps = (headers: HeaderMap, info: StreamInfo) => void;

export interface HeaderOpsConfig {
  readonly add: readonly HeaderValueOption[];
  readonly remove: readonly string[];
}

/** Compiles additions and removals of one level; undefined when there are none. Throws InvalidResource. */
export function compileHeaderOps({ add, remove }: HeaderOpsConfig, hostname: string): HeaderOps | undefined {
  if (add.length === 0 && remove.length === 0) return undefined;
  const additions = add.map((option) => compileAddition(option, hostname));
  const removals = remove.map((name) => modifiable(name));
  return (headers, info) => {
    // As Envoy: a level removes first, then adds.
    for (const name of removals) headers.remove(name);
    for (const addition of additions) addition(headers, info);
  };
}

/** Runs several levels in their order. */
export function joinHeaderOps(levels: readonly (HeaderOps | undefined)[]): HeaderOps | undefined {
  const present = levels.filter((level) => level !== undefined);
  const [only] = present;
  if (only === undefined || present.length === 1) return only;
  return (headers, info) => {
    for (const level of present) level(headers, info);
  };
}

function compileAddition(option: HeaderValueOption, hostname: string): HeaderOps {
  const { header, append, appendAction, keepEmptyValue } = option;
  const name = modifiable(header?.key ?? "");
  const text = header?.value !== undefined && header.value !== "" ? header.value : new TextDecoder().decode(header?.rawValue);
  const value = compileFormat(toLatin1(text), { missing: "", hostname });
  const action = appendAction === Append.APPEND_IF_EXISTS_OR_ADD && append === false ? Append.OVERWRITE_IF_EXISTS_OR_ADD : appendAction;
  return (headers, info) => {
    const current = value(info);
    if (current === "" && !keepEmptyValue) return;
    switch (action) {
      case Append.ADD_IF_ABSENT:
        if (!headers.has(name)) headers.append(name, current);
        break;
      case Append.OVERWRITE_IF_EXISTS_OR_ADD:
        headers.set(name, current);
        break;
      case Append.OVERWRITE_IF_EXISTS:
        if (headers.has(name)) headers.set(name, current);
        break;
      default:
        headers.append(name, current);
    }
  };
}

function modifiable(key: string): string {
  const name = key.toLowerCase();
  if (name === "" || name.startsWith(":") || name === "host") throw new InvalidResource("INVALID_HEADER", `:-prefixed or host headers may not be modified (${key})`);
  if (/[^!#$%&'*+\-.^_`|~0-9a-z]/.test(name)) throw new InvalidResource("INVALID_HEADER", `${JSON.stringify(key)} is not a header name`);
  return name;
}

/** Header values travel as bytes: UTF-8 of the configuration, one character a byte. No line breaks can get in. */
export function toLatin1(text: string): string {
  if (/[\0\r\n]/.test(text)) throw new InvalidResource("INVALID_HEADER", "a header value must not have line breaks or NUL");
  return Buffer.from(text, "utf8").toString("latin1");
}
