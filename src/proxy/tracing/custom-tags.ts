import type { CustomTag } from "../../proto/gen/envoy/type/tracing/v3/custom_tag_pb.ts";
import { compileFormat } from "../telemetry/format.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { InvalidResource } from "../types.ts";

/** Tags of the configuration, each with how its value is found; an empty value means no tag. */
export type ReadonlyTags = readonly (readonly [name: string, value: (info: StreamInfo) => string])[];

/** Throws InvalidResource. */
export function compileCustomTags(tags: readonly CustomTag[], environment: { readonly [name: string]: string | undefined }, hostname: string): ReadonlyTags {
  return tags.map((tag) => [tag.tag, compileTag(tag, environment, hostname)] as const);
}

function compileTag({ tag, type }: CustomTag, environment: { readonly [name: string]: string | undefined }, hostname: string): (info: StreamInfo) => string {
  switch (type.case) {
    case "literal": {
      const { value } = type.value;
      return () => value;
    }
    case "environment": {
      const value = environment[type.value.name] ?? type.value.defaultValue;
      return () => value;
    }
    case "requestHeader": {
      const name = type.value.name.toLowerCase();
      const { defaultValue } = type.value;
      return (info) => info.request?.headers.get(name) ?? defaultValue;
    }
    case "value":
      return compileFormat(type.value, { missing: "", hostname });
    case "metadata": {
      const { defaultValue, kind, metadataKey } = type.value;
      const path = (metadataKey?.path ?? []).map(({ segment }) => segment.value ?? "");
      const filter = metadataKey?.key ?? "";
      const fields = METADATA[kind?.kind.case ?? "request"];
      return (info) => {
        let value: unknown = fields(info, filter);
        for (const key of path) value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
        if (value === undefined || value === null) return defaultValue;
        return typeof value === "string" ? value : JSON.stringify(value);
      };
    }
  }
  throw new InvalidResource("INVALID_TRACING", `CustomTagValidationError.Type: value is required (${tag})`);
}

const METADATA: Record<"request" | "route" | "cluster" | "host", (info: StreamInfo, filter: string) => unknown> = {
  request: (info, filter) => info.dynamicMetadata?.get(filter),
  route: (info, filter) => info.route?.metadata[filter],
  cluster: (info, filter) => info.upstreamCluster?.metadata[filter],
  host: (info, filter) => info.upstreamHost?.metadata[filter],
};
