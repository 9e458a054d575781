import { expect, test } from "bun:test";
import { FakeClock } from "../../base/index.ts";
import { GatewayNames } from "./gateway-names.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));

test("names are looked up again when their time is over, keep their addresses while nobody answers, and are forgotten", async () => {
  const clock = new FakeClock();
  const asked: string[] = [];
  let answer: readonly string[] | undefined = ["203.0.113.2", "203.0.113.1"];
  const changes: Record<string, readonly string[]>[] = [];
  const names = new GatewayNames(
    async (name) => {
      asked.push(name);
      if (!answer) throw new Error("no answer");
      return { addresses: answer, ttl: 1 };
    },
    clock,
    (addresses) => changes.push(Object.fromEntries(addresses)),
  );
  names.watch(new Set(["gw.example.com", "198.51.100.1"]));
  await settle();
  expect(changes).toEqual([{ "gw.example.com": ["203.0.113.1", "203.0.113.2"] }]);
  clock.advance(29_999);
  await settle();
  expect(asked.length).toBe(1);
  answer = undefined;
  clock.advance(1);
  await settle();
  answer = ["203.0.113.9"];
  clock.advance(30_000);
  await settle();
  expect([asked.length, changes.length, changes.at(-1)]).toEqual([3, 2, { "gw.example.com": ["203.0.113.9"] }]);
  names.watch(new Set());
  clock.advance(3_600_000);
  await settle();
  expect(asked.length).toBe(3);
});
