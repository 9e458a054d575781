import { isIPv4, isIPv6 } from "node:net";
import type { CidrRange } from "../../proto/gen/envoy/config/core/v3/address_pb.ts";
import { InvalidResource } from "../types.ts";

/** The bytes of an IP address: four, or sixteen. A v4-mapped IPv6 address is an IPv4 address. Undefined for no address. */
export function ipBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text)) return undefined;
  const bytes = ipv6Bytes(text.split("%")[0] as string);
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12) : bytes;
}

export interface Cidr {
  readonly bytes: Uint8Array;
  readonly length: number;
  contains(address: Uint8Array): boolean;
}

/** Compiles a CidrRange; throws InvalidResource for one that is none. */
export function compileCidr(range: Pick<CidrRange, "addressPrefix" | "prefixLen">): Cidr {
  const bytes = ipBytes(range.addressPrefix);
  const length = range.prefixLen ?? 0;
  if (!bytes || length > bytes.length * 8) {
    throw new InvalidResource("INVALID_CIDR", `invalid ip/mask combo '${range.addressPrefix}/${length}'`);
  }
  const whole = length >> 3;
  const mask = (0xff00 >> (length & 7)) & 0xff;
  return {
    bytes,
    length,
    contains(address) {
      if (address.length !== bytes.length) return false;
      for (let i = 0; i < whole; i++) if (address[i] !== bytes[i]) return false;
      return mask === 0 || ((address[whole] as number) & mask) === ((bytes[whole] as number) & mask);
    },
  };
}

/** True when any of the ranges holds the address; an unparsable address is in none. */
export function compileCidrs(ranges: readonly CidrRange[]): (address: string) => boolean {
  const cidrs = ranges.map(compileCidr);
  return (address) => {
    const bytes = ipBytes(address);
    return bytes !== undefined && cidrs.some((cidr) => cidr.contains(bytes));
  };
}

export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function ipv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const [left = "", right] = text.split("::") as [string, string?];
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  fill(bytes, head, 0);
  fill(bytes, tail, 16 - groupBytes(tail));
  return bytes;
}

function groupBytes(groups: readonly string[]): number {
  return groups.reduce((sum, group) => sum + (group.includes(".") ? 4 : 2), 0);
}

function fill(bytes: Uint8Array, groups: readonly string[], from: number): void {
  let at = from;
  for (const group of groups) {
    if (group.includes(".")) {
      for (const part of group.split(".")) bytes[at++] = Number(part);
    } else {
      const value = Number.parseInt(group, 16);
      bytes[at++] = value >> 8;
      bytes[at++] = value & 0xff;
    }
  }
}
