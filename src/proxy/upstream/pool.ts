import type { ResetReason, UpstreamStream } from "../http/codec.ts";
import type { TlsInfo } from "../net/connection-info.ts";
import type { Host } from "./host.ts";

/** A place for one exchange on a pooled connection, with what logs show of the connection. */
export interface PooledConnection {
  readonly stream: UpstreamStream;
  readonly version: 1 | 2;
  readonly localText: string;
  readonly tls: TlsInfo | undefined;
}

export interface PoolWaiter {
  onPoolReady(connection: PooledConnection, host: Host): void;
  onPoolFailure(reason: ResetReason, detail: string, host: Host): void;
}

/** Connections to one host over one transport, of one HTTP version. */
export interface UpstreamPool {
  /** Calls back with a place, at once when there is one. The returned function withdraws the wish. */
  acquire(waiter: PoolWaiter): (() => void) | undefined;
  /** Closes connections that have been idle since before `before`; returns whether the pool is of no use any more. */
  sweep(before: number): boolean;
  /** Closes idle connections now and the others after their exchanges. */
  drain(): void;
}
