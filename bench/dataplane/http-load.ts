import type { Row } from "../run.ts";
import type { Part } from "./part.ts";
import { startPair, type Pair } from "./peers.ts";
import { cpuMicros, median, residentKb } from "./processes.ts";
import { required, runTool } from "./tools.ts";

/** Alternating, so that a machine that slows down slows all; the median is stated. */
const ROUNDS = 3;
const SECONDS = 3;
/** At the larger number of connections, until just-in-time compilers are done with what every request runs. */
const WARM_SECONDS = 4;
const CONNECTIONS = [1, 64];
/** The names of the rows that have Istio's telemetry on. */
const TELEMETRY = "chainmail + Istio's telemetry";

export interface HttpFigures {
  readonly cpuMicros: number;
  readonly p50: number;
  readonly p99: number;
}

/** 1 KB answers over HTTP/1.1: CPU a request and latency, at one connection and at 64. */
export const httpLoad: Part = async ({ peers, pairOptions, http }) => {
  const pairs: { label: string; pair: Pair }[] = [];
  try {
    for (const peer of peers) {
      pairs.push({ label: peer.name, pair: await startPair(peer, { ...pairOptions, backendPort: http }) });
      if (peer.name === "chainmail") pairs.push({ label: TELEMETRY, pair: await startPair(peer, { ...pairOptions, backendPort: http, telemetry: true }) });
    }
    for (const { pair } of pairs) await load(pair, Math.max(...CONNECTIONS), WARM_SECONDS);
    const rows: Row[] = [];
    for (const connections of CONNECTIONS) rows.push(...(await measure(pairs, connections)));
    for (const { label, pair } of pairs)
      rows.push({
        name: `${label}: resident memory, both hops`,
        value: residentKb([pair.clientHop, pair.serverHop]) / 1024,
        unit: "MB",
        how: "after the load",
      });
    return rows;
  } finally {
    await Promise.all(pairs.map(({ pair }) => pair.stop()));
  }
};

async function measure(pairs: readonly { label: string; pair: Pair }[], connections: number): Promise<Row[]> {
  const found = new Map<string, HttpFigures[]>(pairs.map(({ label }) => [label, []]));
  for (let round = 0; round < ROUNDS; round++) for (const { label, pair } of pairs) found.get(label)?.push(await load(pair, connections, SECONDS));
  const of = (label: string, figure: (f: HttpFigures) => number) => median((found.get(label) ?? []).map(figure));
  const many = `${connections} conn`;
  const how = `median of ${ROUNDS} x ${SECONDS} s, both hops, after ${WARM_SECONDS} s of load; access log, RBAC, XFCC`;
  const rows: Row[] = [];
  for (const { label } of pairs) {
    rows.push({ name: `${label}: CPU a request, ${many}`, value: of(label, (f) => f.cpuMicros), unit: "us", how });
    rows.push({ name: `${label}: p50, ${many}`, value: of(label, (f) => f.p50), unit: "us", how });
    rows.push({ name: `${label}: p99, ${many}`, value: of(label, (f) => f.p99), unit: "us", how });
  }
  const cpu = (label: string) => of(label, (f) => f.cpuMicros);
  if (found.has("chainmail") && found.has("envoy")) {
    rows.push({ name: `ratio to Envoy: CPU a request, ${many}`, value: cpu("chainmail") / cpu("envoy"), unit: "x", bar: 0.5, how: "same filters on both" });
    rows.push({
      name: `ratio to Envoy with Istio's telemetry, ${many}`,
      value: cpu(TELEMETRY) / cpu("envoy"),
      unit: "x",
      bar: 0.6,
      how: "istio.stats and metadata exchange on ours alone",
    });
    rows.push({ name: `Istio's telemetry costs, ${many}`, value: cpu(TELEMETRY) - cpu("chainmail"), unit: "us", how: "a request, both hops" });
  }
  return rows;
}

/** Loads a pair with wrk. Throws when requests fail. */
export async function load({ name, port, clientHop, serverHop }: Pair, connections: number, seconds: number): Promise<HttpFigures> {
  const wrk = required("wrk", "apt-get install wrk");
  const before = cpuMicros([clientHop, serverHop]);
  const text = await runTool([wrk, "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", `http://127.0.0.1:${port}/`]);
  const cpu = cpuMicros([clientHop, serverHop]) - before;
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? (/Socket errors/.test(text) ? "some" : undefined);
  if (requests === 0 || failed !== undefined) throw new Error(`${name}: ${failed ?? "all"} requests failed\n${text}`);
  const micros = (percentile: string) => {
    const [, value, unit] = new RegExp(`${percentile}\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? [];
    return Number(value) * ({ us: 1, ms: 1000, s: 1e6 }[unit ?? ""] ?? Number.NaN);
  };
  return { cpuMicros: cpu / requests, p50: micros("50%"), p99: micros("99%") };
}
