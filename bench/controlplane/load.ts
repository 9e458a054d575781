/**
 * A program of the benchmark: many simulated proxies. It takes commands as lines of JSON and answers each with one:
 * `connect` brings them into sync, `mark` forgets what came before, `wait` answers when every proxy has got a type since
 * the mark and nothing has come for a while, and says when the last of them had it.
 */
import { createInterface } from "node:readline";
import { nowMs } from "./process-figures.ts";
import { SimulatedProxy, type Mode, type Names, type Short } from "./simulated-proxy.ts";

export type Command =
  | { do: "connect"; port: number; proxies: number; mode: Mode; parallel: number }
  | { do: "mark" }
  | { do: "wait"; type: Short; timeoutMs: number; quietMs: number }
  | { do: "close" };

export interface Seen {
  /** When the last proxy had its first answer of the awaited type, on the clock of `nowMs`. */
  lastMs: number;
  /** How many proxies had one. */
  proxies: number;
  /** All proxies together, by type. */
  bytes: Partial<Record<Short, number>>;
  resources: Partial<Record<Short, number>>;
  broken: number;
}

const proxies: SimulatedProxy[] = [];
const names: Names = { EDS: undefined, RDS: undefined };
let first = new Map<Short, Map<number, number>>();
let seen: Seen = empty();
let broken = 0;
let newest = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  console.log(JSON.stringify(await answer(command)));
  if (command.do === "close") process.exit(0);
}

async function answer(command: Command): Promise<Seen> {
  switch (command.do) {
    case "connect":
      await connect(command);
      return { ...seen, lastMs: newest, proxies: proxies.length, broken };
    case "mark":
      first = new Map();
      seen = empty();
      return seen;
    case "wait":
      return wait(command);
    case "close":
      for (const proxy of proxies) proxy.close();
      return seen;
  }
}

async function connect({ port, proxies: count, mode, parallel }: Command & { do: "connect" }): Promise<void> {
  let next = proxies.length;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      const proxy = new SimulatedProxy(index, mode, names, receipt, () => broken++);
      proxies.push(proxy);
      await proxy.connect(port);
      await proxy.synced;
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

function receipt(proxy: number, type: Short, bytes: number, resources: number, atMs: number): void {
  let times = first.get(type);
  if (!times) first.set(type, (times = new Map()));
  if (!times.has(proxy)) times.set(proxy, atMs);
  newest = atMs;
  seen.bytes[type] = (seen.bytes[type] ?? 0) + bytes;
  seen.resources[type] = (seen.resources[type] ?? 0) + resources;
}

async function wait({ type, timeoutMs, quietMs }: Command & { do: "wait" }): Promise<Seen> {
  const deadline = nowMs() + timeoutMs;
  const complete = () => (first.get(type)?.size ?? 0) >= proxies.length && nowMs() - newest > quietMs;
  while (!complete() && nowMs() < deadline) await Bun.sleep(10);
  const times = [...(first.get(type)?.values() ?? [])];
  return { ...seen, lastMs: Math.max(0, ...times), proxies: times.length, broken };
}

function empty(): Seen {
  return { lastMs: 0, proxies: 0, bytes: {}, resources: {}, broken: 0 };
}
