import type { ConnectionLimit as ConnectionLimitProto } from "../../proto/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.ts";
import { durationMs } from "../durations.ts";
import type { ResponseFlag } from "../telemetry/stream-info.ts";
import type { CoreStats } from "../telemetry/core-stats.ts";

/** What a filter chain asks of a new connection. */
export interface Admission {
  /** A refused connection is kept silent for so long, so that its client does not come back at once. */
  readonly delayMs: number;
  /** What the log of a refused connection shows. */
  readonly flag: ResponseFlag | undefined;
  /** Takes a place; false when there is none. */
  enter(): boolean;
  leave(): void;
}

/** `envoy.filters.network.connection_limit`: so many connections of one filter chain at a time. */
export class ConnectionLimit implements Admission {
  readonly flag = undefined;
  readonly delayMs: number;
  readonly #max: number;
  readonly #active;
  readonly #limited;

  constructor(proto: ConnectionLimitProto, core: CoreStats) {
    const stats = core.scope(`connection_limit.${proto.statPrefix}`);
    this.#active = stats.counter("active_connections");
    this.#limited = stats.counter("limited_connections");
    // Switched off by its runtime flag, it limits nothing.
    const enabled = proto.runtimeEnabled?.defaultValue ?? true;
    this.#max = enabled ? Number(proto.maxConnections ?? 0n) : Infinity;
    this.delayMs = durationMs(proto.delay) ?? 0;
  }

  enter(): boolean {
    if (this.#active.value >= this.#max) {
      this.#limited.inc();
      return false;
    }
    this.#active.inc();
    return true;
  }

  leave(): void {
    this.#active.inc(-1);
  }
}
