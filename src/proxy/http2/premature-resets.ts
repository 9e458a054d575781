/** Streams that a client gives up sooner were opened to cost us something; Envoy's premature_reset_min_stream_lifetime. */
const MIN_LIFETIME_MS = 1000;
/** From so many streams on, half of them may not be given up so soon; Envoy's premature_reset_total_stream_count. */
const TOTAL_STREAMS = 500;

/** Notices a client that opens streams only to reset them at once, which costs it two frames and us a request (CVE-2023-44487). */
export class PrematureResets {
  #closed = 0;
  #premature = 0;

  /** A stream has ended, in whatever way. */
  ended(): void {
    this.#closed++;
  }

  /** The client resets a stream of this age that is not answered, which then ends. True when the connection shall be closed. */
  reset(ageMs: number): boolean {
    if (ageMs < MIN_LIFETIME_MS) this.#premature++;
    // Also before there were so many: when even good streams from now on could not mend the share.
    return this.#premature * 2 >= Math.max(this.#closed + 1, TOTAL_STREAMS);
  }
}
