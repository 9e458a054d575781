import type { Clock } from "../../base/index.ts";
import type { WorkloadIdentity } from "../../telemetry/index.ts";

/** As far back as pages look by default, and a little more: a refused caller is named though its pod has gone. */
const KEPT_MS = 15 * 60_000;
/** A rollout of a large mesh; beyond it the oldest are forgotten. */
const MAX_KEPT = 2_000;

/** Whose an address was, for a while after its pod has gone. Clusters give addresses out anew: who has one now comes first. */
export class PastAddresses {
  readonly #gone = new Map<string, { workload: WorkloadIdentity; at: number }>();

  constructor(private readonly clock: Clock) {}

  left(ip: string, workload: WorkloadIdentity): void {
    this.#gone.delete(ip);
    this.#gone.set(ip, { workload, at: this.clock.now() });
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size <= MAX_KEPT) break;
      this.#gone.delete(oldest);
    }
  }

  of(ip: string): WorkloadIdentity | undefined {
    const known = this.#gone.get(ip);
    if (!known) return undefined;
    if (this.clock.now() - known.at <= KEPT_MS) return known.workload;
    this.#gone.delete(ip);
    return undefined;
  }
}
