import { describe, expect, test } from "bun:test";
import type { RegistryChange } from "../registry/types.ts";
import { Deliveries, Distribution } from "./distribution.ts";

const change = (...keys: string[]): RegistryChange => ({
  kinds: new Set(["PeerAuthentication"]),
  keys: new Set(keys),
  endpoints: new Set(),
  identities: new Set(),
});
const KEY = "PeerAuthentication/istio-system/default";

describe("a change's way to the proxies", () => {
  test("is over when the last has answered; who gets nothing, who is gone and who refuses is told apart", () => {
    let now = 1_000;
    const distribution = new Distribution(() => now);
    const proxies = ["a", "b", "c", "d"].map((id) => new Deliveries(() => id));
    const delivery = distribution.begin(change(KEY), proxies.length)!;
    proxies.forEach((proxy) => proxy.add(delivery));
    const [a, b, c, d] = proxies as [Deliveries, Deliveries, Deliveries, Deliveries];
    a.pushed(a.take(), ["n1", "n2"]);
    b.pushed(b.take(), []);
    c.pushed(c.take(), ["n3"]);
    now = 1_007;
    a.answered("n1", undefined);
    d.closed();
    expect(distribution.changes(KEY)[0]).toMatchObject({ proxies: 3, applied: 0, unaffected: 1, waiting: 2, milliseconds: undefined });
    c.answered("n3", "bad listener");
    now = 1_018;
    a.answered("n2", undefined);
    expect(distribution.changes(KEY)[0]).toEqual({
      at: 1_000,
      keys: [KEY],
      proxies: 3,
      applied: 1,
      unaffected: 1,
      refused: [{ proxy: "c", error: "bad listener" }],
      waiting: 0,
      milliseconds: 18,
    });
    // An answer that comes twice counts once.
    a.answered("n2", undefined);
    expect(distribution.changes(KEY)[0]!.applied).toBe(1);
  });

  test("changes that one push carries end together; a later one waits for its own", () => {
    const distribution = new Distribution(() => 0);
    const proxy = new Deliveries(() => "a");
    proxy.add(distribution.begin(change("a/b/c"), 1)!);
    proxy.add(distribution.begin(change("a/b/d"), 1)!);
    const taken = proxy.take();
    proxy.add(distribution.begin(change("a/b/e"), 1)!);
    proxy.pushed(taken, ["n1"]);
    proxy.answered("n1", undefined);
    expect(distribution.changes().map(({ keys, waiting }) => [keys[0], waiting])).toEqual([
      ["a/b/e", 1],
      ["a/b/d", 0],
      ["a/b/c", 0],
    ]);
  });

  test("endpoints are no change of configuration; without proxies it is in force at once; only the last are kept", () => {
    const distribution = new Distribution(() => 5);
    expect(distribution.begin(change(), 3)).toBeUndefined();
    distribution.begin(change("a/b/c"), 0);
    expect(distribution.changes()[0]).toMatchObject({ proxies: 0, waiting: 0, milliseconds: 0 });
    for (let i = 0; i < 300; i++) distribution.begin(change(`a/b/${i}`), 1);
    expect([distribution.changes().length, distribution.changes()[0]!.keys]).toEqual([100, ["a/b/299"]]);
  });
});
