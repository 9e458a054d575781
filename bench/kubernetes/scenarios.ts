/** The scenarios that compare two running servers. */
import { nowMs } from "../controlplane/process-figures.ts";
import type { Row } from "../run.ts";
import { type Call, Connection, drive } from "./load-client.ts";
import { compare, type Cost, costOf, quantile, quiet } from "./measure.ts";
import { CONFIG_MAPS, configMap, OPERATIONS, pod, POD_LIST, podStatus, WORLD } from "./objects.ts";
import type { Server } from "./servers.ts";

export interface Pair {
  ours: Server;
  theirs: Server;
}

/** What a server's CPU a call must not exceed, as a share of what the real one takes. */
const WRITE_BAR = 0.2;
const LIST_BAR = 0.5;

/** One client that waits for each answer, one that keeps eight requests under way as client-go's informers and controllers do, and eight clients. */
const MODES = [
  { name: "1 in flight", connections: 1, parallel: 1 },
  { name: "8 streams", connections: 1, parallel: 8 },
  { name: "8 connections", connections: 8, parallel: 8 },
] as const;
/** Enough that one collection of garbage more or less does not decide. */
const CALLS = 1_500;
/** Calls of each operation before any is measured: both fill their caches, and ours compiles while it runs. */
const WARM_UP_CALLS = { theirs: 600, ours: 5_000 };
const PODS = 1_000;
const LISTS = 20;
/** Each costs a fortieth of a whole one. Both are made as often before they are measured. */
const SHORT_LISTS = 400;
const WATCH_CONNECTIONS = 8;
const WATCHES_PER_CONNECTION = 25;
const UPDATES = 500;
const PACE_MS = 20;
const WARM_UP_UPDATES = 100;
const SIDES = ["theirs", "ours"] as const;

/** create, get, merge patch and server-side apply of ConfigMaps. */
export async function operations(pair: Pair): Promise<Row[]> {
  const rows: Row[] = [];
  for (const side of SIDES) {
    await withConnections(pair[side], 8, async (connections) => {
      await drive(connections, 1, WORLD);
      for (const make of Object.values(OPERATIONS)) await drive(connections, 8, make("warm", WARM_UP_CALLS[side]));
    });
  }
  for (const mode of MODES) {
    for (const [name, make] of Object.entries(OPERATIONS)) {
      const calls = make(`m${mode.connections}-${mode.parallel}`, CALLS);
      const cost = await eachSide(pair, async (server) => {
        await quiet(server);
        return withConnections(server, mode.connections, (connections) => costOf(server, connections, mode.parallel, calls));
      });
      rows.push(...compare(`${name}, ${mode.name}`, cost.ours, cost.theirs, WRITE_BAR));
    }
  }
  return rows;
}

/** Lists of 1,000 pods, plain and packed. */
export async function lists(pair: Pair): Promise<Row[]> {
  const all = Array.from({ length: PODS }, (_, index) => index);
  for (const side of SIDES) {
    await withConnections(pair[side], 1, async (connections) => {
      await drive(connections, 1, WORLD);
      await drive(
        connections,
        8,
        all.map((index) => ({ method: "POST", path: POD_LIST, body: JSON.stringify(pod(index)) })),
      );
      await drive(
        connections,
        8,
        all.map((index) => ({
          method: "PATCH",
          path: `${POD_LIST}/${pod(index).metadata.name}/status`,
          type: "application/strategic-merge-patch+json",
          body: JSON.stringify(podStatus(index)),
        })),
      );
    });
  }
  const variants: Record<string, Call> = {
    "list of 1,000 pods": { method: "GET", path: POD_LIST },
    "list of 1,000 pods, resourceVersion 0": { method: "GET", path: `${POD_LIST}?resourceVersion=0` },
    "list of 1,000 pods, gzip": { method: "GET", path: POD_LIST, gzip: true },
    "list of 20 of 1,000 pods, by label": { method: "GET", path: `${POD_LIST}?labelSelector=app%3Dapp-7` },
  };
  const rows: Row[] = [];
  for (const [name, call] of Object.entries(variants)) {
    const calls = Array.from({ length: name.includes("label") ? SHORT_LISTS : LISTS }, () => call);
    const cost = await eachSide(pair, (server) =>
      withConnections(server, 1, async (connections) => {
        const [first] = await drive(connections, 1, calls);
        console.error(`${server.name}: ${name}: ${first?.bytes} bytes`);
        await quiet(server);
        return costOf(server, connections, 1, calls);
      }),
    );
    rows.push(...compare(name, cost.ours, cost.theirs, LIST_BAR, "list"));
  }
  return rows;
}

