/**
 * Our control plane and the real istiod in turn, on the same API server and the same load client: how fast and at what
 * cost a change reaches many proxies, what a proxy's start costs, memory, certificates and the start itself.
 * `npm run bench -- controlplane [SCENARIO…]` runs some of the scenarios, without a name all of them.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { locateIstio } from "../../test/conformance/istio-programs.ts";
import type { Row } from "../run.ts";
import { issueCertificates, type CertificateFigures } from "./certificates.ts";
import { startApi, startLoad, type Api, type Load } from "./children.ts";
import { chainmailCommand, startControlPlane, type ControlPlane, type ControlPlaneName } from "./control-planes.ts";
import { applyStrict, changeEndpoints, median, p99, sync, type ChangeFigures, type SyncFigures } from "./measure.ts";
import type { Mode } from "./simulated-proxy.ts";

/** Pods that exist: as many as the most proxies that connect. */
const PODS = 2_000;
/** Their p99 is the greatest of them. */
const ROUNDS = 20;
/** istiod needs a second and more for each where proxies are many. */
const ISTIOD_ROUNDS = 6;
const STARTS = 5;
const CERTIFICATES = 2_000;
const WORKLOADS = 20;

interface Bench {
  folder: string;
  commands: Partial<Record<ControlPlaneName, string[]>>;
}

type Both<Figures> = Partial<Record<ControlPlaneName, Figures>>;

const SCENARIOS: Record<string, (bench: Bench) => Promise<Row[]>> = {
  "200x10": (bench) => changes(bench, 200, 10, { strictMs: 20 }),
  "200x100": (bench) => changes(bench, 200, 100, { strictMs: 150, endpointMs: [15, 30] }),
  "1000x10": (bench) => changes(bench, 1_000, 10, { strictMs: 40 }),
  "1000x100": (bench) => changes(bench, 1_000, 100, { strictMs: 150, endpointMs: [15, 30] }),
  sotw: (bench) => changes(bench, 200, 100, { mode: "sotw" }),
  scale,
  memory,
  certificates,
  start,
};

