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

/** Istio's longest sets of labels are some 1,500 characters; an endless one is no label. */
const MAX_LABELS_LENGTH = 16 << 10;
/** Istio's are half of this: a store may be full of series with long labels before it is full of series. */
const MEAN_LABELS_LENGTH = 1_500;
/** A store that is this full forgets series that have ended, oldest first, until a tenth is free: new ones tell more. */
const CROWDED = 0.9;
const RELIEVED = 0.8;

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
  #labelBytes = 0;
  /** Samples refused because a limit was reached. */
  dropped = 0;
  /** Samples taken. */
  appended = 0;

  constructor(readonly options: MetricStoreOptions) {}

  get seriesCount(): number {
    return this.#series;
  }

  /** New series are refused: there are too many, or what they are told apart by takes too much memory. */
  get full(): boolean {
    const { maxSeries } = this.options;
    return this.#series >= maxSeries || this.#labelBytes >= maxSeries * MEAN_LABELS_LENGTH;
  }

  /** Finds or makes a series, undefined where the store is full; `key` is the caller's cached identity of the labels. */
  series(name: string, key: string, labels: () => Labels): { series: Series; created: boolean } | undefined {
    let family = this.#byName.get(name);
    if (!family) this.#byName.set(name, (family = new Map()));
    const known = family.get(key);
    if (known) return { series: known, created: false };
    if (this.full || key.length > MAX_LABELS_LENGTH) {
      this.dropped++;
      return undefined;
    }
    const series = new Series(labels());
    family.set(key, series);
    this.#series++;
    this.#labelBytes += key.length;
    return { series, created: true };
  }

  /** Series that fit all matchers. */
  select(matchers: Matcher[]): Series[] {
    const found: Series[] = [];
    const named = matchers.filter((m) => m.name === "__name__");
    const others = matchers.filter((m) => m.name !== "__name__");
    const exact = named.find((m) => m.op === "=");
    for (const name of exact ? [exact.value] : this.#byName.keys()) {
      const family = this.#byName.get(name);
      if (!family || !named.every((m) => m.matches(name))) continue;
      for (const series of family.values()) if (others.every((m) => m.matches(series.labels[m.name] ?? ""))) found.push(series);
    }
    return found;
  }

  /** Every series with the identity it was made by. */
  *entries(): Generator<{ name: string; key: string; series: Series }> {
    for (const [name, family] of this.#byName) for (const [key, series] of family) yield { name, key, series };
  }

  /** How many series there are of each metric. */
  *families(): Generator<[name: string, series: number]> {
    for (const [name, family] of this.#byName) yield [name, family.size];
  }

  /** Forgets what is older than the retention, and thins out what is older than the tiers say. */
  trim(now: number): void {
    const oldest = now - this.options.retentionMs;
    for (const { name, key, series } of this.entries()) {
      if (this.options.tiers && series.runs > MIN_RUNS_TO_THIN) series.thin(now, this.options.tiers, this.options.gapMs ?? DEFAULT_GAP_MS);
      series.trim(oldest, this.options.maxRunsPerSeries);
      if (series.empty) this.#forget(name, key);
    }
    if (this.#crowding < CROWDED) return;
    const ended = [...this.entries()].filter(({ series }) => series.endedAt !== undefined).sort((a, b) => a.series.endedAt! - b.series.endedAt!);
    for (const { name, key } of ended) {
      if (this.#crowding <= RELIEVED) break;
      this.#forget(name, key);
    }
  }

  /** How much of its bounds the store has taken. */
  get #crowding(): number {
    return Math.max(this.#series, this.#labelBytes / MEAN_LABELS_LENGTH) / this.options.maxSeries;
  }

  #forget(name: string, key: string): void {
    const family = this.#byName.get(name);
    if (!family?.delete(key)) return;
    this.#series--;
    this.#labelBytes -= key.length;
    if (family.size === 0) this.#byName.delete(name);
  }
}
