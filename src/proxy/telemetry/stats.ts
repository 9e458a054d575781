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
export const ENVOY_BUCKETS = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000] as const;

export class Histogram {
  count = 0;
  sum = 0;
  /** How many values fell into each bucket, not yet cumulated; the last is for those above all. */
  readonly counts: Float64Array;

  constructor(readonly bounds: readonly number[] = ENVOY_BUCKETS) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** The value below which this share (0 to 1) of all values lies, as far as buckets tell; NaN without values. */
  quantile(share: number): number {
    let left = share * this.count;
    for (let i = 0; i < this.counts.length; i++) {
      const inside = this.counts[i] as number;
      if (inside > 0 && left <= inside) {
        const from = i === 0 ? 0 : (this.bounds[i - 1] as number);
        return from + ((this.bounds[i] ?? from) - from) * (left / inside);
      }
      left -= inside;
    }
    return Number.NaN;
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

/** One series as it is shown: `labels` as in `a="b",c="d"`. */
export interface StatSample {
  readonly name: string;
  readonly kind: Kind;
  readonly labels: string;
  readonly metric: { readonly value: number } | Histogram;
  /** The name in Envoy's own form, for what has one. */
  readonly dotted?: string;
}

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
  readonly #sources: (() => Iterable<StatSample>)[] = [];

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

  /** Series that are kept elsewhere and read off at each rendering. */
  addSource(source: () => Iterable<StatSample>): void {
    this.#sources.push(source);
  }

  resetCounters(): void {
    for (const { series } of this.#families.values()) for (const metric of series.values()) if (metric instanceof Counter) metric.value = 0;
  }

  /** Every series with its rendered labels. */
  *samples(): IterableIterator<StatSample> {
    for (const collect of this.#collectors) collect();
    for (const { name, kind, series } of this.#families.values()) {
      for (const [labels, metric] of series) yield { name, kind, labels, metric };
    }
    for (const source of this.#sources) yield* source();
  }

  /** Without `all`, what has a dotted name is left out. */
  prometheus(all = true): string {
    const samples = all ? this.samples() : [...this.samples()].filter(({ dotted }) => dotted === undefined);
    return renderPrometheus(samples);
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

/** Prometheus' text format: counters, then gauges, then histograms, each sorted by name, as Envoy prints them. */
export function renderPrometheus(samples: Iterable<StatSample>): string {
  const families = new Map<string, { readonly kind: Kind; text: string }>();
  for (const { name, kind, labels, metric } of samples) {
    const line = metric instanceof Histogram ? renderHistogram(name, labels, metric) : `${name}{${labels}} ${formatNumber(metric.value)}\n`;
    const family = families.get(name);
    if (family) family.text += line;
    else families.set(name, { kind, text: line });
  }
  return [...families]
    .sort(([a, { kind: one }], [b, { kind: other }]) => ORDER[one] - ORDER[other] || (a < b ? -1 : 1))
    .map(([name, { kind, text }]) => `# TYPE ${name} ${kind}\n${text}`)
    .join("");
}

const ORDER: Record<Kind, number> = { counter: 0, gauge: 1, histogram: 2 };

export function renderLabels(labels: Labels): string {
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
