import { PreserveCaseFormatterConfigSchema } from "../../proto/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts";
import type { Http1ProtocolOptions } from "../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import { InvalidResource } from "../types.ts";
import type { HeaderMap } from "./header-map.ts";

/** How the names of a head are written on HTTP/1. */
export interface HeaderCase {
  /** Heads that come keep how their names were written, and are written so again wherever they go. */
  readonly keep: boolean;
  /** For heads that did not come with a way to write them; undefined for lower-case as they are. */
  readonly name?: (name: string) => string;
}

/** `header_key_format`: words in capitals, or as the other side wrote them. Undefined for Envoy's lower-case. */
export function compileHeaderCase(options: Http1ProtocolOptions | undefined): HeaderCase | undefined {
  const format = options?.headerKeyFormat?.headerFormat;
  switch (format?.case) {
    case undefined:
      return undefined;
    case "properCaseWords":
      return { keep: false, name: properCase };
    case "statefulFormatter": {
      const url = format.value.typedConfig?.typeUrl ?? "";
      if (!url.endsWith(`/${PreserveCaseFormatterConfigSchema.typeName}`)) {
        throw new InvalidResource("UNKNOWN_FORMATTER", `Didn't find a registered implementation for '${format.value.name}' with type URL: '${url}'`);
      }
      return { keep: true };
    }
  }
}

/** The writer of the names in `headers`: that of the message, else that of the connection. */
export function nameWriter(headers: HeaderMap, own: HeaderCase | undefined): ((name: string) => string) | undefined {
  const { cases } = headers;
  return cases ? (name) => cases.get(name) ?? name : own?.name;
}

function properCase(name: string): string {
  return name.replace(/(^|[^a-z0-9])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}
