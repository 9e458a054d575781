/** Kubernetes' amounts: `500m`, `1.5Gi`, `1e3`. Exact, to nano units. */

const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: Record<string, number> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const SUFFIX_OF = new Map(Object.entries(DECIMAL).map(([suffix, exponent]) => [exponent, suffix]));
const PATTERN = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d+)|([KMGTPE]i)|([numkMGTPE]))?$/;
/** An exponent beyond this is no amount of anything and only costs memory. */
const MAX_EXPONENT = 40;

export interface Quantity {
  /** In nano units, rounded up (away from zero) as Kubernetes does. */
  nanos: bigint;
  format: "BinarySI" | "DecimalSI" | "DecimalExponent";
}

/** undefined where `text` is no quantity. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = PATTERN.exec(text.trim());
  if (!match) return undefined;
  const [, sign, number = "", exponent, binary, decimal = ""] = match;
  const [whole = "", fraction = ""] = number.split(".");
  let digits = BigInt(whole + fraction || "0");
  let power = 9 - fraction.length;
  if (exponent) {
    const by = Number(exponent.slice(1));
    if (Math.abs(by) > MAX_EXPONENT) return undefined;
    power += by;
  } else if (binary) digits *= 1024n ** BigInt(BINARY.indexOf(binary));
  else power += DECIMAL[decimal] ?? 0;
  const nanos = power >= 0 ? digits * 10n ** BigInt(power) : divideUp(digits, 10n ** BigInt(-power));
  return { nanos: sign === "-" ? -nanos : nanos, format: binary ? "BinarySI" : exponent ? "DecimalExponent" : "DecimalSI" };
}

/** The form in which the API shows it: `0.5` is `500m`, `1024Mi` is `1Gi`. What cannot be read stays as it is. */
export function canonicalQuantity(value: unknown): unknown {
  if (typeof value !== "string" && typeof value !== "number") return value;
  const quantity = parseQuantity(String(value));
  return quantity ? formatQuantity(quantity) : value;
}

/** The amount as a number of whole units; fractions stay. */
export function quantityValue(value: unknown): number | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const quantity = parseQuantity(String(value));
  return quantity && Number(quantity.nanos) / 1e9;
}

function formatQuantity({ nanos, format }: Quantity): string {
  const UNIT = 1_000_000_000n;
  if (nanos === 0n) return "0";
  const sign = nanos < 0n ? "-" : "";
  const size = nanos < 0n ? -nanos : nanos;
  if (format === "BinarySI" && size >= 1024n * UNIT) {
    let units = divideUp(size, UNIT);
    let step = 0;
    for (; units % 1024n === 0n && step < BINARY.length - 1; step++) units /= 1024n;
    return `${sign}${units}${BINARY[step]}`;
  }
  let mantissa = size;
  let exponent = -9;
  while (mantissa % 1000n === 0n && exponent < 18) {
    mantissa /= 1000n;
    exponent += 3;
  }
  if (format === "DecimalExponent") return `${sign}${mantissa}${exponent === 0 ? "" : `e${exponent}`}`;
  return `${sign}${mantissa}${SUFFIX_OF.get(exponent) ?? ""}`;
}

function divideUp(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}
