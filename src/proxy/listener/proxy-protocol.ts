import { isIPv4, isIPv6 } from "node:net";
import type { SocketAddress } from "../types.ts";

export type ProxyProtocolResult =
  | { readonly kind: "incomplete" }
  | { readonly kind: "invalid" }
  /** `length` bytes are the header. Addresses are undefined for LOCAL and UNKNOWN. */
  | { readonly kind: "done"; readonly length: number; readonly source: SocketAddress | undefined; readonly destination: SocketAddress | undefined };

const SIGNATURE_V2 = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** The protocol's own limit for version 1, CRLF included, is 107; Envoy reads one more. */
const MAX_V1 = 108;
/** Envoy reads no more TLVs than this. */
const MAX_V2 = 16 + 65_535;

/** Reads HAProxy's PROXY header, version 1 or 2, from the beginning of a connection. */
export function readProxyHeader(bytes: Buffer): ProxyProtocolResult {
  const start = bytes.subarray(0, Math.min(bytes.length, 12));
  if (start.equals(SIGNATURE_V2.subarray(0, start.length))) return bytes.length < 16 ? { kind: "incomplete" } : readV2(bytes);
  return readV1(bytes);
}

/** Whether a connection begins with a PROXY header, good or bad, as far as its bytes go. */
export function startsAsProxyHeader(bytes: Buffer): boolean {
  const start = bytes.subarray(0, 12);
  return start.equals(SIGNATURE_V2.subarray(0, start.length)) || "PROXY ".startsWith(bytes.toString("latin1", 0, 6));
}

function readV1(bytes: Buffer): ProxyProtocolResult {
  const text = bytes.toString("latin1", 0, Math.min(bytes.length, MAX_V1));
  if (!"PROXY ".startsWith(text.slice(0, 6))) return { kind: "invalid" };
  const end = text.indexOf("\r\n");
  if (end < 0) return text.length >= MAX_V1 ? { kind: "invalid" } : { kind: "incomplete" };
  const [, family, source = "", destination = "", sourcePort = "", destinationPort = "", more] = text.slice(0, end).trimEnd().split(" ");
  if (family === "UNKNOWN") return { kind: "done", length: end + 2, source: undefined, destination: undefined };
  if ((family !== "TCP4" && family !== "TCP6") || more !== undefined) return { kind: "invalid" };
  const isAddress = family === "TCP4" ? isIPv4 : isIPv6;
  const from = readAddress(source, sourcePort, isAddress);
  const to = readAddress(destination, destinationPort, isAddress);
  return from && to ? { kind: "done", length: end + 2, source: from, destination: to } : { kind: "invalid" };
}

function readV2(bytes: Buffer): ProxyProtocolResult {
  const versionCommand = bytes[12] as number;
  const family = (bytes[13] as number) >> 4;
  const length = bytes.readUInt16BE(14);
  if (versionCommand >> 4 !== 2 || 16 + length > MAX_V2) return { kind: "invalid" };
  if (bytes.length < 16 + length) return { kind: "incomplete" };
  const command = versionCommand & 0x0f;
  if (command > 1) return { kind: "invalid" };
  // LOCAL: the balancer itself calls, such as for a health check.
  if (command === 0) return { kind: "done", length: 16 + length, source: undefined, destination: undefined };
  const size = family === 1 ? 4 : family === 2 ? 16 : 0;
  const transport = (bytes[13] as number) & 0x0f;
  const addresses = size * 2 + 4;
  // As Envoy: streams and datagrams over IP; what it cannot name it does not let in.
  if (size === 0 || (transport !== 1 && transport !== 2) || length < addresses || !wholeTlvs(bytes, 16 + addresses, 16 + length)) return { kind: "invalid" };
  const text = (at: number): string => (size === 4 ? bytes.subarray(at, at + 4).join(".") : ipv6Text(bytes.subarray(at, at + 16)));
  return {
    kind: "done",
    length: 16 + length,
    source: { address: text(16), port: bytes.readUInt16BE(16 + size * 2) },
    destination: { address: text(16 + size), port: bytes.readUInt16BE(18 + size * 2) },
  };
}

/** Whether what follows the addresses is a row of type, length and value. */
function wholeTlvs(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at + 3 <= end) at += 3 + bytes.readUInt16BE(at + 1);
  return at === end;
}

function readAddress(address: string, port: string, isAddress: (text: string) => boolean): SocketAddress | undefined {
  const number = Number(port);
  return isAddress(address) && /^\d{1,5}$/.test(port) && number < 65_536 ? { address, port: number } : undefined;
}

function ipv6Text(bytes: Buffer): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  return groups.join(":");
}
