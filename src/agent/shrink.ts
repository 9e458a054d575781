import type { Clock } from "../base/index.ts";

/**
 * Gives back once what starting up has left behind: decoding descriptors and the first configuration leave a fifth of the
 * process's memory as garbage that the allocator keeps. It stops the process for some 15 ms, so it waits for a moment with
 * little to do; a proxy that never has one has better use for its memory. `cpuMs` is what the process has used so far.
 */
export function shrinkWhenQuiet(clock: Clock, cpuMs: () => number, shrink: () => void): () => void {
  let before = cpuMs();
  let looks = 0;
  const look = (): void => {
    const now = cpuMs();
    if (now - before < QUIET_SHARE * LOOK_EVERY_MS) shrink();
    else if (++looks < MAX_LOOKS) cancel = clock.after(LOOK_EVERY_MS, look);
    before = now;
  };
  let cancel = clock.after(LOOK_EVERY_MS, look);
  return () => cancel();
}

/** CPU milliseconds of this process. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Past the first probes and the pushes that follow a pod's start. */
const LOOK_EVERY_MS = 3_000;
/** Probes and scrapes cost less than this; a hundred requests a second cost more. */
const QUIET_SHARE = 0.02;
/** A minute. */
const MAX_LOOKS = 20;
