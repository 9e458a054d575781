import type { RegistryChange } from "../registry/types.ts";

/** How far one change of configuration has come. */
export interface ChangeProgress {
  /** Unix ms at which the control plane learned of it. */
  at: number;
  /** `<kind>/<namespace>/<name>` of what changed. */
  keys: readonly string[];
  /** Proxies that were connected. */
  proxies: number;
  /** Those that it means nothing for, whose acknowledgement is there, and which refused it. */
  unaffected: number;
  applied: number;
  refused: { proxy: string; error: string }[];
  /** Not settled yet. */
  waiting: number;
  /** From `at` to the last proxy's answer, in ms, once none is waited for. */
  milliseconds: number | undefined;
}

/** What one proxy makes of a change. */
export type Outcome = { kind: "unaffected" } | { kind: "applied" } | { kind: "gone" } | { kind: "refused"; proxy: string; error: string };

/** The part of a change that one connection reports to. */
export interface Delivery {
  settle(outcome: Outcome): void;
}

/** Changes that can be asked for: what a person has just applied is among them. */
const KEPT = 100;
/** A change of everything, as at a restart of the mesh's configuration, is told by its first names. */
const MAX_KEYS = 20;

/** Follows changes to the proxies that they are for, so that it can be said when a policy is in force everywhere. */
export class Distribution {
  readonly #changes: ChangeProgress[] = [];

  constructor(private readonly now: () => number) {}

  /** A change that is about to be told to so many connections; undefined where it is no configuration, such as endpoints. */
  begin(change: RegistryChange, proxies: number): Delivery | undefined {
    if (change.keys.size === 0) return undefined;
    const progress: ChangeProgress = {
      at: this.now(),
      keys: [...change.keys].slice(0, MAX_KEYS),
      proxies,
      unaffected: 0,
      applied: 0,
      refused: [],
      waiting: proxies,
      milliseconds: proxies === 0 ? 0 : undefined,
    };
    this.#changes.push(progress);
    if (this.#changes.length > KEPT) this.#changes.shift();
    return {
      settle: (outcome) => {
        progress.waiting--;
        if (outcome.kind === "unaffected") progress.unaffected++;
        else if (outcome.kind === "applied") progress.applied++;
        else if (outcome.kind === "refused") progress.refused.push({ proxy: outcome.proxy, error: outcome.error.slice(0, 500) });
        else progress.proxies--;
        if (progress.waiting === 0) progress.milliseconds = this.now() - progress.at;
      },
    };
  }

  /** The newest first; only those of one object where a key is given. */
  changes(key?: string): ChangeProgress[] {
    return this.#changes.filter(({ keys }) => key === undefined || keys.includes(key)).reverse();
  }
}

/** What one connection still owes to changes: the answers to what it was sent for them. */
export class Deliveries {
  #next: Delivery[] = [];
  #sent: { nonces: Set<string>; refused: string | undefined; deliveries: Delivery[] }[] = [];

  constructor(private readonly proxy: () => string) {}

  add(delivery: Delivery): void {
    this.#next.push(delivery);
  }

  /** Those whose state the push that begins now carries. */
  take(): Delivery[] {
    const taken = this.#next;
    this.#next = [];
    return taken;
  }

  /** The push is out, with these nonces. */
  pushed(deliveries: Delivery[], nonces: readonly string[]): void {
    if (deliveries.length === 0) return;
    if (nonces.length === 0) deliveries.forEach((delivery) => delivery.settle({ kind: "unaffected" }));
    else this.#sent.push({ nonces: new Set(nonces), refused: undefined, deliveries });
  }

  answered(nonce: string, error: string | undefined): void {
    for (const push of this.#sent) {
      if (!push.nonces.delete(nonce)) continue;
      push.refused ??= error;
      if (push.nonces.size > 0) continue;
      const outcome: Outcome = push.refused === undefined ? { kind: "applied" } : { kind: "refused", proxy: this.proxy(), error: push.refused };
      push.deliveries.forEach((delivery) => delivery.settle(outcome));
    }
    this.#sent = this.#sent.filter(({ nonces }) => nonces.size > 0);
  }

  closed(): void {
    for (const delivery of [...this.#next, ...this.#sent.flatMap(({ deliveries }) => deliveries)]) delivery.settle({ kind: "gone" });
    this.#next = [];
    this.#sent = [];
  }
}
