import { isIP } from "node:net";
import type { Init } from "../../proto/index.ts";
import type { AddressSchema, CidrRangeSchema } from "../../proto/gen/envoy/config/core/v3/address_pb.ts";

const UNIX_PREFIX = "unix://";

/** A socket's address; a path when there is no port or it begins with `unix://`. */
export function address(host: string, port: number): Init<typeof AddressSchema> {
  if (host.startsWith(UNIX_PREFIX) || port === 0) return { address: { case: "pipe", value: { path: host.replace(UNIX_PREFIX, "") } } };
  return { address: { case: "socketAddress", value: { address: host, portSpecifier: { case: "portValue", value: port } } } };
}

/** An address or `address/bits` as a range; undefined when it is neither. */
export function cidrRange(text: string): Init<typeof CidrRangeSchema> | undefined {
  const [addressPrefix = "", bits, ...rest] = text.split("/");
  const family = isIP(addressPrefix);
  const max = family === 6 ? 128 : 32;
  const prefixLen = bits === undefined ? max : Number(bits);
  if (!family || rest.length > 0 || !Number.isInteger(prefixLen) || prefixLen < 0 || prefixLen > max) return undefined;
  return { addressPrefix, prefixLen };
}
