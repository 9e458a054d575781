/** The kubelet's: containers that die again wait 10 s, doubling to 5 min. */
const INITIAL_MS = 10_000;
const MAX_MS = 300_000;
/** A container that lived this long starts over at the first, immediate restart (twice the longest wait, as the kubelet). */
const FORGET_MS = 2 * MAX_MS;

/** How long a container (or an image) that failed has to wait; one per container. */
export class Backoff {
  #delay = 0;
  #updated = 0;

  /** Milliseconds that are left after a failure at `failedAt`; 0 when it may start now, as after the first failure. */
  remaining(failedAt: number, now: number): number {
    if (this.#delay === 0 || failedAt - this.#updated > FORGET_MS) return 0;
    return Math.max(0, failedAt + this.#delay - now);
  }

  /** Called at each start after a failure: the next failure waits twice as long. */
  next(now: number): void {
    this.#delay = this.#delay === 0 || now - this.#updated > FORGET_MS ? INITIAL_MS : Math.min(this.#delay * 2, MAX_MS);
    this.#updated = now;
  }

  /** The wait that applies now, for messages: `10s`, `1m20s`, `5m0s`. */
  get text(): string {
    const seconds = Math.round(this.#delay / 1000);
    return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  }
}
