import { expect, test } from "bun:test";
import { FakeClock, createLogger } from "../../base/index.ts";
import { Hub, type HubMessage } from "./hub.ts";

/** Lets promises that are due settle. */
const settle = async () => {
  for (let i = 0; i < 8; i++) await Promise.resolve();
};

function setUp(everyMs: number) {
  const clock = new FakeClock(1_000);
  const state = { rounds: 0, value: "a" as unknown, failure: undefined as Error | undefined };
  const hub = new Hub(
    (name) =>
      name === "x"
        ? {
            everyMs,
            compute: async () => {
              state.rounds++;
              if (state.failure) throw state.failure;
              return state.value;
            },
          }
        : undefined,
    clock,
    createLogger("test", { level: "none" }),
  );
  const heard: HubMessage[] = [];
  return { clock, state, hub, heard, listen: (message: HubMessage) => void heard.push(message) };
}

test("one round serves all who look, only changes are told, and nobody looking means no work", async () => {
  const { clock, state, hub, heard, listen } = setUp(1_000);
  const ends = [hub.watch("x", listen), hub.watch("x", (message) => listen(message))];
  await settle();
  expect(state.rounds).toBe(1);
  expect(heard).toHaveLength(2);
  clock.advance(1_000);
  await settle();
  expect([state.rounds, heard.length]).toEqual([2, 2]);
  state.value = "b";
  clock.advance(1_000);
  await settle();
  expect(heard.slice(2).map((m) => m.event === "update" && m.data.data)).toEqual(["b", "b"]);
  for (const end of ends) end!();
  clock.advance(60_000);
  await settle();
  expect([state.rounds, hub.size]).toEqual([3, 0]);
});

test("a late one gets the last answer at once; what is not known is not watched", async () => {
  const { state, hub, heard, listen } = setUp(0);
  hub.watch("x", () => {});
  await settle();
  hub.watch("x", listen);
  expect(heard).toHaveLength(1);
  expect(state.rounds).toBe(1);
  expect(hub.watch("y", listen)).toBeUndefined();
});

test("a touch brings a round soon, one for a burst", async () => {
  const { clock, state, hub, heard, listen } = setUp(0);
  hub.watch("x", listen);
  await settle();
  state.value = "b";
  for (let i = 0; i < 5; i++) hub.touch();
  clock.advance(60);
  await settle();
  expect([state.rounds, heard.length]).toEqual([2, 2]);
});

test("a failure is told once, tried again, and its end is told", async () => {
  const { clock, state, hub, heard, listen } = setUp(0);
  state.failure = new Error("down");
  hub.watch("x", listen);
  await settle();
  clock.advance(2_000);
  await settle();
  expect(heard.map((m) => m.event)).toEqual(["problem"]);
  state.failure = undefined;
  clock.advance(2_000);
  await settle();
  expect(heard.map((m) => m.event)).toEqual(["problem", "update"]);
});
