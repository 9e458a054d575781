/** Multipliers of Kubernetes' resource quantities. */
const SUFFIXES: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The value of a quantity such as `250m`, `1Gi` or `1e3`, in cores or bytes; undefined when it is none. */
export function parseQuantity(quantity: string | number): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$/.exec(String(quantity).trim());
  if (!match) return undefined;
  return Number(`${match[1]}${match[2] ?? ""}`) * (SUFFIXES[match[3] ?? ""] ?? 1);
}

/** `value / divisor` rounded up, as the downward API prints a resource; undefined when either is no quantity. */
export function divideQuantity(value: string | number, divisor: string | number | undefined): string | undefined {
  const numerator = parseQuantity(value);
  const denominator = divisor === undefined || divisor === "" || divisor === "0" ? 1 : parseQuantity(divisor);
  if (numerator === undefined || denominator === undefined || denominator <= 0) return undefined;
  const quotient = numerator / denominator;
  // 0.3 / 0.001 is 299.99999999999994: forgive what floating point adds before rounding up.
  const nearest = Math.round(quotient);
  return String(Math.abs(quotient - nearest) < 1e-6 * Math.max(1, Math.abs(quotient)) ? nearest : Math.ceil(quotient));
}
