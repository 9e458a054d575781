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
const CALLS = 600;
/** Ours compiles what is called often; both fill their caches. */
const WARM_UP_CALLS = 1_500;
const PODS = 1_000;
const LISTS = 10;
const WATCH_CONNECTIONS = 8;
const WATCHES_PER_CONNECTION = 25;
const UPDATES = 500;
const PACE_MS = 20;

/** create, get, merge patch and server-side apply of ConfigMaps. */
export async function operations({ ours, theirs }: Pair): Promise<Row[]> {
  const rows: Row[] = [];
  const connected = await both({ ours, theirs }, (server) => connect(server, 8));
  try {
    for (const side of ["theirs", "ours"] as const) {
      await drive(connected[side], 1, WORLD);
      for (const make of Object.values(OPERATIONS)) await drive(connected[side], 8, make("warm", WARM_UP_CALLS));
    }
    for (const mode of MODES) {
      for (const [name, make] of Object.entries(OPERATIONS)) {
        const calls = make(`m${mode.connections}-${mode.parallel}`, CALLS);
        const cost = {} as Record<keyof Pair, Cost>;
        for (const side of ["theirs", "ours"] as const) {
          const server = { ours, theirs }[side];
          await quiet(server);
          cost[side] = await costOf(server, connected[side].slice(0, mode.connections), mode.parallel, calls);
        }
        rows.push(...compare(`${name}, ${mode.name}`, cost.ours, cost.theirs, WRITE_BAR));
      }
    }
  } finally {
    close(connected);
  }
  return rows;
}

/** Lists of 1,000 pods, plain and packed. */
export async function lists({ ours, theirs }: Pair): Promise<Row[]> {
  const connected = await both({ ours, theirs }, (server) => connect(server, 1));
  const rows: Row[] = [];
  try {
    for (const side of ["theirs", "ours"] as const) {
      await drive(connected[side], 1, WORLD).catch(ifThere);
      const all = Array.from({ length: PODS }, (_, index) => index);
      await drive(connected[side], 8, all.map((index) => ({ method: "POST", path: POD_LIST, body: JSON.stringify(pod(index)) })));
      await drive(connected[side], 8, all.map((index) => ({ method: "PATCH", path: `${POD_LIST}/${pod(index).metadata.name}/status`, type: "application/strategic-merge-patch+json", body: JSON.stringify(podStatus(index)) })));
    }
    const variants: Record<string, Call> = {
      "list of 1,000 pods": { method: "GET", path: POD_LIST },
      "list of 1,000 pods, resourceVersion 0": { method: "GET", path: `${POD_LIST}?resourceVersion=0` },
      "list of 1,000 pods, gzip": { method: "GET", path: POD_LIST, gzip: true },
      "list of 1,000 pods, by label": { method: "GET", path: `${POD_LIST}?labelSelector=app%3Dapp-7` },
    };
    for (const [name, call] of Object.entries(variants)) {
      const calls = Array.from({ length: LISTS }, () => call);
      const cost = {} as Record<keyof Pair, Cost>;
      for (const side of ["theirs", "ours"] as const) {
        const [first] = await drive(connected[side], 1, [call, call]);
        console.error(`${side}: ${name}: ${first?.bytes} bytes`);
        await quiet({ ours, theirs }[side]);
        cost[side] = await costOf({ ours, theirs }[side], connected[side], 1, calls);
      }
      rows.push(...compare(name, cost.ours, cost.theirs, LIST_BAR, "list"));
    }
  } finally {
    close(connected);
  }
  return rows;
}

/** 200 watches of one resource, and updates of one object in it: as fast as they go, and with a pause after each. */
export async function watches({ ours, theirs }: Pair): Promise<Row[]> {
  const rows: Row[] = [];
  for (const pace of [0, PACE_MS]) {
    const cost = {} as Record<keyof Pair, Cost>;
    for (const side of ["theirs", "ours"] as const) cost[side] = await fanOut({ ours, theirs }[side], pace);
    rows.push(...compare(`event to 200 watches, ${pace === 0 ? "back to back" : `each ${pace} ms`}`, cost.ours, cost.theirs, LIST_BAR, "watcher's event"));
  }
  return rows;
}

async function fanOut(server: Server, pace: number): Promise<Cost> {
  const [writer, ...readers] = (await connect(server, 1 + WATCH_CONNECTIONS)) as [Connection, ...Connection[]];
  const name = `watched-${pace}`;
  try {
    await drive([writer], 1, WORLD).catch(ifThere);
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
      // From the moment at which the writer knows.
      const patch = JSON.stringify({ data: { value: String(index), more: "x".repeat(280) } });
      await writer.call({ method: "PATCH", path: `${CONFIG_MAPS}/${name}`, type: "application/merge-patch+json", body: patch });
    };
    for (let index = 0; index < WARM_UP_UPDATES; index++) {
      started[index] = nowMs();
      await update(index);
    }
    await quiet(server);
    const before = server.cpu();
    for (let index = WARM_UP_UPDATES; index < WARM_UP_UPDATES + UPDATES; index++) {
      started[index] = nowMs();
      await update(index);
      if (pace > 0) await Bun.sleep(pace);
    }
    await every;
    const cpu = server.cpu() - before;
    return { cpuUs: (cpu * 1000) / (UPDATES * WATCH_CONNECTIONS * WATCHES_PER_CONNECTION), p50: quantile(waited, 0.5), p99: quantile(waited, 0.99) };
  } finally {
    for (const connection of [writer, ...readers]) connection.close();
  }
}

const WARM_UP_UPDATES = 100;

function connect(server: Server, count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => Connection.open(server.access)));
}

async function both<Made>({ ours, theirs }: Pair, make: (server: Server) => Promise<Made>): Promise<Record<keyof Pair, Made>> {
  return { ours: await make(ours), theirs: await make(theirs) };
}

function close({ ours, theirs }: Record<keyof Pair, Connection[]>): void {
  for (const connection of [...ours, ...theirs]) connection.close();
}

/** Another scenario on the same servers may have made it. */
function ifThere(error: unknown): void {
  if (!/: 409 /.test(String(error))) throw error;
}
