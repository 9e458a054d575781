import { expect, test } from "bun:test";
import { LayeredMap } from "./layered-map.ts";

test("a layered map is what a map would be, and earlier ones stay as they were", () => {
  let layered = LayeredMap.empty<string, number>();
  const plain = new Map<string, number>();
  const kept: [LayeredMap<string, number>, Map<string, number>][] = [];
  for (let step = 0; step < 400; step++) {
    const key = `k${(step * 7) % 90}`;
    const value = step % 5 === 0 ? undefined : step;
    if (value === undefined) plain.delete(key);
    else plain.set(key, value);
    layered = layered.with(new Map([[key, value]]));
    if (step % 50 === 0) kept.push([layered, new Map(plain)]);
  }
  for (const [map, expected] of [...kept, [layered, plain] as const]) {
    expect(new Map([...map.entries()].sort())).toEqual(new Map([...expected].sort()));
    for (let index = 0; index < 90; index++) expect(map.get(`k${index}`)).toBe(expected.get(`k${index}`) as number);
  }
});
