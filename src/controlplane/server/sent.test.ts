import { expect, test } from "bun:test";
import { joinLists } from "../xds/joined-list.ts";
import type { XdsResource } from "../xds/types.ts";
import { missingFrom, SentVersions } from "./sent.ts";

test("between lists that have parts in common only what differs is told", () => {
  const services = [resource("a"), resource("b"), resource("c")];
  const own = [resource("in")];
  const sent = new SentVersions();
  const before = joinLists([services, own]);
  sent.adopt(before);
  expect(sent.differenceTo(joinLists([services, own]))).toEqual({ changed: [], removed: [] });
  const b2 = resource("b", "2");
  expect(sent.differenceTo(joinLists([[services[0]!, b2], own]))).toEqual({ changed: [b2], removed: ["c"] });
  // From one part into the other it is neither gone nor new.
  expect(sent.differenceTo(joinLists([services.slice(0, 2), [services[2]!, ...own]]))).toEqual({ changed: [], removed: [] });
  expect(sent.differenceTo([...services, resource("d")])).toEqual({ changed: [resource("d")], removed: ["in"] });
  sent.set("a", "9");
  sent.delete("in");
  expect(sent.differenceTo(before).changed.map(({ name }) => name)).toEqual(["a", "in"]);
  expect(sent.get("c")).toBe("1");
});

test("names that nothing stands for, of short lists and of long ones", () => {
  const names = Array.from({ length: 50 }, (_, index) => `n${index}`);
  const all = names.map((name) => resource(name));
  expect(missingFrom(names.slice(0, 3), all.slice(1))).toEqual(["n0"]);
  const list = joinLists([all.slice(0, 20), all.slice(21)]);
  expect([missingFrom(names, list), missingFrom(names, list), missingFrom([...names, "x"], list)]).toEqual([["n20"], ["n20"], ["n20", "x"]]);
});

function resource(name: string, version = "1"): XdsResource {
  return { name, typeUrl: "type", version, value: new TextEncoder().encode(name + version) };
}
