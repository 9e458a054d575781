import type { Matcher } from "./matchers.ts";
import { type Labels, Series, type Tier } from "./series.ts";

export interface MetricStoreOptions {
  /** How long samples are kept. */
  retentionMs: number;
  /** Runs kept a series: bounds a series that changes with every scrape. */
  maxRunsPerSeries: number;
  /** New series beyond this are dropped and counted: a target with endless labels must not take the memory. */
  maxSeries: number;
  /** How older samples thin out; none thin out where this is left away. */
  tiers?: readonly Tier[];
  /** A silence longer than this is a gap. */
  gapMs?: number;
}

/** What an exposition says of a metric. */
export interface MetricMetadata {
  type: string;
  help: string;
}

/** Fewer runs than this are not worth thinning. */
const MIN_RUNS_TO_THIN = 64;
/** Scrapes of the embedded mesh are a second apart. */
const DEFAULT_GAP_MS = 5_000;

/** All series, found by metric name. One owner: the program that scrapes. */
export class MetricStore {
  readonly #byName = new Map<string, Map<string, Series>>();
  /** By metric family, as its targets describe it. */
  readonly metadata = new Map<string, MetricMetadata>();
  #series = 0;
  /** Samples refused because `maxSeries` was reached. */
  dropped = 0;

  constructor(readonly options: MetricStoreOptions) {}

  get seriesCount(): number {
    return this.#series;
  }

  /** Finds or makes a series; `key` is the caller's cached identity of the labels. */
  series(name: string, key: string, labels: () => Labels): { series: Series; created: boolean } | undefined {
    let family = this.#byName.get(name);
    if (!family) this.#byName.set(name, (family = new Map()));
    const known = family.get(key);
    if (known) return { series: known, created: false };
    if (this.#series >= this.options.maxSeries) {
      this.dropped++;
      return undefined;
    }
    const series = new Series(labels());
    family.set(key, series);
    this.#series++;
    return { series, created: true };
  }

  /** Series that fit all matchers. */
  select(matchers: Matcher[]): Series[] {
    const found: Series[] = [];
    const name = matchers.find((m) => m.name === "__name__" && m.op === "=");
    const families = name ? [this.#byName.get(name.value)] : this.#byName.values();
    for (const family of families) {
      if (!family) continue;
      for (const series of family.values()) if (matchers.every((m) => m.matches(series.labels[m.name] ?? ""))) found.push(series);
    }
    return found;
  }

  /** Every series with the identity it was made by. */
  *entries(): Generator<{ name: string; key: string; series: Series }> {
    for (const [name, family] of this.#byName) for (const [key, series] of family) yield { name, key, series };
  }

  metricNames(): string[] {
    return [...this.#byName.keys()].sort();
  }

  /** Forgets what is older than the retention, and thins out what is older than the tiers say. */
  trim(now: number): void {
    const oldest = now - this.options.retentionMs;
    for (const [name, family] of this.#byName) {
      for (const [key, series] of family) {
        if (this.options.tiers && series.runs > MIN_RUNS_TO_THIN) series.thin(now, this.options.tiers, this.options.gapMs ?? DEFAULT_GAP_MS);
        series.trim(oldest, this.options.maxRunsPerSeries);
        if (series.empty) {
          family.delete(key);
          this.#series--;
        }
      }
      if (family.size === 0) this.#byName.delete(name);
    }
  }
}
