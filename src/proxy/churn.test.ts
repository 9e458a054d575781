import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { runClient } from "./test-support/churn/clients.ts";
import { Random } from "./test-support/churn/random.ts";
import { World } from "./test-support/churn/world.ts";

/**
 * Clients of every kind, well-behaved and not, come and go while listeners, certificates, endpoints and policies change.
 * Every request settles, nothing leaks, and no plaintext reaches an application under STRICT. `CHAINMAIL_CHURN=600` goes on
 * for ten minutes from another seed each time, which is printed; `CHAINMAIL_CHURN_SEED` repeats one.
 */
const LONG_S = Number(process.env.CHAINMAIL_CHURN ?? 0);
const SEED = Number(process.env.CHAINMAIL_CHURN_SEED ?? (LONG_S > 0 ? Date.now() % 2 ** 31 : 20_261_124));
/** Of each half of the short run. */
const HALF_MS = LONG_S > 0 ? LONG_S * 500 : 2500;
/** At once: enough to meet each other, on machines of two cores. */
const CLIENTS = 32;
/**
 * Clients come in waves. Bun lets five handshakes on in each turn of its loop and takes the newest first: while there are
 * always newer ones, the oldest wait, here where both ends of both hops share one loop.
 */
const WAVE_MS = 900;
const LULL_MS = 300;
/** A mesh at work changes less often by far. */
const CHANGE_MS = 25;
/** Every time limit of the proxies has passed by then, and idle pools have been swept. */
const SETTLE_MS = 9000;
/** What the second half may leave beyond the first: compiled code and full caches, not what grows with each client. */
const HEAP_GROWTH = 4 * 1024 * 1024;

test(
  "churn",
  async () => {
    if (LONG_S > 0) console.log(`churn: CHAINMAIL_CHURN_SEED=${SEED}`);
    const random = new Random(SEED);
    const before = descriptors();
    const world = await World.start(random);
    const counts = new Map<string, number>();

    await churn(world, random, counts);
    const heap = await settledHeap(world);
    await churn(world, random, counts);
    const grown = (await settledHeap(world)) - heap;

    expect(world.violations).toEqual([]);
    expect([...world.client.faults, ...world.server.faults]).toEqual([]);
    expect(grown).toBeLessThan(HEAP_GROWTH);
    for (const { hosts } of world.client.dataPlane.clusters()) for (const { stats } of hosts) expect(stats.rqActive).toBe(0);
    // With their clusters the pools go, and with these the connections that they kept.
    for (const { name } of world.client.dataPlane.clusters()) world.client.dataPlane.removeCluster(name);
    await until(() => open(world) === 0, 2000);
    for (const proxy of [world.client, world.server]) {
      expect(
        proxy.dataPlane
          .listeners()
          .map((each) => [each.name, each.openConnections])
          .filter(([, open]) => open !== 0),
      ).toEqual([]);
      for (const { name, hosts } of proxy.dataPlane.clusters())
        for (const { stats } of hosts) expect({ name, requests: stats.rqActive }).toEqual({ name, requests: 0 });
    }
    world.stop();
    await Bun.sleep(100);
    expect([world.client.clock.running.size, world.server.clock.running.size]).toEqual([0, 0]);
    await until(() => descriptors() <= before, 2000);
    expect(descriptors()).toBeLessThanOrEqual(before);
    if (LONG_S > 0) console.log(Object.fromEntries(counts));
  },
  LONG_S > 0 ? (LONG_S + 120) * 1000 : 60_000,
);

async function churn(world: World, random: Random, counts: Map<string, number>): Promise<void> {
  const end = Date.now() + HALF_MS;
  const client = async (): Promise<void> => {
    while (Date.now() < end) {
      const phase = (end - Date.now()) % (WAVE_MS + LULL_MS);
      if (phase > WAVE_MS) await Bun.sleep(phase - WAVE_MS);
      const kind = await runClient(world, random);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  };
  const changes = async (): Promise<void> => {
    while (Date.now() < end) {
      await world.change();
      await Bun.sleep(CHANGE_MS);
    }
  };
  await Promise.all([changes(), ...Array.from({ length: CLIENTS }, client)]);
}

/** The heap in use when nothing is under way any more. */
async function settledHeap(world: World): Promise<number> {
  // What pools keep between the two stays open.
  await until(() => open(world) <= pooled(world), SETTLE_MS);
  Bun.gc(true);
  await Bun.sleep(50);
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
}

function open(world: World): number {
  return [world.client, world.server].flatMap((proxy) => proxy.dataPlane.listeners()).reduce((sum, each) => sum + each.openConnections, 0);
}

function pooled(world: World): number {
  return world.client.dataPlane
    .clusters()
    .flatMap(({ hosts }) => hosts)
    .reduce((sum, { stats }) => sum + stats.cxActive, 0);
}

async function until(met: () => boolean, ms: number): Promise<void> {
  for (const end = Date.now() + ms; !met() && Date.now() < end;) await Bun.sleep(20);
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
