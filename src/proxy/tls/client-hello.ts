/** What the first flight of a TLS client says in clear. */
export interface ClientHello {
  /** Lower-case; empty when the client sent none. */
  readonly serverName: string;
  readonly alpn: readonly string[];
}

export type HelloResult = { readonly kind: "hello"; readonly hello: ClientHello } | { readonly kind: "incomplete" } | { readonly kind: "not_tls" };

/** Envoy's max_client_hello_size: a longer one is refused. ClientHellos with post-quantum shares take about 1.6 KB. */
export const MAX_CLIENT_HELLO = 16 * 1024;

const INCOMPLETE: HelloResult = { kind: "incomplete" };
const NOT_TLS: HelloResult = { kind: "not_tls" };

/**
 * Reads the ClientHello that a connection begins with (RFC 8446, 4.1.2), which may come in several records and segments.
 * Bytes that are no TLS handshake are `not_tls`, as are malformed ones: the caller decides whether plaintext is welcome.
 */
export function readClientHello(bytes: Buffer): HelloResult {
  const message = handshakeMessage(bytes);
  if (message === undefined) return NOT_TLS;
  if (message === "incomplete") return bytes.length > MAX_CLIENT_HELLO ? NOT_TLS : INCOMPLETE;
  const hello = parseBody(message);
  return hello ? { kind: "hello", hello } : NOT_TLS;
}

/** The handshake message of type client_hello, put together from its records. */
function handshakeMessage(bytes: Buffer): Buffer | "incomplete" | undefined {
  const parts: Buffer[] = [];
  let have = 0;
  /** Bytes of the message with its own four of type and length, once these are there. */
  let wanted = 0;
  let at = 0;
  for (;;) {
    if (at < bytes.length && bytes[at] !== 22) return undefined;
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return undefined;
    if (at + 5 > bytes.length) return "incomplete";
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16384 + 256) return undefined;
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    have += part.length;
    const first = parts[0] as Buffer;
    if (first.length > 0 && first[0] !== 1) return undefined;
    if (wanted === 0 && have >= 4) {
      wanted = 4 + (parts.length === 1 ? first : Buffer.concat(parts)).readUIntBE(1, 3);
      if (wanted > MAX_CLIENT_HELLO) return undefined;
    }
    // Put together once, at the end: a hostile client sends records of a byte each.
    if (wanted !== 0 && have >= wanted) return (parts.length === 1 ? first : Buffer.concat(parts)).subarray(4, wanted);
    if (part.length < length) return "incomplete";
    at += 5 + length;
  }
}

function parseBody(body: Buffer): ClientHello | undefined {
  const reader = new Reader(body);
  reader.skip(2 + 32); // legacy_version, random
  reader.skip(reader.uint8()); // legacy_session_id
  reader.skip(reader.uint16()); // cipher_suites
  reader.skip(reader.uint8()); // legacy_compression_methods
  if (reader.failed) return undefined;
  let serverName = "";
  let alpn: string[] = [];
  if (reader.left >= 2) {
    const extensions = new Reader(reader.take(reader.uint16()));
    while (extensions.left >= 4) {
      const type = extensions.uint16();
      const data = new Reader(extensions.take(extensions.uint16()));
      if (type === 0) serverName = readServerName(data) ?? serverName;
      else if (type === 16) alpn = readAlpn(data) ?? alpn;
      if (data.failed) return undefined;
    }
    if (extensions.failed) return undefined;
  }
  return reader.failed ? undefined : { serverName, alpn };
}

/** RFC 6066, 3: a list whose host_name entry counts. */
function readServerName(data: Reader): string | undefined {
  const list = new Reader(data.take(data.uint16()));
  while (list.left >= 3) {
    const type = list.uint8();
    const name = list.take(list.uint16());
    if (type === 0) return name.toString("latin1").toLowerCase();
  }
  return undefined;
}

/** RFC 7301, 3.1. */
function readAlpn(data: Reader): string[] | undefined {
  const list = new Reader(data.take(data.uint16()));
  const names: string[] = [];
  while (list.left >= 1) names.push(list.take(list.uint8()).toString("latin1"));
  return list.failed ? undefined : names;
}

/** Reads big-endian fields; a read past the end marks it failed and gives nothing. */
class Reader {
  failed = false;
  #at = 0;
  constructor(private readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }
  uint8(): number {
    return this.#has(1) ? (this.bytes[this.#at++] as number) : 0;
  }
  uint16(): number {
    if (!this.#has(2)) return 0;
    this.#at += 2;
    return this.bytes.readUInt16BE(this.#at - 2);
  }
  take(length: number): Buffer {
    if (!this.#has(length)) return Buffer.alloc(0);
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }
  skip(length: number): void {
    this.take(length);
  }
  #has(length: number): boolean {
    if (this.failed || this.left < length) {
      this.failed = true;
      return false;
    }
    return true;
  }
}
