import { createHash } from "node:crypto";
import { parseCertificate } from "../../pki/index.ts";
import type { SubjectAltNameMatcher } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import { SubjectAltNameMatcher_SanType } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import type { StringMatcher } from "../../proto/gen/envoy/type/matcher/v3/string_pb.ts";
import { compileString, type TextMatch } from "../match/strings.ts";
import type { PeerCertificate } from "../net/connection-info.ts";

export interface ParsedPeer extends PeerCertificate {
  readonly ipSans: readonly string[];
}

/** Peers come back with the same certificate for hours; parsing and hashing it takes 35 us, finding it again less than one. */
const MAX_CACHED = 512;

/** Reads peers' certificates, each once. */
export class PeerCertificates {
  readonly #cache = new Map<string, ParsedPeer>();

  /** Throws what the parser throws: the caller refuses the connection. */
  read(der: Buffer): ParsedPeer {
    const key = der.toString("latin1");
    const known = this.#cache.get(key);
    if (known) return known;
    const certificate = parseCertificate(der);
    const peer: ParsedPeer = {
      uriSans: certificate.uris,
      dnsSans: certificate.dnsNames,
      ipSans: certificate.ipAddresses,
      subject: rfc2253(certificate.subject),
      issuer: rfc2253(certificate.issuer),
      serialNumber: certificate.serialNumber,
      sha256: createHash("sha256").update(der).digest("hex"),
      pem: certificate.pem,
    };
    if (this.#cache.size >= MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value as string);
    this.#cache.set(key, peer);
    return peer;
  }
}

/** True when one of the certificate's names is accepted. */
export type SanMatch = (peer: ParsedPeer) => boolean;

/** Compiles both forms of SAN matchers; undefined when there are none and every name is accepted. */
export function compileSans(typed: readonly SubjectAltNameMatcher[], untyped: readonly StringMatcher[]): SanMatch | undefined {
  const tests: SanMatch[] = [];
  for (const { sanType, matcher } of typed) {
    if (!matcher) continue;
    const test = compileString(matcher);
    if (sanType === SubjectAltNameMatcher_SanType.URI) tests.push((peer) => peer.uriSans.some(test));
    else if (sanType === SubjectAltNameMatcher_SanType.DNS) tests.push((peer) => matchesDns(peer, matcher, test));
    else if (sanType === SubjectAltNameMatcher_SanType.IP_ADDRESS) tests.push((peer) => peer.ipSans.some(test));
  }
  for (const matcher of untyped) {
    const test = compileString(matcher);
    tests.push((peer) => peer.uriSans.some(test) || matchesDns(peer, matcher, test) || peer.ipSans.some(test));
  }
  if (tests.length === 0) return undefined;
  return (peer) => tests.some((test) => test(peer));
}

/** An exact DNS matcher accepts a certificate's wildcard too (RFC 6125, 6.4.3: one leftmost label). */
function matchesDns(peer: ParsedPeer, matcher: StringMatcher, test: TextMatch): boolean {
  if (peer.dnsSans.some(test)) return true;
  if (matcher.matchPattern.case !== "exact") return false;
  const wanted = matcher.matchPattern.value.toLowerCase();
  const dot = wanted.indexOf(".");
  return dot > 0 && peer.dnsSans.some((name) => name.toLowerCase() === `*${wanted.slice(dot)}`);
}

/** Envoy prints names as RFC 2253 does: `CN=web,O=Example`, the most specific part first. */
function rfc2253(oneLine: string): string {
  if (oneLine === "") return "";
  return oneLine
    .split(", ")
    .map((part) => part.replace(" = ", "="))
    .reverse()
    .join(",");
}