/** 200 watches of one resource, and updates of one object in it: as fast as they go, and with a pause after each. */
export async function watches(pair: Pair): Promise<Row[]> {
  for (const side of SIDES) await withConnections(pair[side], 1, (connections) => drive(connections, 1, WORLD));
  const rows: Row[] = [];
  for (const pace of [0, PACE_MS]) {
    const cost = await eachSide(pair, (server) =>
      withConnections(server, 1 + WATCH_CONNECTIONS, ([writer, ...readers]) => fanOut(server, writer as Connection, readers, pace)),
    );
    rows.push(...compare(`event to 200 watches, ${pace === 0 ? "back to back" : `each ${pace} ms`}`, cost.ours, cost.theirs, LIST_BAR, "watcher's event"));
  }
  return rows;
}

async function fanOut(server: Server, writer: Connection, readers: readonly Connection[], pace: number): Promise<Cost> {
  const name = `watched-${pace}`;
  await writer.call({ method: "POST", path: CONFIG_MAPS, body: JSON.stringify(configMap(name, "0")) });
  const { text } = await writer.call({ method: "GET", path: `${CONFIG_MAPS}/${name}` }, true);
  const { resourceVersion } = (JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata;
  const started: number[] = [];
  const waited: number[] = [];
  const total = WATCH_CONNECTIONS * WATCHES_PER_CONNECTION * (UPDATES + WARM_UP_UPDATES);
  let seen = 0;
  let all: () => void = () => {};
  const every = new Promise<void>((resolve) => (all = resolve));
  const watch = (connection: Connection) => {
    let place = 0;
    return connection.watch(`${CONFIG_MAPS}?watch=true&resourceVersion=${resourceVersion}`, (count) => {
      const now = nowMs();
      for (let event = 0; event < count; event++, place++) if (place >= WARM_UP_UPDATES) waited.push(now - (started[place] ?? now));
      seen += count;
      if (seen >= total) all();
    });
  };
  await Promise.all(readers.flatMap((connection) => Array.from({ length: WATCHES_PER_CONNECTION }, () => watch(connection))));
  const update = async (index: number) => {
    started[index] = nowMs();
    const patch = JSON.stringify({ data: { value: String(index), more: "x".repeat(280) } });
    await writer.call({ method: "PATCH", path: `${CONFIG_MAPS}/${name}`, type: "application/merge-patch+json", body: patch });
  };
  for (let index = 0; index < WARM_UP_UPDATES; index++) await update(index);
  await quiet(server);
  const before = server.cpu();
  for (let index = WARM_UP_UPDATES; index < WARM_UP_UPDATES + UPDATES; index++) {
    await update(index);
    if (pace > 0) await Bun.sleep(pace);
  }
  await every;
  const cpu = server.cpu() - before;
  return { cpuUs: (cpu * 1000) / (UPDATES * WATCH_CONNECTIONS * WATCHES_PER_CONNECTION), p50: quantile(waited, 0.5), p99: quantile(waited, 0.99) };
}

async function eachSide(pair: Pair, measure: (server: Server) => Promise<Cost>): Promise<Record<keyof Pair, Cost>> {
  return { theirs: await measure(pair.theirs), ours: await measure(pair.ours) };
}

/** Opened for each measurement: a server closes those that are idle while the other is measured. */
async function withConnections<Made>(server: Server, count: number, work: (connections: Connection[]) => Promise<Made>): Promise<Made> {
  const connections = await Promise.all(Array.from({ length: count }, () => Connection.open(server.access)));
  try {
    return await work(connections);
  } finally {
    for (const connection of connections) connection.close();
  }
}
