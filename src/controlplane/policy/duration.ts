/** A protobuf Duration, as far as building one needs it. */
export interface Duration {
  readonly seconds: bigint;
  readonly nanos?: number;
}

const UNITS: Readonly<Record<string, number>> = { h: 3600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, ns: 1 };

/** Reads Go's and protojson's durations ("1.5s", "1m30s", "100ms"); undefined when it is neither. */
export function parseDuration(text: string | undefined): Duration | undefined {
  if (text === undefined || text === "") return undefined;
  const sign = text.startsWith("-") ? -1n : 1n;
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return { seconds: 0n };
  if (!/^(\d+(\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)(?:(\d+(\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns))*$/.test(body)) return undefined;
  let nanos = 0n;
  for (const [, number = "0", , unit = "s"] of body.matchAll(/(\d+(\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)/g)) {
    const [whole = "0", fraction = ""] = number.split(".");
    const scale = BigInt(UNITS[unit] ?? 0);
    nanos += BigInt(whole || "0") * scale + (BigInt(fraction.slice(0, 9).padEnd(9, "0")) * scale) / 1_000_000_000n;
  }
  nanos *= sign;
  return { seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) };
}

/** Whether the duration is zero or none. */
export function isZero(duration: Duration | undefined): boolean {
  return !duration || (duration.seconds === 0n && !duration.nanos);
}
