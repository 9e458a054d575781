/**
 * Waiting times between attempts: each the double of the one before up to a ceiling, drawn between half and all of it,
 * so that proxies that lost one server do not come back as one.
 */
export class Backoff {
  #next: number;

  constructor(private readonly options: { readonly firstMs: number; readonly maxMs: number; readonly random: () => number }) {
    this.#next = options.firstMs;
  }

  /** Milliseconds to wait now. */
  next(): number {
    const ceiling = this.#next;
    this.#next = Math.min(ceiling * 2, this.options.maxMs);
    return ceiling * (0.5 + this.options.random() / 2);
  }

  /** It worked: the next failure starts from the beginning. */
  reset(): void {
    this.#next = this.options.firstMs;
  }
}
