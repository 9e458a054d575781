import type { TypedExtensionConfig } from "../../proto/gen/envoy/config/core/v3/extension_pb.ts";
import { HeaderMutationSchema } from "../../proto/gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.ts";
import { CustomHeaderConfigSchema } from "../../proto/gen/envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header_pb.ts";
import { XffConfigSchema, type XffConfig } from "../../proto/gen/envoy/extensions/http/original_ip_detection/xff/v3/xff_pb.ts";
import type { HttpConnectionManager } from "../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { isIP } from "node:net";
import { compileMutations } from "../filters/header-mutation.ts";
import { TypedConfig } from "../filters/typed-config.ts";
import { compileCidrs } from "../match/cidr.ts";
import type { ConnectionInfo } from "../net/connection-info.ts";
import type { Services } from "../services.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { InvalidResource } from "../types.ts";
import type { HeaderMap, RequestHead } from "./header-map.ts";
import { lastXffAddress } from "./request-mutation.ts";

/** Who the client is, as a detector has it. */
export interface Origin {
  readonly address: string | undefined;
  /** It may count as internal. */
  readonly trusted: boolean;
  readonly appendsXff: boolean;
}

/** What few connection managers ask for of every request's headers. */
export interface RequestExtras {
  /** Before anything else is done. */
  readonly early: ((headers: HeaderMap, info: StreamInfo) => void) | undefined;
  /** In x-forwarded-for's place. A number: the request is refused with this status. */
  readonly detect: ((headers: HeaderMap, connection: ConnectionInfo) => Origin | number | undefined) | undefined;
  /** After the client's address is known. `trustsPort`: a proxy before this one may have said it. */
  readonly add: (request: RequestHead, port: number, trustsPort: boolean) => void;
}

/** Undefined where nothing of it is asked for. Throws InvalidResource. */
export function compileExtras(proto: HttpConnectionManager, { node, hostname }: Services): RequestExtras | undefined {
  const early = proto.earlyHeaderMutationExtensions.map((extension) => compileEarly(extension, hostname));
  const transformation = proto.schemeHeaderTransformation?.transformation;
  const scheme = transformation?.case === "schemeToOverwrite" ? transformation.value : undefined;
  const detectors = proto.originalIpDetectionExtensions.map(compileDetector);
  if (detectors.length > 0 && proto.useRemoteAddress)
    throw new InvalidResource("INVALID_MANAGER", "Original IP detection extensions and use_remote_address may not be mixed");
  if (detectors.length > 0 && proto.xffNumTrustedHops > 0)
    throw new InvalidResource("INVALID_MANAGER", "Original IP detection extensions and xff_num_trusted_hops may not be mixed");
  return {
    early: early.length === 0 ? undefined : (headers, info) => early.forEach((mutate) => mutate(headers, info)),
    detect: detectors.length === 0 ? undefined : (headers, connection) => firstOrigin(detectors, headers, connection),
    add(request, port, trustsPort) {
      const { headers } = request;
      if (proto.appendXForwardedPort && !(trustsPort && headers.has("x-forwarded-port"))) headers.set("x-forwarded-port", String(port));
      if (scheme !== undefined) {
        headers.set("x-forwarded-proto", scheme);
        request.scheme = scheme;
      }
      if (!proto.addUserAgent) return;
      headers.set("x-envoy-downstream-service-cluster", node.cluster);
      if (!headers.get("user-agent")) headers.set("user-agent", node.cluster);
      if (node.id !== "") headers.set("x-envoy-downstream-service-node", node.id);
    },
  };
}

function compileEarly({ name, typedConfig }: TypedExtensionConfig, hostname: string): (headers: HeaderMap, info: StreamInfo) => void {
  const config = typedConfig && TypedConfig.open(typedConfig);
  if (config?.typeName !== HeaderMutationSchema.typeName) throw unknown(name, config?.typeName);
  return compileMutations(config.read(HeaderMutationSchema).mutations, hostname);
}

function compileDetector({ name, typedConfig }: TypedExtensionConfig): NonNullable<RequestExtras["detect"]> {
  const config = typedConfig && TypedConfig.open(typedConfig);
  switch (config?.typeName) {
    case XffConfigSchema.typeName:
      return compileXff(config.read(XffConfigSchema));
    case CustomHeaderConfigSchema.typeName: {
      const { headerName, allowExtensionToSetAddressAsTrusted: trusted, rejectWithStatus } = config.read(CustomHeaderConfigSchema);
      const status = rejectWithStatus?.code;
      // As Envoy: below 400 a status would not tell the client anything.
      const refusal = status === undefined ? undefined : status >= 400 && status < 600 ? status : 403;
      return (headers) => {
        const address = headers.get(headerName.toLowerCase());
        return address !== undefined && isIP(address) !== 0 ? { address, trusted, appendsXff: false } : refusal;
      };
    }
  }
  throw unknown(name, config?.typeName);
}

/** `xff`: so many hops from the right, or the first from the right that is no trusted proxy. */
function compileXff({ xffNumTrustedHops, xffTrustedCidrs, skipXffAppend }: XffConfig): NonNullable<RequestExtras["detect"]> {
  const appendsXff = skipXffAppend === false;
  if (!xffTrustedCidrs) {
    return (headers) => {
      const last = lastXffAddress(headers, xffNumTrustedHops);
      return { address: last?.address, trusted: last?.only ?? false, appendsXff };
    };
  }
  const trusted = compileCidrs(xffTrustedCidrs.cidrs);
  return (headers, { remote }) => {
    if (!trusted(remote.address)) return { address: remote.address, trusted: false, appendsXff: true };
    const addresses =
      headers
        .getJoined("x-forwarded-for")
        ?.split(",")
        .map((each) => each.trim()) ?? [];
    for (let i = addresses.length - 1; i >= 0; i--) {
      const address = addresses[i] as string;
      if (isIP(address) === 0) break;
      if (i === 0 || !trusted(address)) return { address, trusted: addresses.length === 1, appendsXff };
    }
    return { address: undefined, trusted: false, appendsXff };
  };
}

/** The first that knows an address, or refuses; before it each may have asked for an entry of our own. */
function firstOrigin(detectors: readonly NonNullable<RequestExtras["detect"]>[], headers: HeaderMap, connection: ConnectionInfo): Origin | number | undefined {
  let appendsXff = false;
  for (const detect of detectors) {
    const found = detect(headers, connection);
    if (typeof found === "number") return found;
    appendsXff ||= found?.appendsXff ?? false;
    if (found?.address !== undefined) return { ...found, appendsXff };
  }
  return { address: undefined, trusted: false, appendsXff };
}

function unknown(name: string, typeName: string | undefined): InvalidResource {
  return new InvalidResource("UNKNOWN_EXTENSION", `Didn't find a registered implementation for '${name}' with type URL: '${typeName ?? ""}'`);
}
