import { LabelTable } from "./label-table.ts";
import type { Matcher } from "./matchers.ts";
import { type Labels, Series, type Tier, labelOf } from "./series.ts";

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
/** Texts of labels that may be left over from series that are gone, a series: then the table is made anew. */
const MAX_TEXTS_PER_SERIES = 4;
const MIN_TEXTS = 50_000;

/** Fewer runs than this are not worth thinning. */
const MIN_RUNS_TO_THIN = 64;
/** Scrapes of the embedded mesh are a second apart. */
const DEFAULT_GAP_MS = 5_000;

/** All series, found by metric name. One owner: the program that scrapes. */
export class MetricStore {
  readonly #byName = new Map<string, Map<string, Series>>();
  #table = new LabelTable();
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

  /** Finds the series with these labels or makes it; undefined, and counted, where the store is full. */
  series(labels: Labels): { series: Series; created: boolean } | undefined {
    const name = labels.__name__ ?? "";
    const length = lengthOf(labels);
    // Before its texts are kept.
    if (length > MAX_LABELS_LENGTH || (this.full && !this.#byName.has(name))) {
      this.dropped++;
      return undefined;
    }
    const key = this.#table.key(labels);
    const known = this.#byName.get(name)?.get(key);
    if (known) return { series: known, created: false };
    if (this.full) {
      this.dropped++;
      return undefined;
    }
    const series = new Series(this.#table.labels(labels));
    this.#family(name).set(key, series);
    this.#series++;
    this.#labelBytes += length;
    return { series, created: true };
  }

  /** Series that fit all matchers. */
  select(matchers: readonly Matcher[]): Series[] {
    const found: Series[] = [];
    const named = matchers.filter((m) => m.name === "__name__");
    const others = matchers.filter((m) => m.name !== "__name__");
    const exact = named.find((m) => m.op === "=");
    for (const name of exact ? [exact.value] : this.#byName.keys()) {
      const family = this.#byName.get(name);
      if (!family || !named.every((m) => m.matches(name))) continue;
      for (const series of family.values()) if (others.every((m) => m.matches(labelOf(series.labels, m.name)))) found.push(series);
    }
    return found;
  }

  /** Every series. */
  *all(): Generator<Series> {
    for (const family of this.#byName.values()) yield* family.values();
  }

  /** How many series there are of each metric. */
  *families(): Generator<[name: string, series: number]> {
    for (const [name, family] of this.#byName) yield [name, family.size];
  }

  /** Forgets what is older than the retention, and thins out what is older than the tiers say. */
  trim(now: number): void {
    const oldest = now - this.options.retentionMs;
    for (const [name, key, series] of this.#entries()) {
      if (this.options.tiers && series.runs > MIN_RUNS_TO_THIN) series.thin(now, this.options.tiers, this.options.gapMs ?? DEFAULT_GAP_MS);
      series.trim(oldest, this.options.maxRunsPerSeries);
      if (series.empty) this.#forget(name, key, series);
    }
    if (this.#crowding >= CROWDED) {
      const ended = [...this.#entries()].filter(([, , series]) => series.endedAt !== undefined).sort(([, , a], [, , b]) => a.endedAt! - b.endedAt!);
      for (const [name, key, series] of ended) {
        if (this.#crowding <= RELIEVED) break;
        this.#forget(name, key, series);
      }
    }
    if (this.#table.size > Math.max(MIN_TEXTS, this.#series * MAX_TEXTS_PER_SERIES)) this.#renumber();
  }

  *#entries(): Generator<[name: string, key: string, series: Series]> {
    for (const [name, family] of this.#byName) for (const [key, series] of family) yield [name, key, series];
  }

  #family(name: string): Map<string, Series> {
    const known = this.#byName.get(name);
    if (known) return known;
    const made = new Map<string, Series>();
    this.#byName.set(this.#table.text(name), made);
    return made;
  }

  /** How much of its bounds the store has taken. */
  get #crowding(): number {
    return Math.max(this.#series, this.#labelBytes / MEAN_LABELS_LENGTH) / this.options.maxSeries;
  }

  #forget(name: string, key: string, series: Series): void {
    const family = this.#byName.get(name);
    if (!family?.delete(key)) return;
    this.#series--;
    this.#labelBytes -= lengthOf(series.labels);
    if (family.size === 0) this.#byName.delete(name);
  }

  /** Texts of series that are gone go with the table that holds them. */
  #renumber(): void {
    this.#table = new LabelTable();
    for (const [name, family] of this.#byName) {
      const series = [...family.values()];
      family.clear();
      for (const one of series) family.set(this.#table.key(one.labels), one);
      this.#table.text(name);
    }
  }
}

function lengthOf(labels: Labels): number {
  let length = 0;
  for (const name of Object.keys(labels)) length += name.length + labels[name]!.length;
  return length;
}
