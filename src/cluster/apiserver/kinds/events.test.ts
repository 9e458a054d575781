import { expect, test } from "bun:test";
import { FakeClock } from "../../../base/index.ts";
import { Store } from "../../store/index.ts";
import { expireEvents } from "./events.ts";

test("events go an hour after they last happened", async () => {
  const clock = new FakeClock(Date.parse("2026-11-24T06:00:00Z"));
  const store = new Store({ path: ":memory:", clock });
  const event = (name: string, lastTimestamp: string) => ({
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: "default", creationTimestamp: "2026-11-24T05:00:00Z" },
    lastTimestamp,
  });
  await store.put("/events", event("old", "2026-11-24T05:10:00Z"), undefined);
  await store.put("/events", event("new", "2026-11-24T05:50:00Z"), undefined);
  const stop = expireEvents(store, clock);
  clock.advance(9 * 60_000);
  expect(store.count("/events")).toBe(2);
  clock.advance(2 * 60_000);
  await store.settled;
  expect(store.list("/events").map(({ name }) => name)).toEqual(["new"]);
  stop();
  clock.advance(3600_000);
  expect(store.count("/events")).toBe(1);
  store.close();
});
