import type { Outcome } from "./call.ts";

/** A way in which this proxy is meant to differ from Envoy, or cannot be like it. */
export interface KnownDifference {
  /** Names of the rows that show it. */
  readonly rows: readonly string[] | RegExp;
  readonly reason: string;
  /** Takes out of both sides what differs; everything else must be equal. */
  readonly call?: (outcome: Outcome) => Outcome;
  readonly log?: (line: string) => string;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [];
