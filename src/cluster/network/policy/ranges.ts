import { ChainmailError } from "../../../base/index.ts";
import { formatIPv4, isIPv4, parseIPv4 } from "../../../linux/index.ts";

/** Addresses from first to last, both included, as numbers. */
export interface Range {
  first: number;
  last: number;
}

export const ALL: Range = { first: 0, last: 2 ** 32 - 1 };

/** `10.0.0.0/8`; undefined for IPv6, which pods do not have. Throws INVALID_CIDR for what is neither. */
export function parseBlock(text: string): Range | undefined {
  const [ip = "", length = "", ...more] = text.split("/");
  if (ip.includes(":") && /^[0-9a-fA-F:.]+$/.test(ip) && /^\d{1,3}$/.test(length) && Number(length) <= 128 && more.length === 0) return undefined;
  const prefix = Number(length);
  if (!isIPv4(ip) || !/^\d{1,2}$/.test(length) || prefix > 32 || more.length > 0)
    throw new ChainmailError("INVALID_CIDR", `${JSON.stringify(text)} is no address range`);
  const size = 2 ** (32 - prefix);
  // Bits beyond the prefix count for nothing, as in Kubernetes.
  const first = Math.floor(parseIPv4(ip) / size) * size;
  return { first, last: first + size - 1 };
}

/** What is in any of them, in order, without overlap: what nft takes as the elements of an interval set. */
export function union(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = result.at(-1);
    if (before && range.first <= before.last + 1) before.last = Math.max(before.last, range.last);
    else result.push({ ...range });
  }
  return result;
}

export function subtract(range: Range, holes: readonly Range[]): Range[] {
  const result: Range[] = [];
  let { first } = range;
  for (const hole of union(holes)) {
    if (hole.last < first || hole.first > range.last) continue;
    if (hole.first > first) result.push({ first, last: hole.first - 1 });
    first = hole.last + 1;
  }
  if (first <= range.last) result.push({ first, last: range.last });
  return result;
}

/** `10.0.0.1` or `10.0.0.1-10.0.0.9`. */
export function formatRange({ first, last }: Range): string {
  return first === last ? formatIPv4(first) : `${formatIPv4(first)}-${formatIPv4(last)}`;
}
