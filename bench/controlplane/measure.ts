/** What is done to a control plane, and the figures of it: the start, the sync of many proxies, and changes. */
import { ENDPOINT_SLICES, PEER_AUTHENTICATIONS } from "../../src/kube/index.ts";
import type { KubeObject } from "../../src/resources/index.ts";
import type { Api, Load } from "./children.ts";
import type { ControlPlane } from "./control-planes.ts";
import { cpuMs, nowMs, rssMb } from "./process-figures.ts";
import type { Mode, Short } from "./simulated-proxy.ts";
import { sliceOf } from "./world.ts";

export interface SyncFigures {
  wallMs: number;
  cpuMsPerProxy: number;
  /** Of everything since the program's start. */
  totalCpuMs: number;
  bytesPerProxy: number;
  rssMb: number;
  broken: number;
}

export interface ChangeFigures {
  /** From the API server's reply to the last proxy's receipt, one a round, ascending. */
  latencies: number[];
  cpuMs: number;
  bytesPerProxy: number;
  resourcesPerProxy: number;
}

/** A change is over when nothing has come for this long. */
const QUIET_MS = 300;
const TIMEOUT_MS = 30_000;
/** A control plane has settled when it has used less than `SETTLED_CPU_MS` for this long. */
const SETTLE_MS = 400;
const SETTLED_CPU_MS = 4;
/** As a rolling start of a mesh: many at once, but not all. */
const PARALLEL_CONNECTS = 50;

/** What a control plane still does when it has said that it is ready is not part of the proxies' start; it is part of `totalCpuMs`. */
export async function sync(plane: ControlPlane, load: Load, proxies: number, mode: Mode): Promise<SyncFigures> {
  await settle(plane);
  const cpu = cpuMs(plane.pid);
  const started = nowMs();
  await load.ask({ do: "mark" });
  const seen = await load.ask({ do: "connect", port: plane.ports.plaintext, proxies, mode, parallel: PARALLEL_CONNECTS });
  return {
    wallMs: seen.lastMs - started,
    cpuMsPerProxy: (cpuMs(plane.pid) - cpu) / proxies,
    totalCpuMs: cpuMs(plane.pid),
    bytesPerProxy: total(seen.bytes) / proxies,
    rssMb: rssMb(plane.pid),
    broken: seen.broken,
  };
}

async function settle({ pid }: ControlPlane): Promise<void> {
  const deadline = nowMs() + TIMEOUT_MS;
  for (let before = cpuMs(pid); nowMs() < deadline;) {
    await Bun.sleep(SETTLE_MS);
    const now = cpuMs(pid);
    if (now - before < SETTLED_CPU_MS) return;
    before = now;
  }
}

/** The last endpoint of one service moves, each round of another, to where it has not been under the other control plane. */
export function changeEndpoints(plane: ControlPlane, api: Api, load: Load, proxies: number, pods: number, rounds: number): Promise<ChangeFigures> {
  return changes(plane, load, proxies, rounds, "EDS", async (round) => {
    await api.client.apply(ENDPOINT_SLICES, sliceOf(round % 100, pods, `10.${plane.name === "istiod" ? 99 : 98}.0.${(round % 250) + 1}`), "bench");
  });
}

/** The mesh turns STRICT; between rounds the policy goes again. */
export async function applyStrict(plane: ControlPlane, api: Api, load: Load, proxies: number, rounds: number): Promise<ChangeFigures> {
  const policy: KubeObject = {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace: "istio-system" },
    spec: { mtls: { mode: "STRICT" } },
  };
  const figures = await changes(
    plane,
    load,
    proxies,
    rounds,
    "LDS",
    async () => void (await api.client.apply(PEER_AUTHENTICATIONS, policy, "bench")),
    () => api.client.delete(PEER_AUTHENTICATIONS, "default", "istio-system"),
  );
  return figures;
}

async function changes(
  plane: ControlPlane,
  load: Load,
  proxies: number,
  rounds: number,
  type: Short,
  change: (round: number) => Promise<void>,
  undo?: () => Promise<void>,
): Promise<ChangeFigures> {
  const figures = { latencies: [] as number[], cpu: [] as number[], bytes: 0, resources: 0 };
  const wait = async () => {
    const seen = await load.ask({ do: "wait", type, timeoutMs: TIMEOUT_MS, quietMs: QUIET_MS });
    if (seen.proxies < proxies) throw new Error(`${plane.name}: only ${seen.proxies} of ${proxies} proxies got ${type}, ${seen.broken} streams broke`);
    return seen;
  };
  // The first rounds warm up what is compiled while it runs.
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    await load.ask({ do: "mark" });
    const cpu = cpuMs(plane.pid);
    await change(round + WARM_UP_ROUNDS);
    const replied = nowMs();
    const seen = await wait();
    if (round >= 0) {
      figures.latencies.push(Math.max(0, seen.lastMs - replied));
      figures.cpu.push(cpuMs(plane.pid) - cpu);
      figures.bytes += total(seen.bytes);
      figures.resources += total(seen.resources);
    }
    if (!undo) continue;
    await load.ask({ do: "mark" });
    await undo();
    await wait();
  }
  return {
    latencies: figures.latencies.sort((a, b) => a - b),
    cpuMs: median(figures.cpu),
    bytesPerProxy: figures.bytes / rounds / proxies,
    resourcesPerProxy: figures.resources / rounds / proxies,
  };
}

const WARM_UP_ROUNDS = 2;

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Of 20 rounds this is the greatest. */
export function p99(ascending: readonly number[]): number {
  return ascending[Math.ceil(ascending.length * 0.99) - 1] ?? Number.NaN;
}

function total(counts: Partial<Record<Short, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
