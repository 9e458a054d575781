import { afterEach, expect, test } from "bun:test";
import { createLogger, FakeClock } from "../../base/index.ts";
import type { KubeObject } from "../../resources/types.ts";
import { FakeApi } from "../testing/fake-api.ts";
import { followLeadership, type Leadership } from "./leadership.ts";

const LEASE = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/istio-leader-default";
const log = createLogger("test", { level: "none" });
const running: Leadership[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

async function start(api: FakeApi, clock: FakeClock, identity: string, replicas: () => number = () => 2): Promise<Leadership> {
  const one = followLeadership({ client: api.client, namespace: "istio-system", revision: "default", identity, replicas, clock, log });
  running.push(one);
  await one.settled;
  return one;
}

const settle = (): Promise<void> => Bun.sleep(5);
const holder = (api: FakeApi): unknown => (api.at(LEASE) as KubeObject<{ holderIdentity?: string }> | undefined)?.spec?.holderIdentity;

/** Time in steps of a renewal, each with its answers. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5_000) {
    clock.advance(Math.min(5_000, left));
    await settle();
  }
}

test("who is alone leads without a lease", async () => {
  const api = new FakeApi();
  const clock = new FakeClock(1);
  const one = await start(api, clock, "a", () => 1);
  expect(one.leads()).toBe(true);
  await pass(clock, 60_000);
  expect(api.requests).toEqual([]);
});

test("one of two leads, and goes on leading", async () => {
  const api = new FakeApi();
  const clock = new FakeClock(1);
  const [a, b] = [await start(api, clock, "a"), await start(api, clock, "b")];
  expect([a.leads(), b.leads()]).toEqual([true, false]);
  await pass(clock, 120_000);
  expect([a.leads(), b.leads()]).toEqual([true, false]);
  expect(holder(api)).toBe("a");
});

test("who ends lets go, and the other takes over at its next look", async () => {
  const api = new FakeApi();
  const clock = new FakeClock(1);
  const [a, b] = [await start(api, clock, "a"), await start(api, clock, "b")];
  const heard: boolean[] = [];
  b.onChange((leads) => heard.push(leads));
  await a.stop();
  expect(holder(api)).toBe("");
  await pass(clock, 5_000);
  expect(b.leads()).toBe(true);
  expect(heard).toEqual([true]);
});

test("a leader that is cut off ceases to lead before another begins", async () => {
  const api = new FakeApi();
  const clock = new FakeClock(1);
  const a = await start(api, clock, "a");
  api.fail = () => 500;
  await pass(clock, 5_000);
  expect(a.leads()).toBe(true);
  await pass(clock, 10_000);
  expect(a.leads()).toBe(false);
  api.fail = () => undefined;
  const b = await start(api, new FakeClock(1), "b");
  expect(b.leads()).toBe(false);
});

test("a dead leader's lease runs out by the watcher's clock, however wrong the other's was", async () => {
  const api = new FakeApi();
  const clock = new FakeClock(1);
  const renewTime = "2099-01-01T00:00:00.000000Z";
  api.put(LEASE.slice(0, LEASE.lastIndexOf("/")), {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "istio-leader-default", namespace: "istio-system" },
    spec: { holderIdentity: "dead", leaseDurationSeconds: 15, renewTime },
  } as KubeObject);
  const b = await start(api, clock, "b");
  await pass(clock, 10_000);
  expect(b.leads()).toBe(false);
  await pass(clock, 10_000);
  expect(b.leads()).toBe(true);
  expect(api.at(LEASE)).toMatchObject({ spec: { holderIdentity: "b", leaseTransitions: 1 } });
});

test("a container that comes back in its pod leads on, and two that start at once do not both lead", async () => {
  const api = new FakeApi();
  await start(api, new FakeClock(1), "a");
  expect((await start(api, new FakeClock(1), "a")).leads()).toBe(true);
  const fresh = new FakeApi();
  const both = await Promise.all([start(fresh, new FakeClock(1), "x"), start(fresh, new FakeClock(1), "y")]);
  expect(both.filter((one) => one.leads())).toHaveLength(1);
});

test("a second replica makes the first one ask for the lease", async () => {
  const api = new FakeApi();
  const clock = new FakeClock(1);
  let replicas = 1;
  const a = await start(api, clock, "a", () => replicas);
  replicas = 2;
  await pass(clock, 5_000);
  expect(a.leads()).toBe(true);
  expect(holder(api)).toBe("a");
});
