/** Functions of one number, applied to each sample; further scalar arguments follow. Undefined leaves the sample out. */
export const ELEMENTWISE: Readonly<Record<string, (value: number, ...args: number[]) => number | undefined>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sqrt: Math.sqrt,
  sgn: Math.sign,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  deg: (v) => (v * 180) / Math.PI,
  rad: (v) => (v * Math.PI) / 180,
  // Ties go up, as Prometheus has it; dividing keeps 0.001 exact.
  round: (v, to = 1) => Math.floor(v * (1 / to) + 0.5) / (1 / to),
  clamp: (v, low = NaN, high = NaN) => (low > high ? undefined : Math.max(low, Math.min(high, v))),
  clamp_min: (v, low = NaN) => Math.max(low, v),
  clamp_max: (v, high = NaN) => Math.min(high, v),
  minute: (v) => date(v).getUTCMinutes(),
  hour: (v) => date(v).getUTCHours(),
  day_of_week: (v) => date(v).getUTCDay(),
  day_of_month: (v) => date(v).getUTCDate(),
  day_of_year: (v) => Math.floor((date(v).getTime() - Date.UTC(date(v).getUTCFullYear(), 0, 1)) / 86_400_000) + 1,
  days_in_month: (v) => new Date(Date.UTC(date(v).getUTCFullYear(), date(v).getUTCMonth() + 1, 0)).getUTCDate(),
  month: (v) => date(v).getUTCMonth() + 1,
  year: (v) => date(v).getUTCFullYear(),
};

/** Seconds as a date, whole ones only as in Prometheus. */
function date(seconds: number): Date {
  return new Date(Math.trunc(seconds) * 1000);
}
