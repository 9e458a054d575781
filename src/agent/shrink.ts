import type { Clock } from "../base/index.ts";

/**
 * Gives memory back in moments with little to do: what starting up, a push or a burst of traffic has left behind is garbage
 * that the collector would not look for, as there is room, and free memory that the allocator keeps. It stops the process
 * for some 15 ms, so it is done only when the process has grown since the last time. A proxy that never has a quiet moment
 * has better use for its memory. `cpuMs` and `residentBytes` are what the process has used so far and holds now.
 */
export function shrinkWhenQuiet(clock: Clock, cpuMs: () => number, residentBytes: () => number, shrink: () => void): () => void {
  let before = cpuMs();
  /** What it held after the last time. */
  let held = 0;
  const look = (): void => {
    const now = cpuMs();
    if (now - before < QUIET_SHARE * LOOK_EVERY_MS && residentBytes() - held >= GROWN_BYTES) {
      shrink();
      held = residentBytes();
    }
    before = cpuMs();
    cancel = clock.after(LOOK_EVERY_MS, look);
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
/** What probes and scrapes leave in ten seconds and more: for less, 15 ms are too much. */
const GROWN_BYTES = 1024 * 1024;
