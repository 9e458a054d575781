import { expect, test } from "bun:test";
import type { Leadership } from "./leadership.ts";
import { whileLeading } from "./while-leading.ts";

test("runs while this istiod leads, anew each time, and not after the end", () => {
  const listeners = new Set<(leads: boolean) => void>();
  const leadership: Leadership = {
    leads: () => true,
    onChange: (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    stop: async () => {},
  };
  const told: string[] = [];
  let runs = 0;
  const writer = whileLeading(leadership, () => {
    const run = ++runs;
    told.push(`start ${run}`);
    return { stop: () => void told.push(`stop ${run}`) };
  });
  const tell = (leads: boolean): void => {
    for (const listener of listeners) listener(leads);
  };
  tell(true);
  tell(false);
  tell(false);
  tell(true);
  expect(writer.current()).toBeDefined();
  writer.stop();
  tell(true);
  expect(told).toEqual(["start 1", "stop 1", "start 2", "stop 2"]);
  expect(writer.current()).toBeUndefined();
});
