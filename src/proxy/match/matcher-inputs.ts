import type { TypedExtensionConfig } from "../../proto/gen/xds/core/v3/extension_pb.ts";
import * as network from "../../proto/gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.ts";
import * as ssl from "../../proto/gen/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb.ts";
import { IpSchema } from "../../proto/gen/envoy/extensions/matching/input_matchers/ip/v3/ip_pb.ts";
import { HttpRequestHeaderMatchInputSchema } from "../../proto/gen/envoy/type/matcher/v3/http_inputs_pb.ts";
import { CelMatcherSchema } from "../../proto/gen/xds/type/matcher/v3/cel_pb.ts";
import { HttpAttributesCelMatchInputSchema } from "../../proto/gen/xds/type/matcher/v3/http_inputs_pb.ts";
import { unpackAny } from "../../proto/index.ts";
import type { RequestHead } from "../http/header-map.ts";
import type { ConnectionInfo } from "../net/connection-info.ts";
import { compileCelFilter } from "../telemetry/cel-filter.ts";
import { StreamInfo } from "../telemetry/stream-info.ts";
import { InvalidResource } from "../types.ts";
import { compileCidrs, isLoopback } from "./cidr.ts";
import { celText } from "./cel-text.ts";
import { headerReader } from "./headers.ts";

/** What a matcher tree looks at: a request with its connection, or a connection alone. */
export interface MatchSource {
  readonly downstream: ConnectionInfo;
  /** The client's address, by x-forwarded-for where that is believed. */
  readonly remoteIp: string;
  readonly request: RequestHead | undefined;
}

/** Which inputs there are besides those of connections, and what the tree is called when one is refused. */
export interface MatchWhere {
  /** There are requests, with headers. */
  readonly http: boolean;
  /** What listener filters find out counts too. */
  readonly listener: boolean;
  readonly name: string;
}

/** A value to be matched; undefined when there is none, which nothing matches. */
export type Input = (source: MatchSource) => string | undefined;

/** Throws InvalidResource for an input that is not known, or not known there. */
export function compileInput(config: TypedExtensionConfig, where: MatchWhere): Input {
  const any = config.typedConfig;
  const typeName = any?.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1) ?? "";
  const simple = CONNECTION_INPUTS[typeName] ?? (where.listener ? LISTENER_INPUTS[typeName] : undefined);
  if (simple) return simple;
  const header = unpackAny(HttpRequestHeaderMatchInputSchema, any);
  if (header && where.http) {
    const read = headerReader(header.headerName.toLowerCase());
    return ({ request }) => request && read(request);
  }
  if (header || LISTENER_INPUTS[typeName]) throw new InvalidResource("UNSUPPORTED_MATCHER", `${where.name} cannot match on '${any?.typeUrl ?? ""}'`);
  throw unknownExtension(config);
}

/** A predicate by an extension over its input: IP ranges, or an expression in CEL over the request's attributes. */
export function compileCustomMatch(config: TypedExtensionConfig, input: TypedExtensionConfig, where: MatchWhere): (source: MatchSource) => boolean {
  const ip = unpackAny(IpSchema, config.typedConfig);
  if (ip) {
    const contains = compileCidrs(ip.cidrRanges);
    const read = compileInput(input, where);
    return (source) => contains(read(source) ?? "");
  }
  const cel = unpackAny(CelMatcherSchema, config.typedConfig);
  if (cel && where.http && unpackAny(HttpAttributesCelMatchInputSchema, input.typedConfig)) {
    const specifier = cel.exprMatch?.exprSpecifier;
    const expression = specifier?.case === "parsedExpr" || specifier?.case === "checkedExpr" ? specifier.value.expr : undefined;
    const text = expression ? celText(expression) : undefined;
    if (text === undefined) throw new InvalidResource("INVALID_MATCHER", "CelMatcher: an expression is required, parsed or checked");
    const test = compileCelFilter(text);
    return (source) => source instanceof StreamInfo && test(source);
  }
  throw unknownExtension(config);
}

export function unknownExtension({ name, typedConfig }: TypedExtensionConfig): InvalidResource {
  return new InvalidResource(
    "UNKNOWN_MATCHER",
    `Didn't find a registered implementation for '${name}' with type URL: '${typedConfig?.typeUrl.slice(typedConfig.typeUrl.lastIndexOf("/") + 1) ?? ""}'`,
  );
}

const some = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
const list = (names: readonly string[] | undefined): string | undefined => some(names?.join(","));

const CONNECTION_INPUTS: Readonly<Record<string, Input | undefined>> = {
  [network.DestinationIPInputSchema.typeName]: ({ downstream }) => downstream.local.address,
  [network.DestinationPortInputSchema.typeName]: ({ downstream }) => String(downstream.local.port),
  [network.SourceIPInputSchema.typeName]: ({ remoteIp }) => remoteIp,
  [network.SourcePortInputSchema.typeName]: ({ downstream }) => String(downstream.remote.port),
  [network.DirectSourceIPInputSchema.typeName]: ({ downstream }) => downstream.directRemote.address,
  [network.ServerNameInputSchema.typeName]: ({ downstream }) => some(downstream.serverName),
  [ssl.UriSanInputSchema.typeName]: ({ downstream }) => list(downstream.tls?.peer?.uriSans),
  [ssl.DnsSanInputSchema.typeName]: ({ downstream }) => list(downstream.tls?.peer?.dnsSans),
  [ssl.SubjectInputSchema.typeName]: ({ downstream }) => some(downstream.tls?.peer?.subject),
};

const LISTENER_INPUTS: Readonly<Record<string, Input | undefined>> = {
  [network.SourceTypeInputSchema.typeName]: ({ downstream: { remote, local } }) =>
    isLoopback(remote.address) || remote.address === local.address ? "local" : undefined,
  [network.TransportProtocolInputSchema.typeName]: ({ downstream }) => downstream.transportProtocol,
  [network.ApplicationProtocolInputSchema.typeName]: ({ downstream: { applicationProtocols } }) =>
    applicationProtocols.length === 0 ? undefined : applicationProtocols.map((each) => `'${each}'`).join(","),
};
