import {
  bitString,
  boolean,
  children,
  content,
  expectTag,
  implicit,
  integer,
  malformed,
  octetString,
  oid,
  readBits,
  readDer,
  readOid,
  sequence,
  TAG,
  type DerNode,
} from "./der.ts";

/** Object identifiers of X.509 extensions. */
export const EXTENSION = {
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;

export const PURPOSE = { serverAuth: "1.3.6.1.5.5.7.3.1", clientAuth: "1.3.6.1.5.5.7.3.2", any: "2.5.29.37.0" } as const;

/** Names a certificate or request may carry beside its subject. */
export interface SubjectAltNames {
  uris: string[];
  dnsNames: string[];
  /** Dotted IPv4 or colon IPv6. */
  ipAddresses: string[];
}

export interface Extension {
  oid: string;
  critical: boolean;
  /** DER inside the extension's octet string. */
  value: Uint8Array;
}

/** Bit 0 is the most significant, as in RFC 5280's KeyUsage. */
export const KEY_USAGE = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, cRLSign: 6 } as const;

export function encodeExtension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return critical ? sequence(oid(id), boolean(true), octetString(value)) : sequence(oid(id), octetString(value));
}

export function encodeKeyUsage(bits: number[]): Uint8Array {
  const highest = Math.max(...bits);
  const octet = bits.reduce((byte, bit) => byte | (0x80 >> bit), 0);
  return bitString(Uint8Array.of(octet), 7 - highest);
}

/** CA:FALSE is the empty sequence, since DER leaves defaults out. */
export function encodeBasicConstraints(ca: boolean, pathLength?: number): Uint8Array {
  if (!ca) return sequence();
  return pathLength === undefined ? sequence(boolean(true)) : sequence(boolean(true), integer(Uint8Array.of(pathLength)));
}

export function encodeSubjectAltNames(names: Partial<SubjectAltNames>): Uint8Array {
  const utf8 = new TextEncoder();
  return sequence(
    ...(names.uris ?? []).map((uri) => implicit(6, utf8.encode(uri))),
    ...(names.dnsNames ?? []).map((name) => implicit(2, utf8.encode(name))),
    ...(names.ipAddresses ?? []).map((address) => implicit(7, encodeIp(address))),
  );
}

/** Extensions inside a `[3]` of a certificate or an extensionRequest; a repeated one is malformed (RFC 5280, 4.2). */
export function readExtensions(list: DerNode): Extension[] {
  const seen = new Set<string>();
  return children(expectTag(list, TAG.sequence, "the extension list")).map((node) => {
    const parts = children(expectTag(node, TAG.sequence, "an extension"));
    const id = readOid(expectTag(parts[0], TAG.oid, "an extension's id"));
    if (seen.has(id)) throw malformed(`extension ${id} occurs twice`);
    seen.add(id);
    const critical = parts.length === 3 && content(expectTag(parts[1], TAG.boolean, "an extension's criticality"))[0] === 0xff;
    return { oid: id, critical, value: content(expectTag(parts[parts.length - 1], TAG.octetString, "an extension's value")) };
  });
}

export function readSubjectAltNames(extensions: Extension[]): SubjectAltNames {
  const names: SubjectAltNames = { uris: [], dnsNames: [], ipAddresses: [] };
  const found = extensions.find((e) => e.oid === EXTENSION.subjectAltName);
  if (!found) return names;
  const utf8 = new TextDecoder();
  for (const name of children(readDer(found.value))) {
    if (name.tag === 0x86) names.uris.push(utf8.decode(content(name)));
    else if (name.tag === 0x82) names.dnsNames.push(utf8.decode(content(name)));
    else if (name.tag === 0x87) names.ipAddresses.push(decodeIp(content(name)));
  }
  return names;
}

export function readBasicConstraints(extensions: Extension[]): { ca: boolean; pathLength?: number } {
  const found = extensions.find((e) => e.oid === EXTENSION.basicConstraints);
  if (!found) return { ca: false };
  const parts = children(readDer(found.value));
  const ca = parts[0]?.tag === TAG.boolean && content(parts[0])[0] === 0xff;
  const length = parts.find((part) => part.tag === TAG.integer);
  return length ? { ca, pathLength: content(length).reduce((n, octet) => n * 256 + octet, 0) } : { ca };
}

/** undefined when the certificate does not limit its key's usage. */
export function readKeyUsage(extensions: Extension[]): Set<number> | undefined {
  const found = extensions.find((e) => e.oid === EXTENSION.keyUsage);
  if (!found) return undefined;
  const bits = readBits(readDer(found.value));
  const usages = new Set<number>();
  for (let bit = 0; bit < bits.length * 8; bit++) if ((bits[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) usages.add(bit);
  return usages;
}

/** Object identifiers of purposes; undefined when not limited. */
export function readExtendedKeyUsage(extensions: Extension[]): string[] | undefined {
  const found = extensions.find((e) => e.oid === EXTENSION.extendedKeyUsage);
  return found ? children(readDer(found.value)).map(readOid) : undefined;
}

function encodeIp(address: string): Uint8Array {
  if (address.includes(":")) {
    const [head = "", tail] = address.split("::");
    const left = head ? head.split(":") : [];
    const right = tail ? tail.split(":") : [];
    const groups = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
    return Uint8Array.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]));
  }
  return Uint8Array.from(address.split(".").map(Number));
}

function decodeIp(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) throw malformed("an IP address has neither 4 nor 16 octets");
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0)).toString(16));
  return groups.join(":");
}
