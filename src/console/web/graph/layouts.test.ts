import { expect, test } from "bun:test";
import type { LayoutNode } from "./layout.ts";
import { arrange } from "./layouts.ts";

const nodes: LayoutNode[] = Array.from({ length: 23 }, (_, i) => ({
  id: `n${String(i).padStart(2, "0")}`,
  width: 132 + (i % 3) * 40,
  height: 58,
  box: i % 4 === 0 ? undefined : `ns${i % 4}`,
}));

test.each(["GRID", "CIRCLE"] as const)("%s: every node has a place, none stands on another, whatever the order", (name) => {
  const { nodes: places } = arrange(nodes, [], name);
  expect(places.size).toBe(nodes.length);
  expect([...arrange(nodes.toReversed(), [], name).nodes].sort()).toEqual([...places].sort());
  for (const a of nodes) {
    for (const b of nodes) {
      if (a === b) continue;
      const [p, q] = [places.get(a.id)!, places.get(b.id)!];
      const apart = Math.abs(p.x - q.x) >= (a.width + b.width) / 2 || Math.abs(p.y - q.y) >= (a.height + b.height) / 2;
      if (!apart) throw new Error(`${name}: ${a.id} and ${b.id} overlap`);
    }
  }
});

test("along the flow is the layout that it was", () => {
  const edge = { id: "e", source: "n01", target: "n02" };
  const { nodes: places } = arrange(nodes.slice(1, 3), [edge], "RIGHT");
  expect(places.get("n02")!.x).toBeGreaterThan(places.get("n01")!.x);
});
