import { ChainmailError } from "../base/index.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;
/** sizeof(struct sockaddr_in) and sockaddr_in6. */
export const SOCKADDR_IN = 16;
export const SOCKADDR_IN6 = 28;

/** Dotted quad only, each part without a leading zero (which some parsers take for octal). */
export function isIPv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text);
}

export function isIPv6(text: string): boolean {
  return parseIPv6(text) !== undefined;
}

/** Host-order number of a dotted quad. Throws INVALID_ADDRESS. */
export function parseIPv4(text: string): number {
  if (!isIPv4(text)) throw new ChainmailError("INVALID_ADDRESS", `"${text}" is not an IPv4 address`);
  return text.split(".").reduce((value, part) => value * 256 + Number(part), 0);
}

export function formatIPv4(value: number): string {
  return `${(value >>> 24) & 255}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** Writes a sockaddr for `host` into `target` (at least 28 bytes) and returns its length. */
export function writeSocketAddress(target: Uint8Array, host: string, port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new ChainmailError("INVALID_ADDRESS", `${port} is not a port`);
  target.fill(0, 0, SOCKADDR_IN6);
  target[2] = port >> 8;
  target[3] = port & 255;
  if (isIPv4(host)) {
    target[0] = AF_INET;
    const value = parseIPv4(host);
    for (let part = 0; part < 4; part++) target[4 + part] = (value >>> (24 - 8 * part)) & 255;
    return SOCKADDR_IN;
  }
  const words = parseIPv6(host);
  if (!words) throw new ChainmailError("INVALID_ADDRESS", `"${host}" is not an IP address`);
  target[0] = AF_INET6;
  for (const [index, word] of words.entries()) {
    target[8 + 2 * index] = word >> 8;
    target[9 + 2 * index] = word & 255;
  }
  return SOCKADDR_IN6;
}

/** Eight 16-bit words, or undefined. Takes `::`, and an embedded IPv4 tail; no zone. */
function parseIPv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const parse = (half: string): number[] | undefined => {
    if (half === "") return [];
    const words: number[] = [];
    const parts = half.split(":");
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1 && isIPv4(part)) {
        const value = parseIPv4(part);
        words.push(value >>> 16, value & 0xffff);
      } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) words.push(Number.parseInt(part, 16));
      else return undefined;
    }
    return words;
  };
  const head = parse(halves[0] ?? "");
  const tail = halves.length === 2 ? parse(halves[1] ?? "") : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  return [...head, ...Array<number>(missing).fill(0), ...tail];
}
