/** The types of PromQL's expressions, in the words of its errors. */
export type ValueType = "scalar" | "string" | "instant vector" | "range vector";

export interface Signature {
  args: readonly ValueType[];
  /** How many arguments may be there beyond all but the last of `args`: 0 none, so that all are needed; -1 any number. */
  variadic: number;
  returns: ValueType;
}

const [S, T, V, M] = ["scalar", "string", "instant vector", "range vector"] as const satisfies ValueType[];
const define = (names: string, args: readonly ValueType[], variadic = 0, returns: ValueType = V): [string, Signature][] =>
  names.split(" ").map((name) => [name, { args, variadic, returns }]);

/** Every function that is evaluated here. https://prometheus.io/docs/prometheus/latest/querying/functions/ */
export const SIGNATURES: ReadonlyMap<string, Signature> = new Map([
  ...define("abs ceil exp floor ln log10 log2 sgn sqrt acos acosh asin asinh atan atanh cos cosh deg rad sin sinh tan tanh", [V]),
  ...define("absent sort sort_desc timestamp histogram_count histogram_sum", [V]),
  ...define("scalar", [V], 0, S),
  ...define("rate increase delta irate idelta deriv changes resets absent_over_time", [M]),
  ...define(
    "avg_over_time count_over_time first_over_time last_over_time mad_over_time max_over_time min_over_time present_over_time stddev_over_time stdvar_over_time sum_over_time",
    [M],
  ),
  ...define("predict_linear", [M, S]),
  ...define("holt_winters double_exponential_smoothing", [M, S, S]),
  ...define("quantile_over_time", [S, M]),
  ...define("clamp", [V, S, S]),
  ...define("clamp_max clamp_min", [V, S]),
  ...define("day_of_month day_of_week day_of_year days_in_month hour minute month year", [V], 1),
  ...define("histogram_fraction", [S, S, V]),
  ...define("histogram_quantile", [S, V]),
  ...define("label_join", [V, T, T, T], -1),
  ...define("label_replace", [V, T, T, T, T]),
  ...define("pi time", [], 0, S),
  ...define("round", [V, S], 1),
  ...define("sort_by_label sort_by_label_desc", [V, T], -1),
  ...define("vector", [S]),
]);

/** What an aggregation's parameter must be; the others have none. */
export const PARAMETER_TYPES: Readonly<Record<string, ValueType>> = { topk: S, bottomk: S, quantile: S, limitk: S, count_values: T };
