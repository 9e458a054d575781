import type { Clock } from "../../base/index.ts";
import type { ContainerRole } from "./records.ts";

/** As the kubelet: a container gets at least this long between SIGTERM and SIGKILL, even when its hook used up the grace. */
const MIN_TERM_MS = 2000;
/** After SIGKILL the kernel may need a moment; the sandbox's removal takes what is left. */
const KILL_WAIT_MS = 5000;

/** A running container as far as its end is concerned. */
export interface Stoppable {
  name: string;
  role: ContainerRole;
  /** Position among the pod's containers: later sidecars stop before earlier ones. */
  index: number;
  /** Must not throw; returns early when `signal` aborts. */
  preStop?: (signal: AbortSignal) => Promise<void>;
  /** No effect once the process has ended. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
  /** Resolves when the process has ended. */
  exited: Promise<void>;
}

/** The moment by which containers must be gone; it can be moved forward (a second delete) but not back. */
export class Deadline {
  readonly #over = new AbortController();
  readonly #forced = new AbortController();
  #cancel: () => void = () => {};
  #at: number;

  constructor(
    readonly clock: Clock,
    graceMs: number,
  ) {
    this.#at = Number.POSITIVE_INFINITY;
    this.shorten(graceMs);
  }

  /** Aborts when the grace is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Without any grace: SIGKILL at once. */
  get forced(): boolean {
    return this.#forced.signal.aborted;
  }

  shorten(graceMs: number): void {
    if (graceMs <= 0) this.#forced.abort();
    const at = this.clock.now() + graceMs;
    if (at >= this.#at) return;
    this.#at = at;
    this.#cancel();
    this.#cancel = graceMs > 0 ? this.clock.after(graceMs, () => this.#over.abort()) : () => {};
    if (graceMs <= 0) this.#over.abort();
  }

  /** Resolves when the grace is over and at least `minimumMs` have passed, or at once when forced. */
  async after(minimumMs: number): Promise<void> {
    const minimum = new Promise<void>((resolve) => void this.clock.after(minimumMs, resolve));
    await Promise.race([aborted(this.#forced.signal), Promise.all([aborted(this.#over.signal), minimum])]);
  }

  dispose(): void {
    this.#cancel();
  }
}

/**
 * Stops containers as the kubelet does: all hooks at once; then SIGTERM, apps first and at the same time, sidecars one by
 * one in the reverse of their order once everything after them has gone; SIGKILL when the grace is over.
 */
export async function stopAll(units: Stoppable[], deadline: Deadline): Promise<void> {
  await Promise.all(
    units.map(async (unit) => {
      if (unit.preStop && !deadline.forced) await Promise.race([unit.preStop(deadline.signal), unit.exited, aborted(deadline.signal)]);
      if (unit.role === "sidecar") {
        const after = units.filter((other) => other.role !== "sidecar" || other.index > unit.index);
        await Promise.race([Promise.all(after.map((other) => other.exited)), aborted(deadline.signal)]);
      }
      await stopOne(unit, deadline);
    }),
  );
}

async function stopOne(unit: Stoppable, deadline: Deadline): Promise<void> {
  if (!deadline.forced) {
    unit.kill("SIGTERM");
    await Promise.race([unit.exited, deadline.after(MIN_TERM_MS)]);
  }
  unit.kill("SIGKILL");
  await Promise.race([unit.exited, new Promise<void>((resolve) => void deadline.clock.after(KILL_WAIT_MS, resolve))]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
