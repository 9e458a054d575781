import { type Clock, type Logger, errorText } from "../../base/index.ts";
import { flat } from "../store/label-table.ts";
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
  /** What one scrape of one target may bring; 50,000 where it is left away. */
  maxSamplesPerScrape?: number;
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

/** A series as its target says it. */
interface Line {
  /** All before the value. */
  text: string;
  series: Series;
  /** The round that saw it last. */
  round: number;
  /** Where it stood among the target's series then. */
  index: number;
}

interface Known extends TargetState {
  /** What it said last time, in its order. */
  lines: Line[];
  bySeries: Map<Series, Line>;
  /** Samples of it were dropped last time. */
  dropping: boolean;
  /** Of the target itself: up and its like. */
  own: Map<string, Series>;
}

/** A pod that does not answer within a round must not hold up the next ones. */
const SCRAPE_TIMEOUT_MS = 5_000;
/** Scrapes at one time: of a thousand at once, the last would be late, and all be answered late. */
const LANES = 32;
/** No sane pod says more; one that does would fill the memory. */
const MAX_BODY_BYTES = 16 << 20;
/** A proxy of a mesh with a thousand services says some 20,000: one target must not take what is there for all. */
const MAX_SAMPLES_PER_SCRAPE = 50_000;
/** Old samples are dropped now and then: it walks all series. */
const TRIM_EVERY_MS = 30_000;

/**
 * Scrapes all targets each interval. A counter that appears on a target scraped before is given a zero at that earlier
 * scrape: it did not exist, so it had counted nothing. A first short burst has a rate so, which Prometheus never shows.
 * What a target no longer says ends at once, as do all series of one that does not answer or is gone.
 */
export class Scraper {
  readonly #states = new Map<string, Known>();
  #cancel: () => void = () => {};
  #stopped = false;
  #trimmed = 0;
  #round = 0;
  #full = false;

  constructor(readonly options: ScraperOptions) {}

