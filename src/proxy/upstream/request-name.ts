import { isIP } from "node:net";
import type { ParsedPeer } from "../tls/peer.ts";

/** The host that a request names, without its port: what an upstream is asked for, and must prove to be, by `auto_sni` and `auto_san_validation`. */
export function nameOf(authority: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(authority);
  return (bracketed ? (bracketed[1] as string) : authority.replace(/:\d*$/, "")).toLowerCase();
}

/** An address is no server name (RFC 6066, 3). */
export function serverNameOf(name: string): string | undefined {
  return name === "" || isIP(name) !== 0 ? undefined : name;
}

/** Whether a certificate is for that name or address; a wildcard stands for one label (RFC 6125, 6.4.3). */
export function isFor(peer: ParsedPeer, name: string): boolean {
  if (isIP(name) !== 0) return peer.ipSans.includes(name);
  const wildcard = name.replace(/^[^.]+/, "*");
  return peer.dnsSans.some((each) => {
    const shown = each.toLowerCase();
    return shown === name || shown === wildcard;
  });
}
