import type { MetricStore } from "../store/metric-store.ts";
import type { Series } from "../store/series.ts";
import { aggregate } from "./aggregate.ts";
import { type AtModifier, type Expr, type VectorSelector, typeOf } from "./ast.ts";
import { applyBinary } from "./binary.ts";
import { ELEMENTWISE } from "./functions-instant.ts";
import { labelJoin, labelReplace, sortByLabel } from "./functions-label.ts";
import { EVERY_SAMPLE, KEEPS_NAME, OVER_TIME } from "./functions-over-time.ts";
import { histogramQuantile } from "./histogram.ts";
import { LabelMemo } from "./label-memo.ts";
import { parsePromql } from "./parse.ts";
import { PromqlError, executionError } from "./promql-error.ts";
import { PARAMETER_TYPES } from "./signatures.ts";
import { type MatrixValue, type Range, type Sample, type Value, labelKey, withoutName } from "./values.ts";

export interface EvaluationOptions {
  store: MetricStore;
  /** How old the newest sample of a series may be: beyond this its target no longer has it. */
  lookbackMs: number;
  /** Step of a subquery without one. */
  defaultStepMs: number;
  /** Reads a query; one that remembers saves the reading. */
  parse?(query: string): Expr;
  /** A monotonic clock, in ms: bounds how long a query may take. */
  clock?(): number;
}

/** More points than any plot shows; Prometheus has the same limit. */
const MAX_POINTS = 11_000;
/** Samples that one query may read: Prometheus' own limit. */
const MAX_SAMPLES = 50_000_000;
/** While a query is evaluated nothing is scraped: what takes longer is not worth a hole in everyone's history. */
const MAX_QUERY_MS = 10_000;

/** The value of a query at one moment (ms). Throws PromqlError. */
export function queryInstant(query: string, time: number, options: EvaluationOptions): Value {
  return new Evaluator(options, time, time).value((options.parse ?? parsePromql)(query), time);
}

