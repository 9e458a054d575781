import { CommandParseError } from "../line/errors.ts";

const UNITS: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000_001 };

/** Go's durations: `5m0s`, `1.5h`. In milliseconds. */
export function parseGoDuration(text: string, flag: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)/g)];
  if (text === "0") return 0;
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== text)
    throw new CommandParseError(`invalid argument ${JSON.stringify(text)} for ${JSON.stringify(flag)} flag: time: invalid duration ${JSON.stringify(text)}`);
  return parts.reduce((sum, [, number = "0", unit = "s"]) => sum + Number(number) * (UNITS[unit] ?? 0), 0);
}

/** As Go prints it: `5m0s`, `45s`, `1.5s`. */
export function goDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${Number((seconds % 60).toFixed(3))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