  start(): void {
    const { clock, intervalMs } = this.options;
    let due = clock.now();
    const again = () => {
      void this.scrapeAll().then(() => {
        if (this.#stopped) return;
        // Rounds keep their rhythm: what a round took does not add up. Those that one missed are left out.
        due += Math.max(1, Math.ceil((clock.now() - due) / intervalMs)) * intervalMs;
        this.#cancel = clock.after(Math.max(due - clock.now(), 1), again);
      });
    };
    again();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  states(): TargetState[] {
    return [...this.#states.values()];
  }

  /** One round: every target once. */
  async scrapeAll(): Promise<void> {
    const { clock, store, log } = this.options;
    const started = clock.now();
    const targets = this.options.targets();
    this.#round++;
    const waiting = targets[Symbol.iterator]();
    const lane = async () => {
      for (const target of waiting) await this.#scrape(target);
    };
    await Promise.all(Array.from({ length: Math.min(LANES, targets.length) }, lane));
    const alive = new Set(targets.map((target) => target.id));
    for (const [id, state] of this.#states) {
      if (alive.has(id)) continue;
      endSeries(state, started);
      for (const series of state.own.values()) series.end(started);
      this.#states.delete(id);
    }
    if (clock.now() - this.#trimmed > TRIM_EVERY_MS) store.trim((this.#trimmed = clock.now()));
    if (store.full && !this.#full)
      log.warn("the store is full: samples of new series are dropped until old ones end", { series: store.seriesCount, limit: store.options.maxSeries });
    this.#full = store.full;
    this.options.onRound?.(started);
  }

  async #scrape(target: Target): Promise<void> {
    const { clock, log } = this.options;
    let state = this.#states.get(target.id);
    if (!state)
      this.#states.set(
        target.id,
        (state = { target, lastScrape: 0, lastDurationMs: 0, lastError: "", lines: [], bySeries: new Map(), dropping: false, own: new Map() }),
      );
    state.target = target;
    const started = clock.now();
    const before = state.lastScrape;
    let report = { scraped: 0, added: 0 };
    let up = 0;
    try {
      report = this.#store(target, state, await fetchExposition(target.url), started);
      state.lastError = "";
      up = 1;
    } catch (thrown) {
      if (!state.lastError) log.warn("scrape failed", { url: target.url, error: errorText(thrown) });
      state.lastError = errorText(thrown);
      if (before > 0) endSeries(state, started);
    }
    state.lastScrape = started;
    state.lastDurationMs = clock.now() - started;
    for (const [name, value] of [
      ["up", up],
      ["scrape_duration_seconds", state.lastDurationMs / 1000],
      ["scrape_samples_scraped", report.scraped],
      ["scrape_samples_post_metric_relabeling", report.scraped],
      ["scrape_series_added", report.added],
    ] as const)
      this.#own(name, state, value, started);
  }

  #store(target: Target, state: Known, body: string, scraped: number): { scraped: number; added: number } {
    const { store, intervalMs, log } = this.options;
    const limit = this.options.maxSamplesPerScrape ?? MAX_SAMPLES_PER_SCRAPE;
    const round = this.#round;
    const { lines, bySeries } = state;
    const born: { name: string; series: Series; value: number; time: number }[] = [];
    const seen: Line[] = [];
    let [samples, added, dropped, next] = [0, 0, 0, 0];
    const count = () => {
      if (++samples > limit) throw new Error(`more than ${limit} samples in one scrape: sample limit exceeded`);
    };
    const see = (line: Line) => {
      if (line.round === round) return;
      line.round = round;
      seen.push(line);
    };
    // What metrics mean is read once a target: it does not change with a scrape.
    const help = state.lastScrape === 0 ? new Map<string, string>() : undefined;
    const types = parseExposition(body, {
      expected(text, start) {
        const line = lines[next];
        return line !== undefined && text.startsWith(line.text, start) && text.charCodeAt(start + line.text.length) === 32 /* space */ ? line.text.length : 0;
      },
      expectedSample(value, time = scraped) {
        count();
        const line = lines[next++]!;
        see(line);
        line.series.append(time, value, intervalMs);
      },
      sample({ name, labels, text, value, time = scraped }) {
        count();
        const found = store.series(seriesLabels(name, parseLabels(labels), target.labels));
        if (!found) {
          dropped++;
          return;
        }
        const known = bySeries.get(found.series);
        if (known) {
          next = known.index + 1;
          see(known);
        } else {
          const line = { text: flat(text), series: found.series, round: 0, index: 0 };
          bySeries.set(found.series, line);
          see(line);
          added++;
          if (found.created && state.lastScrape > 0) {
            born.push({ name, series: found.series, value, time });
            return;
          }
        }
        found.series.append(time, value, intervalMs);
      },
      ...(help && { help: (name: string, text: string) => void help.set(name, text) }),
    });
    if (help) for (const [name, type] of types) store.metadata.set(name, { type, help: help.get(name) ?? "" });
    for (const { name, series, value, time } of born) {
      if (isCounter(name, types)) series.append(state.lastScrape, 0, intervalMs);
      series.append(time, value, intervalMs);
    }
    for (const line of lines) {
      if (line.round === round) continue;
      line.series.end(scraped);
      bySeries.delete(line.series);
    }
    for (const [index, line] of seen.entries()) line.index = index;
    state.lines = seen;
    if (dropped > 0 && !state.dropping)
      log.warn("samples are dropped: the store is full, or their labels are too long", {
        url: target.url,
        samples: dropped,
        series: store.seriesCount,
        limit: store.options.maxSeries,
      });
    state.dropping = dropped > 0;
    store.appended += samples - dropped;
    return { scraped: samples, added };
  }

  /** Series that the scraper itself makes, as Prometheus does. */
  #own(name: string, state: Known, value: number, time: number): void {
    let series = state.own.get(name);
    if (!series) {
      series = this.options.store.series({ ...state.target.labels, __name__: name })?.series;
      if (!series) return;
      state.own.set(name, series);
    }
    series.append(time, value, this.options.intervalMs);
  }
}

function endSeries(state: Known, time: number): void {
  for (const series of state.bySeries.keys()) series.end(time);
  state.lines = [];
  state.bySeries.clear();
}

/** Throws where the target does not answer, or too much. */
async function fetchExposition(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
  if (!answer.ok) throw new Error(`server returned HTTP status ${answer.status}`);
  const tooLarge = (bytes: number) => new Error(`the answer has ${bytes} bytes or more, and ${MAX_BODY_BYTES} are allowed: body size limit exceeded`);
  const stated = Number(answer.headers.get("content-length") ?? 0);
  if (stated > MAX_BODY_BYTES) throw tooLarge(stated);
  if (stated > 0 || !answer.body) return answer.text();
  // An endless answer is let go of when it is too long, not when it ends.
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of answer.body) {
    if ((size += piece.length) > MAX_BODY_BYTES) throw tooLarge(size);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** The target's labels win; a scraped label of the same name is kept as `exported_…`, as Prometheus does. */
function seriesLabels(name: string, scraped: Record<string, string>, target: Record<string, string>): Record<string, string> {
  const labels: Record<string, string> = {};
  // A label without a value is none.
  for (const [label, value] of Object.entries(scraped)) if (value !== "") labels[Object.hasOwn(target, label) ? `exported_${label}` : label] = value;
  return { ...labels, ...target, __name__: name };
}

function isCounter(name: string, types: Map<string, string>): boolean {
  if (types.get(name) === "counter") return true;
  const family = name.replace(/_(?:bucket|count|sum|total)$/, "");
  const type = types.get(family);
  return type === "histogram" || type === "summary" || type === "counter";
}
