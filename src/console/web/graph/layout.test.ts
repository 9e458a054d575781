import { describe, expect, test } from "bun:test";
import { assignLayers } from "./layers.ts";
import { type LayoutEdge, type LayoutNode, layout } from "./layout.ts";

const node = (id: string, box: string | undefined = "a"): LayoutNode => ({ id, width: 140, height: 58, box });
const edge = (source: string, target: string): LayoutEdge => ({ id: `${source} > ${target}`, source, target });

describe("layers", () => {
  test("callers stand before those they call, beside them where nobody calls the caller", () => {
    // 0 → 1 → 2 → 3, and 4 → 3 whose caller nobody calls.
    expect(
      assignLayers({
        count: 6,
        edges: [
          [0, 1],
          [1, 2],
          [2, 3],
          [4, 3],
        ],
      }),
    ).toEqual([0, 1, 2, 3, 2, -1]);
  });

  test("a cycle is broken once and a chain of thousands overflows nothing", () => {
    const layers = assignLayers({
      count: 3,
      edges: [
        [0, 1],
        [1, 2],
        [2, 0],
      ],
    });
    expect(layers.toSorted()).toEqual([0, 1, 2]);
    const chain = Array.from({ length: 5_000 }, (_, i): [number, number] => [i, i + 1]);
    expect(assignLayers({ count: 5_001, edges: chain }).at(-1)).toBe(5_000);
  });
});

describe("layout", () => {
  const nodes = [node("gateway", "istio"), node("web"), node("rec"), node("hist"), node("idle"), node("sleep", "default")];
  const edges = [edge("gateway", "web"), edge("web", "rec"), edge("rec", "hist"), edge("sleep", "web")];

  test("flows to the right, or down, and a chain is straight", () => {
    const right = layout(nodes, edges, "RIGHT").nodes;
    for (const { source, target } of edges) expect(right.get(target)!.x).toBeGreaterThan(right.get(source)!.x + 140);
    expect(right.get("rec")!.y).toBeCloseTo(right.get("web")!.y, 0);
    const down = layout(nodes, edges, "DOWN").nodes;
    for (const { source, target } of edges) expect(down.get(target)!.y).toBeGreaterThan(down.get(source)!.y + 58);
  });

  test("the order in which nodes and edges come does not matter", () => {
    expect(layout(nodes.toReversed(), edges.toReversed(), "RIGHT")).toEqual(layout(nodes, edges, "RIGHT"));
  });

  test("an edge over several layers bends around what stands between", () => {
    const { bends } = layout(nodes, [...edges, edge("web", "hist")], "RIGHT");
    expect(Math.abs(bends.get("web > hist")!)).toBeGreaterThan(60);
    expect(bends.has("web > rec")).toBe(false);
  });

  test("500 nodes in four boxes: no node on another, no box in another", () => {
    let state = 7;
    const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
    const many = Array.from({ length: 500 }, (_, i) => node(`n${i}`, i % 50 === 0 ? undefined : `ns${i % 4}`));
    const flows = Array.from({ length: 2_000 }, () => {
      const from = Math.floor(random() * 350);
      return edge(`n${from}`, `n${from + 1 + Math.floor(random() * 149)}`);
    });
    const placed = layout(many, flows, "RIGHT").nodes;
    const boxes = new Map<string, [number, number, number, number]>();
    for (const { id, box } of many) {
      const { x, y } = placed.get(id)!;
      const key = box ?? id;
      const b = boxes.get(key) ?? [Infinity, Infinity, -Infinity, -Infinity];
      boxes.set(key, [Math.min(b[0], x - 70), Math.min(b[1], y - 29), Math.max(b[2], x + 70), Math.max(b[3], y + 29)]);
    }
    const overlap = (a: number[], b: number[]) => a[0]! < b[2]! && b[0]! < a[2]! && a[1]! < b[3]! && b[1]! < a[3]!;
    const all = [...boxes.values()];
    expect(all.flatMap((a, i) => all.slice(i + 1).filter((b) => overlap(a, b)))).toEqual([]);
    const spots = [...placed.values()].sort((a, b) => a.x - b.x || a.y - b.y);
    expect(spots.filter((p, i) => i > 0 && p.x === spots[i - 1]!.x && p.y - spots[i - 1]!.y < 58)).toEqual([]);
  });
});
