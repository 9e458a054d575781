import type { Clock } from "../../base/index.ts";
import type { HttpStats } from "../telemetry/stat-scope.ts";
import { streamLimitMs } from "../router/request-limits.ts";
import type { HttpStream } from "./http-stream.ts";
import type { LocalReply } from "./local-reply.ts";

export interface StreamTimeouts {
  /** For the whole request to arrive. */
  readonly requestMs: number | undefined;
  /** For the exchange as a whole. */
  readonly limitMs: number | undefined;
  /** Without a byte in either direction. */
  readonly idleMs: number | undefined;
}

/** The time limits of one exchange. Most have none of them, and then no timer runs. */
export class StreamTimers {
  #cancels: (() => void)[] | undefined;
  #lastActive = -1;

  /** By what the connection manager, the route and the request's own headers say. Undefined where there are no limits. */
  static start(stream: HttpStream): StreamTimers | undefined {
    const { config, request, route, grpc } = stream;
    const action = route?.action.kind === "forward" ? route.action : undefined;
    const requestMs = config.requestTimeoutMs;
    const limitMs = streamLimitMs(request.headers, action, grpc, config.maxStreamMs);
    const idleMs = action?.idleTimeoutMs ?? config.streamIdleTimeoutMs;
    if (requestMs === undefined && limitMs === undefined && idleMs === undefined) return undefined;
    const { clock, monotonic } = config.services;
    const timers = new StreamTimers(
      clock,
      monotonic,
      () => stream.requestEnded,
      config.stats,
      (reply) => stream.localReply(reply),
    );
    timers.#start({ requestMs, limitMs, idleMs });
    return timers;
  }

  constructor(
    private readonly clock: Clock,
    private readonly monotonic: () => number,
    private readonly requestEnded: () => boolean,
    private readonly stats: HttpStats,
    /** Ends the exchange with this answer. */
    private readonly expire: (reply: LocalReply) => void,
  ) {}

  #start({ requestMs, limitMs, idleMs }: StreamTimeouts): void {
    if (requestMs !== undefined && !this.requestEnded()) {
      this.#after(requestMs, () => {
        if (this.requestEnded()) return;
        this.stats.downstream_rq_timeout++;
        this.expire({ status: 408, body: "request timeout", details: "request_overall_timeout" });
      });
    }
    if (limitMs !== undefined) {
      this.#after(limitMs, () => {
        this.stats.downstream_rq_max_duration_reached++;
        this.expire({ status: this.requestEnded() ? 504 : 408, body: "downstream duration timeout", details: "max_duration_timeout", grpcStatus: 4 });
      });
    }
    if (idleMs !== undefined) {
      this.#lastActive = this.monotonic();
      this.#watchIdle(idleMs, idleMs);
    }
  }

  /** Something has passed. */
  touch(): void {
    if (this.#lastActive >= 0) this.#lastActive = this.monotonic();
  }

  stop(): void {
    for (const cancel of this.#cancels ?? []) cancel();
    this.#cancels = undefined;
  }

  /** One timer, set anew for what is left, instead of one a byte. */
  #watchIdle(idleMs: number, wait: number): void {
    this.#after(wait, () => {
      const left = this.#lastActive + idleMs - this.monotonic();
      if (left > 0.5) {
        this.#watchIdle(idleMs, left);
        return;
      }
      this.stats.downstream_rq_idle_timeout++;
      this.expire({ status: this.requestEnded() ? 504 : 408, body: "stream timeout", details: "stream_idle_timeout", flag: "SI" });
    });
  }

  #after(ms: number, callback: () => void): void {
    (this.#cancels ??= []).push(this.clock.after(ms, callback));
  }
}
