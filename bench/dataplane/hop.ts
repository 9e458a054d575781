import type { Identity, Role } from "./certificates.ts";

/** One of the two proxies in a row: the client's takes plain text and speaks mTLS, the server's takes mTLS and speaks plain text. */
export interface Hop {
  readonly role: Role;
  readonly listenPort: number;
  readonly adminPort: number;
  readonly upstreamPort: number;
  readonly accessLog: string;
  readonly identity: Identity;
  /** HTTP/2 on every leg instead of HTTP/1.1. */
  readonly grpc: boolean;
  /** Istio's statistics and the exchange of metadata, which a plain Envoy lacks. */
  readonly telemetry: boolean;
  /** Unix socket of a control plane to get everything from; undefined: all is in the bootstrap. */
  readonly ads: string | undefined;
}
