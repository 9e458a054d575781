import type { Clock } from "../../base/index.ts";

export interface BatchOptions<T> {
  /** So many make a batch that leaves at once. */
  readonly batchSize: number;
  /** Fewer leave after so many ms. */
  readonly intervalMs: number;
  /** So many may wait; what comes beyond is dropped. */
  readonly limit: number;
  readonly clock: Clock;
  /** Sends a batch and calls back when it has arrived, or has not. */
  readonly send: (batch: readonly T[], done: (delivered: boolean) => void) => void;
  readonly onDropped: (count: number) => void;
}

/** Collects records and sends them in batches, one batch under way at a time. An empty queue holds no timer. */
export class BatchQueue<T> {
  #waiting: T[] = [];
  #sending = false;
  #cancelTimer: (() => void) | undefined;

  constructor(private readonly options: BatchOptions<T>) {}

  push(record: T): void {
    const { batchSize, intervalMs, limit, clock, onDropped } = this.options;
    if (this.#waiting.length >= limit) {
      onDropped(1);
      return;
    }
    this.#waiting.push(record);
    if (this.#waiting.length >= batchSize) this.flush();
    else this.#cancelTimer ??= clock.after(intervalMs, () => this.flush());
  }

  /** Sends what waits, unless a batch is under way: then it goes when that has ended. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#sending || this.#waiting.length === 0) return;
    const { batchSize, intervalMs, clock, send, onDropped } = this.options;
    const batch = this.#waiting.splice(0, batchSize);
    this.#sending = true;
    send(batch, (delivered) => {
      this.#sending = false;
      if (!delivered) onDropped(batch.length);
      if (this.#waiting.length >= batchSize) this.flush();
      else if (this.#waiting.length > 0) this.#cancelTimer ??= clock.after(intervalMs, () => this.flush());
    });
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#waiting = [];
  }
}
