import type { SocketAddress } from "../types.ts";

/** What TLS says of a connection: who the peer proved to be, and what was agreed. */
export interface TlsInfo {
  readonly version: string;
  readonly cipher: string;
  /** The protocol agreed by ALPN; empty when none. */
  readonly alpn: string;
  readonly resumed: boolean;
  /** Undefined when the peer showed no certificate. */
  readonly peer: PeerCertificate | undefined;
  /** URI SANs of our own certificate. */
  readonly localUriSans: readonly string[];
}

export interface PeerCertificate {
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** RFC 2253 text, empty for workload certificates. */
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  readonly sha256: string;
  readonly pem: string;
}

let lastId = 0;

/** One accepted connection as filters, matchers and logs see it. */
export class ConnectionInfo {
  readonly id: number;
  /** Where the client was going: the original destination when the connection was redirected. */
  local: SocketAddress;
  remote: SocketAddress;
  /** Server name of the ClientHello; empty without. */
  serverName = "";
  /** ALPN offered by the client, or what the HTTP inspector saw. */
  applicationProtocols: readonly string[] = [];
  transportProtocol: "raw_buffer" | "tls" = "raw_buffer";
  tls: TlsInfo | undefined;
  /** Values that network filters have given it by name. */
  namedState: Map<string, string> | undefined;
  /** Of the filter chain that took it. */
  chainName = "";
  /** `local` is not where the connection came in, but where it was going before it was redirected. */
  destinationRestored = false;
  #localText: string | undefined;
  remoteText: string;
  /** The other end of the socket, whoever it speaks for. */
  readonly directRemote: SocketAddress;
  /** Where the connection came in, wherever it was going. */
  readonly directLocal: SocketAddress;

  constructor(local: SocketAddress, remote: SocketAddress) {
    this.id = ++lastId;
    this.local = local;
    this.remote = remote;
    this.directRemote = remote;
    this.directLocal = local;
    this.remoteText = addressText(remote);
  }

  restoreDestination(local: SocketAddress): void {
    this.destinationRestored = local.address !== this.local.address || local.port !== this.local.port;
    this.local = local;
    this.#localText = undefined;
  }

  /** A load balancer in front told who the client is, and where it was going. */
  restoreProxied(source: SocketAddress, destination: SocketAddress): void {
    this.remote = source;
    this.remoteText = addressText(source);
    this.restoreDestination(destination);
  }

  get localText(): string {
    this.#localText ??= addressText(this.local);
    return this.#localText;
  }

  /** The peer's SPIFFE id, or empty. */
  get peerPrincipal(): string {
    return this.tls?.peer?.uriSans[0] ?? "";
  }
}

/** `10.0.0.1:80` or `[::1]:80`. */
export function addressText(address: SocketAddress): string {
  return address.address.includes(":") ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
