import { ipBytes } from "../match/cidr.ts";
import type { SocketAddress } from "../types.ts";

const SIGNATURE_V2 = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

/** HAProxy's PROXY header: who the client is and where it was going, for the server behind us. */
export function writeProxyHeader(version: 1 | 2, source: SocketAddress, destination: SocketAddress): Buffer {
  const from = ipBytes(source.address);
  const to = ipBytes(destination.address);
  const known = from !== undefined && to !== undefined && from.length === to.length;
  if (version === 1) {
    if (!known) return Buffer.from("PROXY UNKNOWN\r\n");
    return Buffer.from(`PROXY ${from.length === 4 ? "TCP4" : "TCP6"} ${source.address} ${destination.address} ${source.port} ${destination.port}\r\n`);
  }
  if (!known) return Buffer.concat([SIGNATURE_V2, Buffer.from([0x20, 0, 0, 0])]);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  return Buffer.concat([SIGNATURE_V2, Buffer.from([0x21, from.length === 4 ? 0x11 : 0x21, 0, from.length * 2 + 4]), from, to, ports]);
}
