import type { Row } from "../run.ts";
import type { PairOptions } from "./peers.ts";

/** What every part of the benchmark is given. */
export interface Bench {
  readonly peers: readonly { readonly name: string; readonly program: string }[];
  readonly pairOptions: Omit<PairOptions, "backendPort">;
  /** Ports of the backend: HTTP/1.1, and HTTP/2 in plain text. */
  readonly http: number;
  readonly grpc: number;
}

export type Part = (bench: Bench) => Promise<Row[]>;

/** Envoy's figure in the same run is the measure: the ratio, where both were measured. */
export function ratio(name: string, figures: ReadonlyMap<string, number>, bar: number | undefined, how: string): Row[] {
  const ours = figures.get("chainmail");
  const envoy = figures.get("envoy");
  if (ours === undefined || envoy === undefined) return [];
  return [{ name: `ratio to Envoy: ${name}`, value: ours / envoy, unit: "x", ...(bar !== undefined && { bar }), how }];
}
