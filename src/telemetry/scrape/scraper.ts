import { type Clock, type Logger, errorText } from "../../base/index.ts";
import type { MetricStore } from "../store/metric-store.ts";
import type { Series } from "../store/series.ts";
import type { Target } from "./targets.ts";
import { parseExposition, parseLabels } from "./text-format.ts";

export interface ScraperOptions {
  store: MetricStore;
  targets(): Target[];
  intervalMs: number;
  clock: Clock;
  log: Logger;
  /** Called after each round that stored samples. */
  onRound?(now: number): void;
}

/** How one target was last time. */
export interface TargetState {
  target: Target;
  lastScrape: number;
  lastDurationMs: number;
  /** Empty when the last scrape was good. */
  lastError: string;
}

/** A pod that does not answer within a round must not hold up the next ones. */
const SCRAPE_TIMEOUT_MS = 5_000;
/** No sane pod says more; one that does would fill the memory. */
const MAX_BODY_BYTES = 16 << 20;
/** Old samples are dropped now and then: it walks all series. */
const TRIM_EVERY_MS = 30_000;

/**
 * Scrapes all targets each interval. A counter that appears on a target scraped before is given a zero at that earlier
 * scrape: it did not exist, so it had counted nothing. A first short burst has a rate so, which Prometheus never shows.
 */
export class Scraper {
  readonly #states = new Map<string, TargetState & { cache: Map<string, Series> }>();
  #cancel: () => void = () => {};
  #stopped = false;
  #trimmed = 0;

  constructor(readonly options: ScraperOptions) {}

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  states(): TargetState[] {
    return [...this.#states.values()];
  }

  async #round(): Promise<void> {
    const { clock, intervalMs, store } = this.options;
    const started = clock.now();
    const targets = this.options.targets();
    await Promise.all(targets.map((target) => this.#scrape(target)));
    const alive = new Set(targets.map((target) => target.id));
    for (const id of this.#states.keys()) if (!alive.has(id)) this.#states.delete(id);
    if (clock.now() - this.#trimmed > TRIM_EVERY_MS) store.trim((this.#trimmed = clock.now()));
    this.options.onRound?.(started);
    if (!this.#stopped) this.#cancel = clock.after(Math.max(intervalMs - (clock.now() - started), 10), () => void this.#round());
  }

  async #scrape(target: Target): Promise<void> {
    const { clock, log } = this.options;
    let state = this.#states.get(target.id);
    if (!state) this.#states.set(target.id, (state = { target, lastScrape: 0, lastDurationMs: 0, lastError: "", cache: new Map() }));
    state.target = target;
    const started = clock.now();
    let up = 0;
    try {
      const answer = await fetch(target.url, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
      if (!answer.ok) throw new Error(`server returned HTTP status ${answer.status}`);
      const body = await answer.text();
      if (body.length > MAX_BODY_BYTES) throw new Error(`the answer has ${body.length} bytes, more than ${MAX_BODY_BYTES}`);
      this.#store(target, state, body, started);
      state.lastError = "";
      up = 1;
    } catch (thrown) {
      if (!state.lastError) log.warn("scrape failed", { url: target.url, error: errorText(thrown) });
      state.lastError = errorText(thrown);
    }
    state.lastScrape = started;
    state.lastDurationMs = clock.now() - started;
    this.#own("up", target, up, started);
  }

  #store(target: Target, state: { lastScrape: number; cache: Map<string, Series> }, body: string, time: number): void {
    const { store, intervalMs } = this.options;
    const born: { name: string; series: Series; value: number }[] = [];
    // What metrics mean is read once a target: it does not change with a scrape.
    const help = state.lastScrape === 0 ? new Map<string, string>() : undefined;
    const types = parseExposition(body, ({ name, labels, value }) => {
      const key = `${name}{${labels}`;
      let series = state.cache.get(key);
      if (!series) {
        const found = store.series(name, `${target.id} ${labels}`, () => seriesLabels(name, parseLabels(labels), target.labels));
        if (!found) return;
        series = found.series;
        state.cache.set(key, series);
        if (found.created && state.lastScrape > 0) {
          born.push({ name, series, value });
          return;
        }
      }
      series.append(time, value, intervalMs);
    }, help && ((name, text) => help.set(name, text)));
    if (help) for (const [name, type] of types) store.metadata.set(name, { type, help: help.get(name) ?? "" });
    for (const { name, series, value } of born) {
      if (isCounter(name, types)) series.append(state.lastScrape, 0, intervalMs);
      series.append(time, value, intervalMs);
    }
  }

  /** Series that the scraper itself makes, as Prometheus does. */
  #own(name: string, target: Target, value: number, time: number): void {
    const found = this.options.store.series(name, target.id, () => ({ ...target.labels, __name__: name }));
    found?.series.append(time, value, this.options.intervalMs);
  }
}

/** The target's labels win; a scraped label of the same name is kept as `exported_…`, as Prometheus does. */
function seriesLabels(name: string, scraped: Record<string, string>, target: Record<string, string>): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [label, value] of Object.entries(scraped)) labels[label in target ? `exported_${label}` : label] = value;
  return { ...labels, ...target, __name__: name };
}

function isCounter(name: string, types: Map<string, string>): boolean {
  if (types.get(name) === "counter") return true;
  const family = name.replace(/_(?:bucket|count|sum|total)$/, "");
  const type = types.get(family);
  return type === "histogram" || type === "summary" || type === "counter";
}