export async function run(names: readonly string[]): Promise<Row[]> {
  const unknown = names.find((name) => !SCENARIOS[name]);
  if (unknown) throw new Error(`there is no scenario ${unknown}; there are ${Object.keys(SCENARIOS).join(", ")}`);
  const folder = mkdtempSync(join(tmpdir(), "chainmail-bench-"));
  const { path: istiod, reason } = locateIstio("pilot-discovery");
  if (!istiod) console.error(`nothing is compared: ${reason}`);
  const bench: Bench = { folder, commands: { chainmail: await chainmailCommand(folder), ...(istiod && { istiod: [istiod] }) } };
  const rows: Row[] = [];
  try {
    for (const name of names.length > 0 ? names : Object.keys(SCENARIOS)) {
      const found = await (SCENARIOS[name] as (bench: Bench) => Promise<Row[]>)(bench);
      for (const row of found) console.log(`${name}: ${row.name} ${row.value.toFixed(2)} ${row.unit}${row.bar === undefined ? "" : ` (bar ${row.bar})`}`);
      rows.push(...found);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rows;
}

/** Changes to `proxies` proxies that are in sync, and what it took to bring them there. */
async function changes(
  bench: Bench,
  services: number,
  proxies: number,
  bars: { strictMs?: number; endpointMs?: [p50: number, p99: number]; mode?: Mode },
): Promise<Row[]> {
  const mode = bars.mode ?? "delta";
  const where = `${services} services, ${proxies} proxies, ${mode}`;
  const found = await eachPlane(bench, services, async (plane, api, load) => {
    const rounds = plane.name === "istiod" && proxies > 10 ? ISTIOD_ROUNDS : ROUNDS;
    const synced = await sync(plane, load, proxies, mode);
    const endpoints = await changeEndpoints(plane, api, load, proxies, PODS, rounds);
    return { synced, endpoints, strict: await applyStrict(plane, api, load, proxies, rounds) };
  });
  const [p50Bar, p99Bar] = bars.endpointMs ?? [];
  return [
    ...perPlane(found, (name, { strict }) => changeRows(`${name}: STRICT`, strict, where, name === "chainmail" ? { p99: bars.strictMs } : {})),
    ...ratio(found, "STRICT: CPU against istiod", ({ strict }) => strict.cpuMs, 0.1, where),
    ...perPlane(found, (name, { endpoints }) => changeRows(`${name}: endpoint`, endpoints, where, name === "chainmail" ? { p50: p50Bar, p99: p99Bar } : {})),
    ...perPlane(found, (name, { synced }) => syncRows(name, synced, where)),
    ...ratio(found, "sync: CPU a proxy against istiod", ({ synced }) => synced.cpuMsPerProxy, 1 / 3, where),
    ...ratio(found, "start and sync: CPU against istiod", ({ synced }) => synced.totalCpuMs, undefined, where),
  ];
}

/** Whether the cost of one endpoint's change grows with the mesh around it. */
async function scale(bench: Bench): Promise<Row[]> {
  const proxies = 100;
  const found: ChangeFigures[] = [];
  for (const services of [200, 5_000]) {
    const { chainmail } = await eachPlane({ ...bench, commands: { chainmail: bench.commands.chainmail } }, services, async (plane, api, load) => {
      await sync(plane, load, proxies, "delta");
      return changeEndpoints(plane, api, load, proxies, PODS, ROUNDS);
    });
    if (chainmail) found.push(chainmail);
  }
  const [small, large] = found;
  if (!small || !large) return [];
  const how = `median of ${ROUNDS} changes, ${proxies} proxies`;
  return [
    { name: "endpoint: CPU at 200 services", value: small.cpuMs, unit: "ms", how },
    { name: "endpoint: CPU at 5,000 services", value: large.cpuMs, unit: "ms", how },
    { name: "endpoint: CPU at 5,000 against 200", value: large.cpuMs / small.cpuMs, unit: "x", bar: 1.5, how },
    { name: "endpoint: p50 at 5,000 services", value: median(large.latencies), unit: "ms", bar: 15, how },
    { name: "endpoint: p99 at 5,000 services", value: p99(large.latencies), unit: "ms", bar: 30, how },
  ];
}

/** istiod with 2,000 proxies takes minutes and gigabytes, so it is compared at 500. */
async function memory(bench: Bench): Promise<Row[]> {
  const of = (proxies: number, commands: Bench["commands"]) =>
    eachPlane({ ...bench, commands }, 1_000, (plane, _, load) => sync(plane, load, proxies, "delta"));
  const at500 = await of(500, bench.commands);
  const at2000 = await of(2_000, { chainmail: bench.commands.chainmail });
  return [
    ...perPlane(at500, (name, figures) => syncRows(name, figures, "1,000 services, 500 proxies, delta")),
    ...ratio(at500, "RSS at 500 proxies against istiod", ({ rssMb }) => rssMb, 0.5, "right after the sync"),
    ...perPlane(at2000, (name, figures) => syncRows(name, figures, "1,000 services, 2,000 proxies, delta")),
    ...perPlane(at2000, (name, { broken }) => [
      { name: `${name}: broken streams of 2,000`, value: broken, unit: "", bar: 0, how: "1,000 services, from the first connect to all in sync" },
    ]),
  ];
}

async function certificates(bench: Bench): Promise<Row[]> {
  const found: Both<CertificateFigures> = {};
  // Each makes a root of its own kind, so each gets an API server of its own.
  for (const name of planesOf(bench)) {
    const figures = await eachPlane({ ...bench, commands: { [name]: bench.commands[name] } }, 200, (plane, api) =>
      issueCertificates(plane, api, CERTIFICATES, WORKLOADS),
    );
    found[name] = figures[name];
  }
  const how = `${CERTIFICATES} ECDSA requests over 8 TLS connections, tokens of ${WORKLOADS} workloads, each seen once before`;
  return perPlane(found, (name, { perCpuSecond, perSecond, reviews }) => [
    {
      name: `${name}: CPU a certificate`,
      value: 1000 / perCpuSecond,
      unit: "ms",
      ...(name === "chainmail" && { bar: 1000 / 1_500 }),
      how: `${how}; ${perCpuSecond.toFixed(0)} a CPU second`,
    },
    { name: `${name}: certificates a second`, value: perSecond, unit: "", how },
    { name: `${name}: token reviews`, value: reviews, unit: "", ...(name === "chainmail" && { bar: 0 }), how },
  ]);
}

async function start(bench: Bench): Promise<Row[]> {
  const starts: Both<{ wall: number[]; cpu: number[] }> = {};
  const api = await startApi(folderFor(bench, "start"), 200, PODS);
  try {
    for (const name of planesOf(bench)) {
      const figures = (starts[name] = { wall: [] as number[], cpu: [] as number[] });
      for (let round = 0; round <= STARTS; round++) {
        const plane = await startControlPlane(name, bench.commands[name] ?? [], api.kubeconfig, join(bench.folder, name));
        await plane.stop();
        // The first one makes the CA.
        if (round === 0) continue;
        figures.wall.push(plane.readyMs);
        figures.cpu.push(plane.readyCpuMs);
      }
    }
  } finally {
    await api.stop();
  }
  const how = `median of ${STARTS}, 200 services, from its start to /ready`;
  return perPlane(starts, (name, { wall, cpu }) => [
    { name: `${name}: ready`, value: median(wall), unit: "ms", ...(name === "chainmail" && { bar: 300 }), how },
    { name: `${name}: CPU until ready`, value: median(cpu), unit: "ms", how },
  ]);
}

/** Runs `work` for each control plane, freshly started on one API server with the world in it, with a load client of its own. */
async function eachPlane<Figures>(
  bench: Bench,
  services: number,
  work: (plane: ControlPlane, api: Api, load: Load) => Promise<Figures>,
): Promise<Both<Figures>> {
  const folder = folderFor(bench, String(services));
  const api = await startApi(folder, services, PODS);
  const found: Both<Figures> = {};
  try {
    for (const name of planesOf(bench)) {
      const plane = await startControlPlane(name, bench.commands[name] ?? [], api.kubeconfig, join(folder, name));
      const load = startLoad();
      try {
        found[name] = await work(plane, api, load);
      } finally {
        await load.stop();
        await plane.stop();
      }
    }
  } finally {
    await api.stop();
  }
  return found;
}

let folders = 0;

function folderFor(bench: Bench, name: string): string {
  const folder = join(bench.folder, `${++folders}-${name}`);
  mkdirSync(folder);
  return folder;
}

function planesOf({ commands }: Bench): ControlPlaneName[] {
  return (["chainmail", "istiod"] as const).filter((name) => commands[name]);
}

function perPlane<Figures>(found: Both<Figures>, rows: (name: ControlPlaneName, figures: Figures) => Row[]): Row[] {
  return (Object.entries(found) as [ControlPlaneName, Figures][]).flatMap(([name, figures]) => rows(name, figures));
}

function ratio<Figures>({ chainmail, istiod }: Both<Figures>, name: string, figure: (figures: Figures) => number, bar: number | undefined, how: string): Row[] {
  return chainmail && istiod ? [{ name, value: figure(chainmail) / figure(istiod), unit: "x", ...(bar !== undefined && { bar }), how }] : [];
}

function changeRows(
  name: string,
  { latencies, cpuMs, bytesPerProxy, resourcesPerProxy }: ChangeFigures,
  where: string,
  bars: { p50?: number | undefined; p99?: number | undefined },
): Row[] {
  const how = `${latencies.length} rounds, API server's reply to the last receipt, ${where}`;
  return [
    { name: `${name}: p50`, value: median(latencies), unit: "ms", ...(bars.p50 !== undefined && { bar: bars.p50 }), how },
    { name: `${name}: p99`, value: p99(latencies), unit: "ms", ...(bars.p99 !== undefined && { bar: bars.p99 }), how },
    { name: `${name}: CPU`, value: cpuMs, unit: "ms", how: `median, all proxies, until nothing comes any more, ${where}` },
    { name: `${name}: on the wire`, value: bytesPerProxy / 1000, unit: "kB", how: `a proxy, ${resourcesPerProxy.toFixed(1)} resources, ${where}` },
  ];
}

function syncRows(name: ControlPlaneName, { wallMs, cpuMsPerProxy, totalCpuMs, bytesPerProxy, rssMb }: SyncFigures, where: string): Row[] {
  return [
    { name: `${name}: sync`, value: wallMs / 1000, unit: "s", how: `first connect to the last in sync, ${where}` },
    { name: `${name}: sync CPU a proxy`, value: cpuMsPerProxy, unit: "ms", how: where },
    { name: `${name}: CPU from its start to all in sync`, value: totalCpuMs, unit: "ms", how: where },
    { name: `${name}: sync bytes a proxy`, value: bytesPerProxy / 1e6, unit: "MB", how: where },
    { name: `${name}: RSS in sync`, value: rssMb, unit: "MB", how: where },
  ];
}
