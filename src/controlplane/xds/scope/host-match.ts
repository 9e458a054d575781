import { hostIsSubsetOf, isWildcard } from "../../registry/index.ts";

/** Rules by the host they are for, found by the most specific host that fits. */
export class HostMap<Value> {
  readonly #exact = new Map<string, Value>();
  readonly #wildcard = new Map<string, Value>();

  get(host: string): Value | undefined {
    return (isWildcard(host) ? this.#wildcard : this.#exact).get(host);
  }

  set(host: string, value: Value): void {
    (isWildcard(host) ? this.#wildcard : this.#exact).set(host, value);
  }

  /** The value of the host itself or of the longest wildcard that covers it. */
  mostSpecific(host: string): Value | undefined {
    const own = this.get(host);
    if (own !== undefined || this.#wildcard.size === 0) return own;
    let best: string | undefined;
    for (const pattern of this.#wildcard.keys()) {
      if (hostIsSubsetOf(host, pattern) && (best === undefined || pattern.length > best.length)) best = pattern;
    }
    return best === undefined ? undefined : this.#wildcard.get(best);
  }
}
