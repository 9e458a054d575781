import { Http2Stats } from "../http2/http2-stats.ts";
import type { StatNaming, StatName } from "./stat-names.ts";
import { HttpStats, ListenerStats, StatScope, TcpStats } from "./stat-scope.ts";
import { renderLabels, type StatSample } from "./stats.ts";

interface Named {
  readonly dotted: string;
  readonly name: StatName;
  readonly labels: string;
}

/** Envoy's own statistics: scopes by prefix, and what of them is shown under which Prometheus names. */
export class CoreStats {
  readonly #scopes = new Map<string, StatScope>();
  /** Names of what is shown; they live as long as their scope. */
  readonly #names = new WeakMap<StatScope, Map<string, Named>>();
  /** What is not shown, which is most of a mesh's statistics; scopes that hide the same share one set. */
  readonly #hidden = new WeakMap<StatScope, ReadonlySet<string>>();
  readonly #sets = new Map<string, ReadonlySet<string>>();

  constructor(
    private readonly naming: StatNaming,
    /** Scopes that come and go. */
    private readonly others: () => Iterable<StatScope>,
  ) {}

  http(prefix: string): HttpStats {
    return this.#scope(`http.${prefix}`, HttpStats);
  }

  tcp(prefix: string): TcpStats {
    return this.#scope(`tcp.${prefix}`, TcpStats);
  }

  /** For an address as in `127.0.0.1_8080`. */
  listener(address: string): ListenerStats {
    return this.#scope(`listener.${address}`, ListenerStats);
  }

  /** Of all HTTP/2 connections from clients. */
  http2(): Http2Stats {
    return this.#scope("http2", Http2Stats);
  }

  scope(prefix: string): StatScope {
    return this.#scope(prefix, StatScope);
  }

  /** Whether anybody will see this statistic: what costs more than an increment need not be measured otherwise. */
  includes(dotted: string): boolean {
    return this.naming.includes(dotted);
  }

  resetCounters(): void {
    for (const scope of [...this.#scopes.values(), ...this.others()]) scope.resetCounters();
  }

  *samples(): IterableIterator<StatSample> {
    for (const scope of this.#scopes.values()) yield* this.#read(scope);
    for (const scope of this.others()) yield* this.#read(scope);
  }

  *#read(scope: StatScope): IterableIterator<StatSample> {
    const hidden = this.#hidden.get(scope) ?? NONE;
    const more: string[] = [];
    for (const [stat, kind, value] of scope.read(hidden)) {
      const named = hidden.has(stat) ? undefined : this.#named(scope, stat);
      if (named) yield { name: named.name.family, kind, labels: named.labels, metric: { value }, dotted: named.dotted };
      else if (!hidden.has(stat)) more.push(stat);
    }
    for (const [stat, histogram] of scope.histograms()) {
      const named = this.#named(scope, stat);
      if (named) yield { name: named.name.family, kind: "histogram", labels: named.labels, metric: histogram, dotted: named.dotted };
    }
    if (more.length > 0) this.#hidden.set(scope, this.#shared([...hidden, ...more]));
  }

  #named(scope: StatScope, stat: string): Named | undefined {
    const known = this.#names.get(scope)?.get(stat);
    if (known) return known;
    const dotted = `${scope.prefix}.${stat}`;
    if (!this.naming.includes(dotted)) return undefined;
    const name = this.naming.name(dotted);
    const named = { dotted, name, labels: renderLabels(name.labels) };
    let names = this.#names.get(scope);
    if (!names) this.#names.set(scope, (names = new Map()));
    names.set(stat, named);
    return named;
  }

  #shared(stats: readonly string[]): ReadonlySet<string> {
    const key = stats.join(" ");
    const known = this.#sets.get(key);
    if (known) return known;
    const set = new Set(stats);
    // Scopes keep theirs; what is forgotten here is only shared no more.
    if (this.#sets.size >= MAX_SHARED) this.#sets.clear();
    this.#sets.set(key, set);
    return set;
  }

  #scope<T extends StatScope>(prefix: string, Kind: new (prefix: string, includes: (dotted: string) => boolean) => T): T {
    const known = this.#scopes.get(prefix);
    if (known instanceof Kind) return known;
    const scope = new Kind(prefix, (dotted) => this.naming.includes(dotted));
    this.#scopes.set(prefix, scope);
    return scope;
  }
}

const NONE: ReadonlySet<string> = new Set();
/** There are a handful of kinds of scopes, and each can have counted this and that beside what all of its kind have. */
const MAX_SHARED = 100;
