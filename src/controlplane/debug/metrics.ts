/** Labels of one series; the empty object is the series without labels. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(labels?: Labels, by?: number): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

interface Family {
  help: string;
  type: "counter" | "gauge" | "histogram";
  /** By rendered labels, so that one series has one entry. */
  series: Map<string, { labels: Labels; value: number; counts?: number[]; sum?: number }>;
  buckets: readonly number[];
  /** Read when somebody scrapes. */
  collect?: () => Iterable<{ labels?: Labels; value: number }>;
}

/** A label that a client chooses (a node id, a version) must not grow memory without end; series beyond this are dropped. */
const MAX_SERIES = 2_000;

/** The metrics of one program, in the text format that Prometheus scrapes. */
export class MetricsRegistry {
  readonly #families = new Map<string, Family>();

  counter(name: string, help: string): Counter {
    const family = this.#family(name, help, "counter");
    return { add: (labels = {}, by = 1) => update(family, labels, (entry) => (entry.value += by)) };
  }

  gauge(name: string, help: string): Gauge {
    const family = this.#family(name, help, "gauge");
    return { set: (value, labels = {}) => update(family, labels, (entry) => (entry.value = value)) };
  }

  /** A gauge whose values are read at each scrape. */
  observedGauge(name: string, help: string, collect: () => Iterable<{ labels?: Labels; value: number }>): void {
    this.#family(name, help, "gauge").collect = collect;
  }

  /** A counter whose values are read at each scrape. */
  observedCounter(name: string, help: string, collect: () => Iterable<{ labels?: Labels; value: number }>): void {
    this.#family(name, help, "counter").collect = collect;
  }

  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    const family = this.#family(name, help, "histogram", buckets);
    return {
      observe: (value, labels = {}) =>
        update(family, labels, (entry) => {
          entry.counts ??= buckets.map(() => 0);
          const at = buckets.findIndex((limit) => value <= limit);
          if (at >= 0) entry.counts[at] = (entry.counts[at] ?? 0) + 1;
          entry.sum = (entry.sum ?? 0) + value;
          entry.value++;
        }),
    };
  }

  /** Families by name, series as they first appeared. */
  render(): string {
    const lines: string[] = [];
    for (const [name, family] of [...this.#families].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const series = family.collect ? [...family.collect()].map((s) => ({ labels: s.labels ?? {}, value: s.value })) : [...family.series.values()];
      if (series.length === 0) continue;
      lines.push(`# HELP ${name} ${family.help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}`, `# TYPE ${name} ${family.type}`);
      for (const entry of series) {
        if (family.type !== "histogram") {
          lines.push(`${name}${render(entry.labels)} ${number(entry.value)}`);
          continue;
        }
        const { counts = [], sum = 0 } = entry as { counts?: number[]; sum?: number };
        let total = 0;
        family.buckets.forEach((limit, i) => {
          total += counts[i] ?? 0;
          lines.push(`${name}_bucket${render({ ...entry.labels, le: number(limit) })} ${total}`);
        });
        lines.push(`${name}_bucket${render({ ...entry.labels, le: "+Inf" })} ${entry.value}`);
        lines.push(`${name}_sum${render(entry.labels)} ${number(sum)}`, `${name}_count${render(entry.labels)} ${entry.value}`);
      }
    }
    return `${lines.join("\n")}\n`;
  }

  #family(name: string, help: string, type: Family["type"], buckets: readonly number[] = []): Family {
    let family = this.#families.get(name);
    if (!family) this.#families.set(name, (family = { help, type, series: new Map(), buckets }));
    return family;
  }
}

function update(family: Family, labels: Labels, change: (entry: { labels: Labels; value: number; counts?: number[]; sum?: number }) => void): void {
  let key = rendered.get(labels);
  if (key === undefined) rendered.set(labels, (key = render(labels)));
  let entry = family.series.get(key);
  if (!entry) {
    if (family.series.size >= MAX_SERIES) return;
    family.series.set(key, (entry = { labels, value: 0 }));
  }
  change(entry);
}

/** Callers that count often keep their labels; objects of labels are never changed. */
const rendered = new WeakMap<Labels, string>();

function render(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

/** As Go's %g prints floats, which is what tools that compare texts expect: `1e+06`, `2.110859192e+09`. */
function number(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e6)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
