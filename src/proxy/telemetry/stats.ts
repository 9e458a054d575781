/** Labels of a series, in the order in which they are printed. */
export type Labels = readonly (readonly [name: string, value: string])[];

export class Counter {
  value = 0;
  inc(by = 1): void {
    this.value += by;
  }
}

export class Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
  inc(): void {
    this.value++;
  }
  dec(): void {
    this.value--;
  }
}

/** Envoy's default buckets for Prometheus, in whatever unit is recorded. */
export const ENVOY_BUCKETS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
] as const;

export class Histogram {
  count = 0;
  sum = 0;
  /** How many values fell into each bucket, not yet cumulated; the last is for those above all. */
  readonly counts: Float64Array;

  constructor(readonly bounds: readonly number[] = ENVOY_BUCKETS) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  record(value: number): void {
    const { bounds } = this;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (bounds[middle] as number)) high = middle;
      else low = middle + 1;
    }
    this.counts[low] = (this.counts[low] as number) + 1;
    this.count++;
    this.sum += value;
  }
}

type Kind = "counter" | "gauge" | "histogram";
interface Family {
  readonly name: string;
  readonly kind: Kind;
  readonly series: Map<string, Counter | Gauge | Histogram>;
}

/**
 * All metrics of a proxy by Prometheus name. Asking for a series interns it: hold the returned object where it is counted,
 * so that the hot path never sees a label.
 */
export class StatsRegistry {
  readonly #families = new Map<string, Family>();
  readonly #collectors: (() => void)[] = [];

  counter(name: string, labels: Labels = []): Counter {
    return this.#series(name, "counter", labels, () => new Counter());
  }

  gauge(name: string, labels: Labels = []): Gauge {
    return this.#series(name, "gauge", labels, () => new Gauge());
  }

  histogram(name: string, labels: Labels = [], bounds: readonly number[] = ENVOY_BUCKETS): Histogram {
    return this.#series(name, "histogram", labels, () => new Histogram(bounds));
  }

  /** Drops a series, when what it described is gone. */
  remove(name: string, labels: Labels): void {
    this.#families.get(name)?.series.delete(renderLabels(labels));
  }

  /** Runs before each rendering, to set gauges that nobody keeps up to date. */
  beforeRender(collect: () => void): void {
    this.#collectors.push(collect);
  }

  /** Every series with its rendered labels (`a="b",c="d"`), for other output formats. */
  *entries(): IterableIterator<{ name: string; kind: Kind; labels: string; metric: Counter | Gauge | Histogram }> {
    for (const collect of this.#collectors) collect();
    for (const family of this.#families.values()) {
      for (const [labels, metric] of family.series) yield { name: family.name, kind: family.kind, labels, metric };
    }
  }

  /** Prometheus' text format: counters, then gauges, then histograms, each sorted by name, as Envoy prints them. */
  prometheus(): string {
    for (const collect of this.#collectors) collect();
    const families = [...this.#families.values()].sort((a, b) => ORDER[a.kind] - ORDER[b.kind] || (a.name < b.name ? -1 : 1));
    let text = "";
    for (const family of families) {
      if (family.series.size === 0) continue;
      text += `# TYPE ${family.name} ${family.kind}\n`;
      for (const [labels, metric] of family.series) {
        text += metric instanceof Histogram ? renderHistogram(family.name, labels, metric) : `${family.name}{${labels}} ${formatNumber(metric.value)}\n`;
      }
    }
    return text;
  }

  #series<T extends Counter | Gauge | Histogram>(name: string, kind: Kind, labels: Labels, create: () => T): T {
    let family = this.#families.get(name);
    if (!family) {
      family = { name, kind, series: new Map() };
      this.#families.set(name, family);
    }
    if (family.kind !== kind) throw new TypeError(`${name} is a ${family.kind}, not a ${kind}`);
    const key = renderLabels(labels);
    let metric = family.series.get(key);
    if (!metric) {
      metric = create();
      family.series.set(key, metric);
    }
    return metric as T;
  }
}

const ORDER: Record<Kind, number> = { counter: 0, gauge: 1, histogram: 2 };

function renderLabels(labels: Labels): string {
  let text = "";
  for (const [name, value] of labels) text += `${text === "" ? "" : ","}${name}="${escapeLabel(value)}"`;
  return text;
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n") : value;
}

function renderHistogram(name: string, labels: string, histogram: Histogram): string {
  const prefix = labels === "" ? "" : `${labels},`;
  let cumulated = 0;
  let text = "";
  for (let i = 0; i < histogram.bounds.length; i++) {
    cumulated += histogram.counts[i] as number;
    text += `${name}_bucket{${prefix}le="${histogram.bounds[i]}"} ${cumulated}\n`;
  }
  text += `${name}_bucket{${prefix}le="+Inf"} ${histogram.count}\n`;
  return `${text}${name}_sum{${labels}} ${formatNumber(histogram.sum)}\n${name}_count{${labels}} ${histogram.count}\n`;
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(3);
}
