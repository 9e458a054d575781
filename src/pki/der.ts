import { PkiError } from "./errors.ts";

/** One element of DER: its identifier octet and where its content lies in `bytes`. */
export interface DerNode {
  bytes: Uint8Array;
  tag: number;
  /** Where the identifier octet stands. */
  at: number;
  /** Content begins here … */
  start: number;
  /** … and ends before here. */
  end: number;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/* Writing: every function returns finished DER, so a structure reads like its ASN.1 module. */

export function tlv(tag: number, ...parts: Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const head = [tag];
  if (length < 0x80) head.push(length);
  else if (length < 0x100) head.push(0x81, length);
  else if (length < 0x10000) head.push(0x82, length >> 8, length & 0xff);
  else head.push(0x83, length >> 16, (length >> 8) & 0xff, length & 0xff);
  const out = new Uint8Array(head.length + length);
  out.set(head);
  let at = head.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const sequence = (...parts: Uint8Array[]): Uint8Array => tlv(TAG.sequence, ...parts);
export const set = (...parts: Uint8Array[]): Uint8Array => tlv(TAG.set, ...parts);
export const octetString = (content: Uint8Array): Uint8Array => tlv(TAG.octetString, content);
export const boolean = (value: boolean): Uint8Array => tlv(TAG.boolean, Uint8Array.of(value ? 0xff : 0));
/** `[n]` around whole elements. */
export const explicit = (n: number, ...parts: Uint8Array[]): Uint8Array => tlv(0xa0 | n, ...parts);
/** `[n] IMPLICIT` over primitive content. */
export const implicit = (n: number, content: Uint8Array): Uint8Array => tlv(0x80 | n, content);
export const bitString = (content: Uint8Array, unusedBits = 0): Uint8Array => tlv(TAG.bitString, Uint8Array.of(unusedBits), content);

/** A non-negative INTEGER from big-endian octets. */
export function integer(magnitude: Uint8Array): Uint8Array {
  let at = 0;
  while (at < magnitude.length - 1 && magnitude[at] === 0) at++;
  const body = magnitude.subarray(at);
  return (body[0] ?? 0) & 0x80 ? tlv(TAG.integer, Uint8Array.of(0), body) : tlv(TAG.integer, body.length ? body : Uint8Array.of(0));
}

export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left % 128) | 0x80);
    octets.push(...groups);
  }
  return tlv(TAG.oid, Uint8Array.from(octets));
}

/** PrintableString where its alphabet suffices, else UTF8String: what Go's encoder, and so Istio, does. */
export function text(value: string): Uint8Array {
  const tag = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? TAG.printableString : TAG.utf8String;
  return tlv(tag, new TextEncoder().encode(value));
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5). `ms` since the epoch; whole seconds are kept. */
export function time(ms: number): Uint8Array {
  const iso = new Date(ms).toISOString();
  const digits = iso.slice(0, 19).replace(/[-T:]/g, "");
  const early = Number(iso.slice(0, 4)) < 2050;
  return tlv(early ? TAG.utcTime : TAG.generalizedTime, new TextEncoder().encode(`${early ? digits.slice(2) : digits}Z`));
}

/* Reading: definite lengths only, every bound checked, nothing copied. */

/** The element at `at`, which must end by `limit`. */
export function readDer(bytes: Uint8Array, at = 0, limit = bytes.length): DerNode {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined || at + 2 > limit) throw malformed("an element is cut off");
  if ((tag & 0x1f) === 0x1f) throw malformed("multi-byte tags do not occur in certificates");
  let length = first;
  let start = at + 2;
  if (first & 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4) throw malformed("indefinite or oversized length");
    length = 0;
    for (let i = 0; i < octets; i++) length = length * 256 + (bytes[start + i] ?? 0);
    start += octets;
    if (length < 0x80) throw malformed("length is not in its shortest form");
  }
  const end = start + length;
  if (end > limit) throw malformed("an element runs past its parent");
  return { bytes, tag, at, start, end };
}

/** The elements inside a constructed one. */
export function children(node: DerNode): DerNode[] {
  const out: DerNode[] = [];
  for (let at = node.start; at < node.end;) {
    const child = readDer(node.bytes, at, node.end);
    out.push(child);
    at = child.end;
  }
  return out;
}

export const content = (node: DerNode): Uint8Array => node.bytes.subarray(node.start, node.end);
export const whole = (node: DerNode): Uint8Array => node.bytes.subarray(node.at, node.end);
export const ascii = (node: DerNode): string => new TextDecoder().decode(content(node));

/** The node, when it is there and has the tag. */
export function expectTag(node: DerNode | undefined, tag: number, what: string): DerNode {
  if (!node || node.tag !== tag) throw malformed(`${what} is missing or of the wrong type`);
  return node;
}

export function readOid(node: DerNode): string {
  const arcs: number[] = [];
  let value = 0;
  for (const octet of content(expectTag(node, TAG.oid, "an object identifier"))) {
    if (value > 2 ** 45) throw malformed("an object identifier is too long");
    value = value * 128 + (octet & 0x7f);
    if (octet & 0x80) continue;
    arcs.push(value);
    value = 0;
  }
  const head = arcs[0] ?? 0;
  const root = head < 80 ? Math.floor(head / 40) : 2;
  return [root, head - root * 40, ...arcs.slice(1)].join(".");
}

/** Milliseconds since the epoch. */
export function readTime(node: DerNode | undefined): number {
  const value = node ? ascii(node) : "";
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(value);
  if (!node || !match || (node.tag === TAG.utcTime) !== (match[1]?.length === 2)) throw malformed("a time is not in RFC 5280's form");
  const [, year = "", month, day, hour, minute, second] = match;
  const full = year.length === 4 ? year : `${Number(year) < 50 ? "20" : "19"}${year}`;
  const ms = Date.parse(`${full}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms)) throw malformed("a time does not exist");
  return ms;
}

/** Content of a BIT STRING without its count of unused bits. */
export function readBits(node: DerNode | undefined): Uint8Array {
  const body = content(expectTag(node, TAG.bitString, "a bit string"));
  if (body.length === 0 || (body[0] ?? 8) > 7) throw malformed("a bit string has no valid head");
  return body.subarray(1);
}

export function malformed(what: string): PkiError {
  return new PkiError("PKI_MALFORMED", `not valid DER: ${what}`);
}
