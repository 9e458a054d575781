import type { Clock } from "../../../base/index.ts";

/** What has been used since the start, and what is used now. */
export interface Reading {
  cpuSeconds: number;
  memoryBytes: number;
}

export interface Measurement {
  /** CPU seconds a second. */
  cores: number;
  memoryBytes: number;
  /** Over which the CPU time was measured. */
  windowMs: number;
  /** When it ended. */
  at: number;
}

/** The window of a first measurement: the kernel counts in ticks of 10 ms, so a second tells 1 % of a core. */
const FIRST_WINDOW_MS = 1_000;
/** A reading serves as the beginning of later windows for as long as metrics-server's default resolution. */
const WINDOW_MS = 15_000;
/** One older than this would show a mean of what is long past. */
const MAX_AGE_MS = 60_000;

interface Beginning {
  cpuSeconds: number;
  at: number;
}

/**
 * Turns counters into rates. It reads when asked and at no other time: who is asked the first time takes a second, later
 * questions begin where earlier ones were.
 */
export class Meter {
  #beginnings = new Map<string, Beginning>();

  constructor(private readonly clock: Clock) {}

  /** `read` tells the present counters by key. What ends or restarts meanwhile is left out. */
  async measure(read: () => Promise<Map<string, Reading>>): Promise<Map<string, Measurement>> {
    let readings = await read();
    let now = this.clock.now();
    for (const [key, { at }] of this.#beginnings) if (now - at > MAX_AGE_MS) this.#beginnings.delete(key);
    const fresh = [...readings].filter(([key, { cpuSeconds }]) => !this.#usable(key, cpuSeconds, now));
    for (const [key, { cpuSeconds }] of fresh) this.#beginnings.set(key, { cpuSeconds, at: now });
    if (fresh.length > 0) {
      await new Promise<void>((resolve) => this.clock.after(FIRST_WINDOW_MS, resolve));
      readings = await read();
      now = this.clock.now();
    }
    const measurements = new Map<string, Measurement>();
    for (const [key, { cpuSeconds, memoryBytes }] of readings) {
      const beginning = this.#beginnings.get(key);
      if (!beginning || beginning.cpuSeconds > cpuSeconds || now <= beginning.at) continue;
      const windowMs = now - beginning.at;
      measurements.set(key, { cores: ((cpuSeconds - beginning.cpuSeconds) * 1000) / windowMs, memoryBytes, windowMs, at: now });
      if (windowMs > WINDOW_MS) this.#beginnings.set(key, { cpuSeconds, at: now });
    }
    return measurements;
  }

  #usable(key: string, cpuSeconds: number, now: number): boolean {
    const beginning = this.#beginnings.get(key);
    return beginning !== undefined && beginning.cpuSeconds <= cpuSeconds && now - beginning.at >= FIRST_WINDOW_MS;
  }
}
