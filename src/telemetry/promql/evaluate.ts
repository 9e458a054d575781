import type { MetricStore } from "../store/metric-store.ts";
import { aggregate } from "./aggregate.ts";
import type { AtModifier, Expr, VectorSelector } from "./ast.ts";
import { applyBinary } from "./binary.ts";
import { ELEMENTWISE, histogramQuantile, labelJoin, labelReplace, mapValues } from "./functions-instant.ts";
import { EVERY_SAMPLE, KEEPS_NAME, OVER_TIME, PARAMETER_FIRST } from "./functions-over-time.ts";
import { PromqlError, parsePromql } from "./parse.ts";
import { type Range, type Sample, type Value, labelKey, withoutName } from "./values.ts";

export interface EvaluationOptions {
  store: MetricStore;
  /** How old the newest sample of a series may be: beyond this its target no longer has it. */
  lookbackMs: number;
  /** Step of a subquery without one. */
  defaultStepMs: number;
}

/** More points than any plot shows; Prometheus has the same limit. */
const MAX_POINTS = 11_000;

/** The value of a query at one moment (ms). Throws PromqlError. */
export function queryInstant(query: string, time: number, options: EvaluationOptions): Value {
  return new Evaluator(options, time, time).value(parsePromql(query), time);
}

/** The series of a query from `start` to `end` (ms), a point a step. Throws PromqlError. */
export function queryRange(query: string, start: number, end: number, stepMs: number, options: EvaluationOptions): Range[] {
  if (!(stepMs > 0)) throw new PromqlError("zero or negative query resolution step widths are not accepted. Try a positive integer");
  if (end < start) throw new PromqlError("end timestamp must not be before start time");
  if ((end - start) / stepMs > MAX_POINTS) throw new PromqlError("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
  const expr = parsePromql(query);
  const evaluator = new Evaluator(options, start, end);
  return evaluator.steps(expr, start, end, stepMs);
}

class Evaluator {
  /** Selectors choose their series once a query, not once a step. */
  readonly #selected = new Map<VectorSelector, ReturnType<MetricStore["select"]>>();

  constructor(
    readonly options: EvaluationOptions,
    readonly start: number,
    readonly end: number,
  ) {}

  steps(expr: Expr, start: number, end: number, stepMs: number): Range[] {
    const ranges = new Map<string, Range>();
    for (let time = start; time <= end; time += stepMs) {
      for (const { labels, value } of this.samples(this.value(expr, time))) {
        const key = labelKey(labels);
        let range = ranges.get(key);
        if (!range) ranges.set(key, (range = { labels, times: [], values: [] }));
        range.times.push(time);
        range.values.push(value);
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
        return { type: "vector", samples: this.instant(expr, time) };
      case "matrix":
      case "subquery":
        return this.matrix(expr, time);
      case "unary": {
        const value = this.value(expr.expr, time);
        if (expr.op === "+") return value;
        if (value.type === "scalar") return { type: "scalar", value: -value.value };
        return { type: "vector", samples: mapValues(this.samples(value), (v) => -v) };
      }
      case "aggregate": {
        const parameter = expr.param && this.value(expr.param, time);
        const plain = parameter?.type === "scalar" || parameter?.type === "string" ? parameter.value : undefined;
        return { type: "vector", samples: aggregate(expr.op, this.samples(this.value(expr.expr, time)), expr.grouping, expr.without, plain) };
      }
      case "binary":
        return applyBinary(expr, this.value(expr.left, time), this.value(expr.right, time));
      case "call":
        return this.call(expr.name, expr.args, time);
    }
  }

  call(name: string, args: Expr[], time: number): Value {
    const overTime = OVER_TIME[name];
    if (overTime) {
      const first = PARAMETER_FIRST.has(name);
      const parameter = args[first ? 0 : 1];
      const matrix = this.matrix(args[first ? 1 : 0], time, EVERY_SAMPLE.has(name));
      const scalar = parameter ? this.scalar(parameter, time) : NaN;
      const samples = matrix.ranges.flatMap((range): Sample[] => {
        const value = range.values.length === 0 ? undefined : overTime(range, matrix.from, matrix.to, scalar);
        return value === undefined ? [] : [{ labels: KEEPS_NAME.has(name) ? range.labels : withoutName(range.labels), value }];
      });
      return { type: "vector", samples };
    }
    const elementwise = ELEMENTWISE[name];
    const samplesOf = (index: number) => {
      const arg = args[index];
      if (!arg) throw new PromqlError(`expected ${index + 1} argument(s) in call to "${name}", got ${args.length}`);
      return this.samples(this.value(arg, time));
    };
    if (elementwise) {
      const rest = args.slice(1).map((arg) => this.scalar(arg, time));
      const samples = args.length === 0 ? [{ labels: {}, value: time / 1000 }] : samplesOf(0);
      return { type: "vector", samples: mapValues(samples, (value) => elementwise(value, ...rest)) };
    }
    switch (name) {
      case "time":
        return { type: "scalar", value: time / 1000 };
      case "pi":
        return { type: "scalar", value: Math.PI };
      case "vector":
        return { type: "vector", samples: [{ labels: {}, value: this.scalar(args[0], time) }] };
      case "scalar": {
        const samples = samplesOf(0);
        return { type: "scalar", value: samples.length === 1 ? samples[0]!.value : NaN };
      }
      case "timestamp":
        return { type: "vector", samples: mapValues(samplesOf(0), () => time / 1000) };
      case "histogram_quantile":
        return { type: "vector", samples: histogramQuantile(this.scalar(args[0], time), samplesOf(1)) };
      case "label_replace":
        return { type: "vector", samples: labelReplace(samplesOf(0), this.string(args[1]), this.string(args[2]), this.string(args[3]), this.string(args[4])) };
      case "label_join":
        return { type: "vector", samples: labelJoin(samplesOf(0), this.string(args[1]), this.string(args[2]), args.slice(3).map((arg) => this.string(arg))) };
      case "sort":
        return { type: "vector", samples: samplesOf(0).toSorted((a, b) => a.value - b.value) };
      case "sort_desc":
        return { type: "vector", samples: samplesOf(0).toSorted((a, b) => b.value - a.value) };
      case "absent":
        return { type: "vector", samples: samplesOf(0).length > 0 ? [] : [{ labels: equalities(args[0]), value: 1 }] };
      case "absent_over_time":
        return { type: "vector", samples: this.matrix(args[0], time).ranges.length > 0 ? [] : [{ labels: equalities(args[0]), value: 1 }] };
      default:
        throw new PromqlError(`unknown function with name "${name}"`);
    }
  }

  instant(selector: VectorSelector, time: number): Sample[] {
    const at = this.at(selector, time);
    return this.select(selector).flatMap((series): Sample[] => {
      const value = series.at(at, this.options.lookbackMs);
      return value === undefined ? [] : [{ labels: series.labels, value }];
    });
  }

  matrix(expr: Expr | undefined, time: number, every = true): Extract<Value, { type: "matrix" }> {
    if (expr?.kind === "matrix") {
      const to = this.at(expr.selector, time);
      const from = to - expr.range;
      const ranges = this.select(expr.selector).flatMap((series): Range[] => {
        // Beyond so many samples a coarser grid weighs them as well.
        const step = every ? Math.max(this.options.defaultStepMs, Math.ceil(expr.range / MAX_POINTS)) : this.options.defaultStepMs;
        const window = series.window(from, to, step, every);
        return window.times.length === 0 ? [] : [{ labels: series.labels, ...window, stepMs: step }];
      });
      return { type: "matrix", ranges, from, to };
    }
    if (expr?.kind === "subquery") {
      const to = this.at(expr, time);
      const step = expr.step ?? this.options.defaultStepMs;
      if (!(step > 0) || expr.range / step > MAX_POINTS) throw new PromqlError("a subquery has too many steps");
      // Steps of a subquery are aligned to the epoch, so that neighbouring evaluations share them.
      const from = to - expr.range;
      const first = Math.ceil((from + 1) / step) * step;
      return { type: "matrix", ranges: this.steps(expr.expr, first, to, step), from, to };
    }
    throw new PromqlError("expected type range vector");
  }

  select(selector: VectorSelector): ReturnType<MetricStore["select"]> {
    let series = this.#selected.get(selector);
    if (!series) this.#selected.set(selector, (series = this.options.store.select(selector.matchers)));
    return series;
  }

  at(target: { offset: number; at: AtModifier | undefined }, time: number): number {
    const base = target.at === undefined ? time : target.at === "start" ? this.start : target.at === "end" ? this.end : target.at;
    return base - target.offset;
  }

  samples(value: Value): Sample[] {
    if (value.type === "vector") return value.samples;
    if (value.type === "scalar") return [{ labels: {}, value: value.value }];
    throw new PromqlError(`expected type instant vector, got ${value.type === "matrix" ? "range vector" : value.type}`);
  }

  scalar(expr: Expr | undefined, time: number): number {
    const value = expr && this.value(expr, time);
    if (value?.type !== "scalar") throw new PromqlError("expected type scalar");
    return value.value;
  }

  string(expr: Expr | undefined): string {
    if (expr?.kind !== "string") throw new PromqlError("expected type string");
    return expr.value;
  }
}

/** The labels that a selector pins: what `absent` answers with. */
function equalities(expr: Expr | undefined): Record<string, string> {
  const selector = expr?.kind === "matrix" ? expr.selector : expr;
  if (selector?.kind !== "vector") return {};
  return Object.fromEntries(selector.matchers.filter((m) => m.op === "=" && m.name !== "__name__").map((m) => [m.name, m.value]));
}
