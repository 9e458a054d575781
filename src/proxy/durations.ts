import type { Duration } from "@bufbuild/protobuf/wkt";

/** Milliseconds of a Duration, or undefined when it is not set. */
export function durationMs(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** setTimeout's limit; a longer wait (Istio writes 9223372035s for never) never fires. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds to wait, or undefined when there is nothing to wait for: unset, zero (Envoy's "disabled") or for ever. */
export function timeoutMs(duration: Duration | undefined, defaultMs?: number): number | undefined {
  const ms = durationMs(duration) ?? defaultMs;
  return ms === undefined || ms <= 0 || ms > MAX_TIMER_MS ? undefined : ms;
}
