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
  const [only] = additions;
  return (headers, info) => {
    // As Envoy: a level removes first, then adds.
    for (const name of removals) headers.remove(name);
    if (!only) return;
    if (additions.length === 1) {
      const change = only(headers, info);
      if (change) apply(headers, change);
      return;
    }
    // All are judged by what there is before any of them: then what replaces comes first.
    const changes: Change[] = [];
    for (const addition of additions) {
      const change = addition(headers, info);
      if (change) changes.push(change);
    }
    for (const change of changes) if (change.replaces) apply(headers, change);
    for (const change of changes) if (!change.replaces) apply(headers, change);
  };
}

interface Change {
  readonly name: string;
  readonly value: string;
  readonly replaces: boolean;
}

function apply(headers: HeaderMap, { name, value, replaces }: Change): void {
  if (replaces) headers.set(name, value);
  else if (ONE_LINE.has(name) && headers.has(name)) {
    if (value !== "") headers.appendToValue(name, value);
  } else headers.append(name, value);
}

/** Those that Envoy keeps in one line each: what is added to them stands behind a comma. */
const ONE_LINE: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "date",
  "envoy-attempt-count",
  "grpc-message",
  "grpc-status",
  "grpc-timeout",
  "keep-alive",
  "server",
  "user-agent",
  "via",
  "x-forwarded-client-cert",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-request-id",
  "x-envoy-attempt-count",
  "x-envoy-decorator-operation",
  "x-envoy-original-path",
  "x-envoy-original-host",
  "x-envoy-upstream-service-time",
]);

/** Runs several levels in their order. */
export function joinHeaderOps(levels: readonly (HeaderOps | undefined)[]): HeaderOps | undefined {
  const present = levels.filter((level) => level !== undefined);
  const [only] = present;
  if (only === undefined || present.length === 1) return only;
  return (headers, info) => {
    for (const level of present) level(headers, info);
  };
}

function compileAddition(option: HeaderValueOption, hostname: string): (headers: HeaderMap, info: StreamInfo) => Change | undefined {
  const { header, append, appendAction, keepEmptyValue } = option;
  const name = modifiable(header?.key ?? "");
  const text = header?.value !== undefined && header.value !== "" ? header.value : new TextDecoder().decode(header?.rawValue);
  const value = compileFormat(toLatin1(text), { missing: "", hostname });
  const action = appendAction === Append.APPEND_IF_EXISTS_OR_ADD && append === false ? Append.OVERWRITE_IF_EXISTS_OR_ADD : appendAction;
  const replaces = action === Append.OVERWRITE_IF_EXISTS_OR_ADD || action === Append.OVERWRITE_IF_EXISTS;
  return (headers, info) => {
    const current = value(info);
    if (current === "" && !keepEmptyValue) return undefined;
    if (action === Append.ADD_IF_ABSENT && headers.has(name)) return undefined;
    if (action === Append.OVERWRITE_IF_EXISTS && !headers.has(name)) return undefined;
    return { name, value: current, replaces };
  };
}

function modifiable(key: string): string {
  const name = key.toLowerCase();
  if (name === "" || name.startsWith(":") || name === "host")
    throw new InvalidResource("INVALID_HEADER", `:-prefixed or host headers may not be modified (${key})`);
  if (/[^!#$%&'*+\-.^_`|~0-9a-z]/.test(name)) throw new InvalidResource("INVALID_HEADER", `${JSON.stringify(key)} is not a header name`);
  return name;
}

/** Header values travel as bytes: UTF-8 of the configuration, one character a byte. No line breaks can get in. */
export function toLatin1(text: string): string {
  if (/[\0\r\n]/.test(text)) throw new InvalidResource("INVALID_HEADER", "a header value must not have line breaks or NUL");
  return Buffer.from(text, "utf8").toString("latin1");
}
