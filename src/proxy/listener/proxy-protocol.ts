import type { SocketAddress } from "../types.ts";

export type ProxyProtocolResult =
  | { readonly kind: "incomplete" }
  | { readonly kind: "invalid" }
  /** `length` bytes are the header. Addresses are undefined for LOCAL and UNKNOWN. */
  | { readonly kind: "done"; readonly length: number; readonly source: SocketAddress | undefined; readonly destination: SocketAddress | undefined };

const SIGNATURE_V2 = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** The protocol's own limit for version 1, CRLF included. */
const MAX_V1 = 107;
/** Envoy reads no more TLVs than this. */
const MAX_V2 = 16 + 65_535;

/** Reads HAProxy's PROXY header, version 1 or 2, from the beginning of a connection. */
export function readProxyHeader(bytes: Buffer): ProxyProtocolResult {
  const start = bytes.subarray(0, Math.min(bytes.length, 12));
  if (start.equals(SIGNATURE_V2.subarray(0, start.length))) return bytes.length < 16 ? { kind: "incomplete" } : readV2(bytes);
  return readV1(bytes);
}

function readV1(bytes: Buffer): ProxyProtocolResult {
  const text = bytes.toString("latin1", 0, Math.min(bytes.length, MAX_V1));
  if (!"PROXY ".startsWith(text.slice(0, 6))) return { kind: "invalid" };
  const end = text.indexOf("\r\n");
  if (end < 0) return text.length >= MAX_V1 ? { kind: "invalid" } : { kind: "incomplete" };
  const [, family, source = "", destination = "", sourcePort = "", destinationPort = ""] = text.slice(0, end).split(" ");
  if (family === "UNKNOWN") return { kind: "done", length: end + 2, source: undefined, destination: undefined };
  if (family !== "TCP4" && family !== "TCP6") return { kind: "invalid" };
  const from = readAddress(source, sourcePort, family === "TCP4");
  const to = readAddress(destination, destinationPort, family === "TCP4");
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
  const none: ProxyProtocolResult = { kind: "done", length: 16 + length, source: undefined, destination: undefined };
  if (command === 0 || family === 0) return none;
  const size = family === 1 ? 4 : family === 2 ? 16 : 0;
  if (size === 0 || length < size * 2 + 4) return { kind: "invalid" };
  const text = (at: number): string => (size === 4 ? bytes.subarray(at, at + 4).join(".") : ipv6Text(bytes.subarray(at, at + 16)));
  return {
    kind: "done",
    length: 16 + length,
    source: { address: text(16), port: bytes.readUInt16BE(16 + size * 2) },
    destination: { address: text(16 + size), port: bytes.readUInt16BE(18 + size * 2) },
  };
}

function readAddress(address: string, port: string, v4: boolean): SocketAddress | undefined {
  const valid = v4 ? /^\d{1,3}(?:\.\d{1,3}){3}$/.test(address) && address.split(".").every((part) => Number(part) < 256) : /^[0-9a-fA-F:.]{2,45}$/.test(address);
  const number = Number(port);
  return valid && /^\d{1,5}$/.test(port) && number < 65_536 ? { address, port: number } : undefined;
}

function ipv6Text(bytes: Buffer): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  return groups.join(":");
}
