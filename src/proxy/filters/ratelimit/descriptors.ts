import type { RateLimit, RateLimit_Action } from "../../../proto/gen/envoy/config/route/v3/route_components_pb.ts";
import type { HttpStream } from "../../http/http-stream.ts";
import { ipBytes } from "../../match/cidr.ts";
import { compileHeaders } from "../../match/headers.ts";
import { clusterName } from "../../router/route-table.ts";
import { compileQueryParameter } from "../../router/route-match.ts";
import { InvalidResource } from "../../types.ts";

/** What a request counts as: keys with values, in the order of the actions that made them. */
export type Descriptor = readonly (readonly [key: string, value: string])[];

/** The descriptors of a request; those of which an action finds nothing are left out. */
export type Describe = (stream: HttpStream) => Descriptor[];

/** An entry; `skip` leaves only itself out, undefined the whole descriptor. */
type Action = (stream: HttpStream) => readonly [string, string] | "skip" | undefined;

/** Compiles rate limits of one stage; undefined when there are none. Throws InvalidResource. */
export function compileDescriptors(limits: readonly RateLimit[], stage: number): Describe | undefined {
  const compiled = limits.filter((limit) => (limit.stage ?? 0) === stage).map(({ actions }) => actions.map(compileAction));
  if (compiled.length === 0) return undefined;
  return (stream) => {
    const found: Descriptor[] = [];
    for (const actions of compiled) {
      const entries: (readonly [string, string])[] = [];
      let whole = true;
      for (const action of actions) {
        const entry = action(stream);
        if (entry === undefined) {
          whole = false;
          break;
        }
        if (entry !== "skip") entries.push(entry);
      }
      if (whole && entries.length > 0) found.push(entries);
    }
    return found;
  };
}

function compileAction({ actionSpecifier: action }: RateLimit_Action): Action {
  switch (action.case) {
    case "sourceCluster":
      return ({ config }) => ["source_cluster", config.services.node.cluster];
    case "destinationCluster":
      return (stream) => {
        const name = stream.route && clusterName(stream.route.action, stream.request);
        return name === undefined ? undefined : ["destination_cluster", name];
      };
    case "requestHeaders": {
      const { descriptorKey, skipIfAbsent } = action.value;
      const header = action.value.headerName.toLowerCase();
      return ({ request }) => {
        const value =
          header === ":path"
            ? request.path
            : header === ":method"
              ? request.method
              : header === ":authority" || header === "host"
                ? request.authority
                : request.headers.getJoined(header);
        if (value === undefined || value === "") return skipIfAbsent ? "skip" : undefined;
        return [descriptorKey, value];
      };
    }
    case "remoteAddress":
      return (stream) => ["remote_address", stream.remoteIp];
    case "maskedRemoteAddress": {
      const v4 = action.value.v4PrefixMaskLen ?? 32;
      const v6 = action.value.v6PrefixMaskLen ?? 128;
      return ({ remoteIp }) => ["masked_remote_address", masked(remoteIp, remoteIp.includes(":") ? v6 : v4)];
    }
    case "genericKey": {
      const entry = [action.value.descriptorKey || "generic_key", action.value.descriptorValue] as const;
      return () => entry;
    }
    case "headerValueMatch": {
      const entry = [action.value.descriptorKey || "header_match", action.value.descriptorValue] as const;
      const test = compileHeaders(action.value.headers) ?? (() => true);
      const wanted = action.value.expectMatch ?? true;
      return ({ request }) => (test(request) === wanted ? entry : undefined);
    }
    case "queryParameterValueMatch": {
      const entry = [action.value.descriptorKey || "query_match", action.value.descriptorValue] as const;
      const tests = action.value.queryParameters.map(compileQueryParameter);
      const wanted = action.value.expectMatch ?? true;
      return (stream) => (tests.every((test) => test(stream.request, stream.request.path, stream, stream.draw)) === wanted ? entry : undefined);
    }
    case "dynamicMetadata":
    case "metadata": {
      const { descriptorKey, defaultValue, metadataKey } = action.value;
      const fromRoute = action.case === "metadata" && action.value.source === 1;
      const skip = action.case === "metadata" && action.value.skipIfAbsent;
      const path = (metadataKey?.path ?? []).map(({ segment }) => segment.value ?? "");
      const filter = metadataKey?.key ?? "";
      return (stream) => {
        let value: unknown = fromRoute ? stream.route?.metadata[filter] : stream.dynamicMetadata?.get(filter);
        for (const key of path) value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
        const text = typeof value === "string" && value !== "" ? value : defaultValue;
        return text !== "" ? [descriptorKey, text] : skip ? "skip" : undefined;
      };
    }
  }
  throw new InvalidResource("UNSUPPORTED_RATELIMIT", `rate limit action ${action.case ?? "(none)"} is not supported`);
}

/** The network that an address is in, as `10.1.0.0/16`. */
function masked(address: string, length: number): string {
  const bytes = ipBytes(address);
  if (!bytes) return address;
  const kept = bytes.map((byte, index) => byte & (0xff << Math.min(8, Math.max(0, 8 - (length - index * 8)))));
  if (kept.length === 4) return `${kept.join(".")}/${length}`;
  const groups = Array.from({ length: 8 }, (_, index) => (((kept[index * 2] ?? 0) << 8) | (kept[index * 2 + 1] ?? 0)).toString(16)).join(":");
  // The longest run of zeros is written short, as everywhere.
  const zeros = (groups.match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? []).sort((a, b) => b.length - a.length)[0];
  return `${zeros === undefined ? groups : groups.replace(zeros, groups.startsWith(zeros) || groups.endsWith(zeros) ? "::" : ":").replace(/:{3,}/, "::")}/${length}`;
}
