import { PreserveCaseFormatterConfigSchema } from "../../proto/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts";
import type { Http1ProtocolOptions } from "../../proto/gen/envoy/config/core/v3/protocol_pb.ts";
import { InvalidResource } from "../types.ts";
import type { HeaderMap } from "./header-map.ts";

/** How the names of a head are written on HTTP/1; undefined for lower-case as they are. */
export type HeaderCase = (headers: HeaderMap) => ((name: string) => string) | undefined;

/** `header_key_format`: words in capitals, or as the other side wrote them. Undefined for Envoy's lower-case. */
export function compileHeaderCase(options: Http1ProtocolOptions | undefined): HeaderCase | undefined {
  const format = options?.headerKeyFormat?.headerFormat;
  switch (format?.case) {
    case undefined:
      return undefined;
    case "properCaseWords":
      return () => properCase;
    case "statefulFormatter": {
      const url = format.value.typedConfig?.typeUrl ?? "";
      if (!url.endsWith(`/${PreserveCaseFormatterConfigSchema.typeName}`)) {
        throw new InvalidResource("UNKNOWN_FORMATTER", `Didn't find a registered implementation for '${format.value.name}' with type URL: '${url}'`);
      }
      return ({ cases }) => cases && ((name) => cases.get(name) ?? name);
    }
  }
}

function properCase(name: string): string {
  return name.replace(/(^|[^a-z0-9])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}
