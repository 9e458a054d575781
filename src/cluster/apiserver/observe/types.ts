import type { Incoming } from "../http/app.ts";
import type { ResourceRequest } from "../http/route.ts";
import type { UserInfo } from "../types.ts";

/** One request when its answer is known; a stream's has just begun. */
export interface Observed {
  incoming: Incoming;
  /** Undefined when nobody could be made out. */
  user: UserInfo | undefined;
  target: ResourceRequest | undefined;
  code: number;
  /** What was refused, as the client reads it. */
  refusal: string | undefined;
  /** Whether the answer goes on (watch, log, exec). */
  streaming: boolean;
  /** Milliseconds since the epoch. */
  startedAt: number;
  seconds: number;
}

/** Hears of every request. Must be quick and must not throw. */
export type Observer = (request: Observed) => void;
