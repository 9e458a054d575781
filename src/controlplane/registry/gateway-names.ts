import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import type { Clock } from "../../base/index.ts";
import { compareText } from "./order.ts";

/** What a name stands for, and for how many seconds. Throws when nobody could say. */
export type ResolveName = (name: string) => Promise<{ addresses: readonly string[]; ttl: number }>;

/** Istio's limits: short lives would make a push of every answer, long ones would hide a change. */
const MIN_TTL_MS = 30_000;
const MAX_TTL_MS = 3_600_000;

/** Keeps up with what the names of gateways between networks stand for; a name that cannot be resolved keeps its addresses. */
export class GatewayNames {
  readonly #known = new Map<string, { addresses: readonly string[]; cancel: () => void }>();

  constructor(
    private readonly resolve: ResolveName,
    private readonly clock: Clock,
    private readonly onChange: (addresses: ReadonlyMap<string, readonly string[]>) => void,
  ) {}

  /** The names that matter now; the others are forgotten. */
  watch(names: ReadonlySet<string>): void {
    for (const [name, { cancel }] of this.#known) {
      if (names.has(name)) continue;
      cancel();
      this.#known.delete(name);
    }
    for (const name of names) {
      if (isIP(name) || this.#known.has(name)) continue;
      this.#known.set(name, { addresses: [], cancel: () => {} });
      void this.#refresh(name);
    }
  }

  stop(): void {
    this.watch(new Set());
  }

  async #refresh(name: string): Promise<void> {
    // A failure leaves what was known, and is tried again.
    const answer = await this.resolve(name).catch(() => undefined);
    const known = this.#known.get(name);
    if (!known) return;
    const addresses = answer ? [...answer.addresses].sort(compareText) : known.addresses;
    const ttl = Math.min(Math.max((answer?.ttl ?? 0) * 1_000, MIN_TTL_MS), MAX_TTL_MS);
    this.#known.set(name, { addresses, cancel: this.clock.after(ttl, () => void this.#refresh(name)) });
    if (addresses.join() === known.addresses.join()) return;
    this.onChange(new Map([...this.#known].map(([each, { addresses: own }]) => [each, own])));
  }
}

/** Asks the name servers of this host for addresses of both families. */
export function systemResolver(): ResolveName {
  const resolver = new Resolver();
  return async (name) => {
    const answers = await Promise.allSettled([resolver.resolve4(name, { ttl: true }), resolver.resolve6(name, { ttl: true })]);
    const records = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    const [failure] = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason as unknown] : []));
    if (records.length === 0 && answers.every(({ status }) => status === "rejected")) throw failure;
    return { addresses: records.map(({ address }) => address), ttl: Math.min(...records.map(({ ttl }) => ttl)) };
  };
}
