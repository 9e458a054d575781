import { errorText, type Clock, type Logger } from "../../base/index.ts";
import { ApiError, isConflict, isNotFound } from "../../kube/index.ts";

/** client-go's item limiter: 5 ms doubling. Its end is 10 s here: one machine's API server needs no longer rest. */
const FIRST_RETRY_MS = 5;
const MAX_RETRY_MS = 10_000;
/** Timers hold 31 bits of milliseconds, and fire at once beyond; what is due later is looked at again in between. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface WorkQueueOptions {
  name: string;
  clock: Clock;
  log: Logger;
  /** Keys that are worked on at the same time; never one key twice. */
  concurrency?: number;
  process(key: string): Promise<void>;
}

/**
 * Keys to bring in order. A key that is added several times before its turn is processed once; one that is added while it
 * is processed comes again afterwards; one whose processing fails comes again after a growing pause.
 */
export class WorkQueue {
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, { at: number; cancel: () => void }>();
  readonly #options: WorkQueueOptions;
  #stopped = false;
  #scheduled = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  add(key: string): void {
    if (this.#stopped) return;
    if (this.#running.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After what is under way now: a burst of events becomes one run, and no loop of controllers can starve the rest.
    setImmediate(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  /** Adds the key after `ms`, unless it is due earlier anyway. */
  addAfter(key: string, ms: number): void {
    if (this.#stopped) return;
    const wait = Math.min(ms, MAX_TIMER_MS);
    const at = this.#options.clock.now() + wait;
    const pending = this.#timers.get(key);
    if (pending && pending.at <= at) return;
    pending?.cancel();
    const cancel = this.#options.clock.after(wait, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { at, cancel });
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    this.#again.clear();
    for (const { cancel } of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #dispatch(): void {
    const { concurrency = 4 } = this.#options;
    for (const key of this.#waiting) {
      if (this.#running.size >= concurrency) return;
      this.#waiting.delete(key);
      this.#running.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    try {
      await this.#options.process(key);
      this.#failures.delete(key);
    } catch (thrown) {
      this.#failed(key, thrown);
    }
    this.#running.delete(key);
    if (this.#again.delete(key) && !this.#stopped) this.#waiting.add(key);
    this.#dispatch();
  }

  #failed(key: string, thrown: unknown): void {
    if (this.#stopped) return;
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const wait = Math.min(FIRST_RETRY_MS * 2 ** failures, MAX_RETRY_MS);
    const level = isExpected(thrown) ? "debug" : "warn";
    this.#options.log[level]("will try again", { controller: this.#options.name, key, error: errorText(thrown), wait_ms: wait });
    this.addAfter(key, wait);
  }
}

/** Somebody was faster, the object has just gone, or its namespace is going: the event that says so is on its way. */
function isExpected(thrown: unknown): boolean {
  const ending = thrown instanceof ApiError && thrown.body.details?.causes?.some((cause) => cause.reason === "NamespaceTerminating");
  return ending === true || isConflict(thrown) || isNotFound(thrown);
}

/** What ends a controller: first what feeds its queues, then these. */
export function stoppable(stops: readonly (() => void)[], ...queues: readonly WorkQueue[]): { stop(): void } {
  return {
    stop() {
      for (const stop of stops) stop();
      for (const queue of queues) queue.stop();
    },
  };
}
