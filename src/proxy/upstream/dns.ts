import { lookup } from "node:dns/promises";
import type { Clock } from "../../base/index.ts";
import { Cluster_DnsLookupFamily as Family } from "../../proto/gen/envoy/config/cluster/v3/cluster_pb.ts";

/** Addresses of a name; rejects when it has none. */
export type Resolve = (name: string, family: Family) => Promise<string[]>;

export const systemResolve: Resolve = async (name, family) => {
  const found = await lookup(name, { all: true, family: family === Family.V4_ONLY ? 4 : family === Family.V6_ONLY ? 6 : 0 });
  const v4 = found.filter((each) => each.family === 4).map((each) => each.address);
  const v6 = found.filter((each) => each.family === 6).map((each) => each.address);
  if (family === Family.ALL) return [...v4, ...v6];
  // AUTO prefers IPv6, V4_PREFERRED the other; Istio sets V4_ONLY.
  const [first, second] = family === Family.V4_PREFERRED || family === Family.V4_ONLY ? [v4, v6] : [v6, v4];
  return first.length > 0 ? first : second;
};

/** Looks a name up again and again; a failure keeps what was known, as Envoy does. */
export class DnsWatch {
  #stopped = false;
  #cancel: (() => void) | undefined;

  constructor(
    private readonly options: { name: string; family: Family; refreshMs: number; resolve: Resolve; clock: Clock },
    private readonly onAddresses: (addresses: string[]) => void,
    private readonly onFailure: (error: unknown) => void,
  ) {
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #look(): void {
    const { name, family, resolve, clock, refreshMs } = this.options;
    void resolve(name, family)
      .then((addresses) => {
        if (!this.#stopped) this.onAddresses(addresses);
      })
      .catch((error: unknown) => {
        if (!this.#stopped) this.onFailure(error);
      })
      .finally(() => {
        if (!this.#stopped) this.#cancel = clock.after(refreshMs, () => this.#look());
      });
  }
}