/** The series of a query from `start` to `end` (ms), a point a step, sorted by labels. Throws PromqlError. */
export function queryRange(query: string, start: number, end: number, stepMs: number, options: EvaluationOptions): Range[] {
  if (!(stepMs > 0)) throw new PromqlError('invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer');
  if (end < start) throw new PromqlError('invalid parameter "end": end timestamp must not be before start time');
  if ((end - start) / stepMs > MAX_POINTS)
    throw new PromqlError("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
  const expr = (options.parse ?? parsePromql)(query);
  const type = typeOf(expr);
  if (type !== "scalar" && type !== "instant vector")
    throw new PromqlError(`invalid expression type ${JSON.stringify(type)} for range query, must be Scalar or instant Vector`);
  const ranges = new Evaluator(options, start, end).steps(expr, start, end, stepMs);
  const keys = new Map(ranges.map((range) => [range, labelKey(range.labels)]));
  return ranges.sort((a, b) => (keys.get(a)! < keys.get(b)! ? -1 : 1));
}

class Evaluator {
  /** Selectors choose their series once a query, not once a step. */
  readonly #selected = new Map<VectorSelector, Series[]>();
  readonly #memo = new LabelMemo();
  readonly #deadline: number;
  #samples = 0;

  constructor(
    readonly options: EvaluationOptions,
    readonly start: number,
    readonly end: number,
  ) {
    this.#deadline = (options.clock?.() ?? 0) + MAX_QUERY_MS;
  }

  steps(expr: Expr, start: number, end: number, stepMs: number): Range[] {
    const ranges = new Map<string, Range>();
    for (let time = start; time <= end; time += stepMs) {
      for (const { labels, value } of vectorOf(this.value(expr, time))) {
        const key = this.#memo.key(labels);
        let range = ranges.get(key);
        if (!range) ranges.set(key, (range = { labels, times: [], values: [], count: 0 }));
        range.times.push(time);
        range.values.push(value);
        range.count++;
      }
    }
    return [...ranges.values()];
  }

  value(expr: Expr, time: number): Value {
    switch (expr.kind) {
      case "number":
        return { type: "scalar", value: expr.value };
      case "string":
        return { type: "string", value: expr.value };
      case "vector":
        return vector(this.instant(expr, time, (sample) => sample.value));
      case "matrix":
      case "subquery":
        return this.matrix(expr, time, true);
      case "unary": {
        const value = this.value(expr.expr, time);
        if (expr.op === "+") return value;
        return value.type === "scalar" ? { type: "scalar", value: -value.value } : vector(this.mapped(vectorOf(value), (v) => -v));
      }
      case "aggregate": {
        const parameter = expr.param && this.value(expr.param, time);
        const plain = parameter?.type === "scalar" || parameter?.type === "string" ? parameter.value : undefined;
        // Where the name does not come out it need not be taken away before, from each series by itself.
        const of = expr.expr;
        const nameless = !expr.without && !expr.grouping.includes("__name__") && !(expr.op in PARAMETER_TYPES);
        const samples = nameless && of.kind === "call" ? vectorOf(this.call(of.name, of.args, time, true)) : this.samples(of, time);
        return vector(aggregate(expr, samples, plain, this.#memo));
      }
      case "binary": {
        const [left, right] = [this.value(expr.left, time), this.value(expr.right, time)];
        const result = applyBinary(expr, left, right, this.#memo);
        if (result.type === "vector" && (left.type === "scalar" || right.type === "scalar"))
          distinct(result.samples, left.type === "vector" ? left.samples : vectorOf(right));
        return result;
      }
      case "call":
        return this.call(expr.name, expr.args, time);
    }
  }

  call(name: string, args: Expr[], time: number, named = false): Value {
    const overTime = OVER_TIME[name];
    if (overTime) {
      const scalars = args.filter((arg) => typeOf(arg) === "scalar").map((arg) => this.scalar(arg, time));
      const { ranges, from, to } = this.matrix(
        args.find((arg) => typeOf(arg) === "range vector")!,
        time,
        EVERY_SAMPLE.has(name),
      );
      const window = { from, to, at: time };
      const samples: Sample[] = [];
      for (const range of ranges) {
        const value = overTime(range, window, ...scalars);
        if (value !== undefined) samples.push({ labels: KEEPS_NAME.has(name) || named ? range.labels : this.#memo.unnamed(range.labels), value });
      }
      if (!KEEPS_NAME.has(name) && ofSeveralNames(ranges)) requireDistinct(named ? samples.map(({ labels }) => ({ labels: withoutName(labels) })) : samples);
      return vector(samples);
    }
    const elementwise = ELEMENTWISE[name];
    if (elementwise) {
      const rest = args.slice(1).map((arg) => this.scalar(arg, time));
      return vector(
        this.mapped(args.length === 0 ? [{ labels: {}, value: time / 1000 }] : this.samples(args[0]!, time), (value) => elementwise(value, ...rest)),
      );
    }
    const samples = () => this.samples(args[0]!, time);
    switch (name) {
      case "time":
        return { type: "scalar", value: time / 1000 };
      case "pi":
        return { type: "scalar", value: Math.PI };
      case "vector":
        return vector([{ labels: {}, value: this.scalar(args[0]!, time) }]);
      case "scalar": {
        const all = samples();
        return { type: "scalar", value: all.length === 1 ? all[0]!.value : NaN };
      }
      case "timestamp": {
        const of = args[0]!;
        // A selector's own samples have their time; what was computed has the evaluation's.
        if (of.kind === "vector")
          return vector(
            this.mapped(
              this.instant(of, time, (sample) => sample.time / 1000),
              (v) => v,
            ),
          );
        return vector(this.mapped(samples(), () => time / 1000));
      }
      case "histogram_quantile": {
        const quantiles = histogramQuantile(this.scalar(args[0]!, time), this.samples(args[1]!, time));
        requireDistinct(quantiles);
        return vector(quantiles);
      }
      // They speak of native histograms, which no exposition in text has.
      case "histogram_count":
      case "histogram_sum":
      case "histogram_fraction":
        return vector([]);
      case "label_replace":
      case "label_join": {
        const [target = "", ...texts] = args.slice(1).map((arg) => (arg.kind === "string" ? arg.value : ""));
        const labelled =
          name === "label_join"
            ? labelJoin(samples(), target, texts[0] ?? "", texts.slice(1))
            : labelReplace(samples(), target, texts[0] ?? "", texts[1] ?? "", texts[2] ?? "");
        requireDistinct(labelled);
        return vector(labelled);
      }
      case "sort":
      case "sort_desc": {
        const sign = name === "sort" ? 1 : -1;
        return vector(
          samples().toSorted((a, b) =>
            Number.isNaN(a.value) ? (Number.isNaN(b.value) ? 0 : 1) : Number.isNaN(b.value) ? -1 : a.value === b.value ? 0 : sign * (a.value - b.value),
          ),
        );
      }
      case "sort_by_label":
      case "sort_by_label_desc":
        return vector(
          sortByLabel(
            samples(),
            args.slice(1).map((arg) => (arg.kind === "string" ? arg.value : "")),
            name === "sort_by_label_desc",
          ),
        );
      case "absent":
        return vector(samples().length > 0 ? [] : [{ labels: equalities(args[0]!), value: 1 }]);
      case "absent_over_time":
        return vector(this.matrix(args[0]!, time, false).ranges.length > 0 ? [] : [{ labels: equalities(args[0]!), value: 1 }]);
      default:
        throw new PromqlError(`unknown function with name ${JSON.stringify(name)}`);
    }
  }

  /** Each sample with another value, without its metric's name. */
  mapped(samples: Sample[], change: (value: number) => number | undefined): Sample[] {
    const results: Sample[] = [];
    for (const sample of samples) {
      const value = change(sample.value);
      if (value !== undefined) results.push({ labels: this.#memo.unnamed(sample.labels), value });
    }
    distinct(results, samples);
    return results;
  }

  instant(selector: VectorSelector, time: number, read: (sample: { time: number; value: number }) => number): Sample[] {
    const at = this.at(selector, time);
    const found: Sample[] = [];
    for (const series of this.select(selector)) {
      const sample = series.sampleAt(at, this.options.lookbackMs);
      if (sample) found.push({ labels: series.labels, value: read(sample) });
    }
    this.spend(found.length);
    return found;
  }

  /** `every` sample, or only the ends of runs of equal values. */
  matrix(expr: Expr, time: number, every: boolean): MatrixValue {
    if (expr.kind === "matrix") {
      const to = this.at(expr.selector, time);
      const from = to - expr.range;
      const ranges: Range[] = [];
      for (const series of this.select(expr.selector)) {
        const window = series.window(from, to, every);
        if (window.count === 0) continue;
        ranges.push({ labels: series.labels, ...window });
        this.spend(window.times.length);
      }
      return { type: "matrix", ranges, from, to };
    }
    if (expr.kind !== "subquery") throw new PromqlError("expected type range vector");
    const to = this.at(expr, time);
    const step = expr.step ?? this.options.defaultStepMs;
    // Steps of a subquery are aligned to the epoch, so that neighbouring evaluations share them.
    const from = to - expr.range;
    return { type: "matrix", ranges: this.steps(expr.expr, Math.ceil(from / step) * step, to, step), from, to };
  }

  select(selector: VectorSelector): Series[] {
    let series = this.#selected.get(selector);
    if (!series) this.#selected.set(selector, (series = this.options.store.select(selector.matchers)));
    this.spend(1);
    return series;
  }

  /** Counts what is read against the query's limits. */
  spend(samples: number): void {
    const before = this.#samples;
    this.#samples += samples;
    if (this.#samples > MAX_SAMPLES) throw executionError("query processing would load too many samples into memory in query execution");
    // The clock is looked at now and then: each time something comes by that is counted by the thousand.
    if (before >> 10 !== this.#samples >> 10 && this.options.clock && this.options.clock() > this.#deadline)
      throw new PromqlError("query timed out in expression evaluation", "PROMQL_TIMEOUT");
  }

  at(target: { offset: number; at: AtModifier | undefined }, time: number): number {
    const base = target.at === undefined ? time : target.at === "start" ? this.start : target.at === "end" ? this.end : target.at;
    return base - target.offset;
  }

  samples(expr: Expr, time: number): Sample[] {
    return vectorOf(this.value(expr, time));
  }

  scalar(expr: Expr, time: number): number {
    const value = this.value(expr, time);
    if (value.type !== "scalar") throw new PromqlError("expected type scalar");
    return value.value;
  }
}

const vector = (samples: Sample[]): Value => ({ type: "vector", samples });

function vectorOf(value: Value): Sample[] {
  if (value.type === "vector") return value.samples;
  if (value.type === "scalar") return [{ labels: {}, value: value.value }];
  throw new PromqlError(`expected type instant vector, got ${value.type === "matrix" ? "range vector" : value.type}`);
}

/** Series of several names may become equal when the name goes: those of one name cannot. */
function distinct(results: readonly { labels: Sample["labels"] }[], sources: readonly { labels: Sample["labels"] }[]): void {
  if (ofSeveralNames(sources)) requireDistinct(results);
}

function ofSeveralNames(sources: readonly { labels: Sample["labels"] }[]): boolean {
  const name = sources[0]?.labels.__name__;
  return sources.some(({ labels }) => labels.__name__ !== name);
}

function requireDistinct(results: readonly { labels: Sample["labels"] }[]): void {
  const seen = new Set<string>();
  for (const { labels } of results) {
    const key = labelKey(labels);
    if (seen.has(key)) throw executionError("vector cannot contain metrics with the same labelset");
    seen.add(key);
  }
}

/** The labels that a selector pins, each by one condition only: what `absent` answers with. */
function equalities(expr: Expr): Record<string, string> {
  const selector = expr.kind === "matrix" ? expr.selector : expr;
  if (selector.kind !== "vector") return {};
  const pinned = selector.matchers.filter((m) => m.name !== "__name__" && selector.matchers.every((other) => other === m || other.name !== m.name));
  return Object.fromEntries(pinned.filter((m) => m.op === "=").map((m) => [m.name, m.value]));
}
