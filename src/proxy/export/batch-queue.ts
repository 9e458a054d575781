import type { Clock } from "../../base/index.ts";

export interface BatchOptions<T> {
  /** What a record counts towards a full batch: 1, or its bytes. */
  readonly weigh?: (record: T) => number;
  /** So much makes a batch that leaves at once. */
  readonly batchWeight: number;
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
  #weight = 0;
  #sending = false;
  #cancelTimer: (() => void) | undefined;

  constructor(private readonly options: BatchOptions<T>) {}

  push(record: T): void {
    const { batchWeight, intervalMs, limit, clock, onDropped } = this.options;
    if (this.#waiting.length >= limit) {
      onDropped(1);
      return;
    }
    this.#waiting.push(record);
    this.#weight += this.#weigh(record);
    if (this.#weight >= batchWeight) this.flush();
    else this.#cancelTimer ??= clock.after(intervalMs, () => this.flush());
  }

  /** Sends what waits, unless a batch is under way: then it goes when that has ended. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#sending || this.#waiting.length === 0) return;
    const { batchWeight, intervalMs, clock, send, onDropped } = this.options;
    const batch = this.#take(batchWeight);
    this.#sending = true;
    send(batch, (delivered) => {
      this.#sending = false;
      if (!delivered) onDropped(batch.length);
      if (this.#weight >= batchWeight) this.flush();
      else if (this.#waiting.length > 0) this.#cancelTimer ??= clock.after(intervalMs, () => this.flush());
    });
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#waiting = [];
    this.#weight = 0;
  }

  /** One full batch, or what there is. */
  #take(batchWeight: number): T[] {
    let count = 0;
    let weight = 0;
    while (count < this.#waiting.length && (count === 0 || weight < batchWeight)) weight += this.#weigh(this.#waiting[count++] as T);
    this.#weight -= weight;
    return this.#waiting.splice(0, count);
  }

  #weigh(record: T): number {
    return this.options.weigh?.(record) ?? 1;
  }
}
