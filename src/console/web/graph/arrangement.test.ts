import { expect, test } from "bun:test";
import type { Graph } from "../model.ts";
import { Arrangement } from "./arrangement.ts";

const graph = (nodes: string[], ...edges: [string, string][]): Graph => ({
  nodes: nodes.map((name) => ({ id: name, type: "workload", cluster: "c", namespace: "shop", workload: name })),
  edges: edges.map(([source, target]) => ({
    id: `${source} > ${target}`,
    source,
    target,
    traffic: [],
    mtls: 1,
    sourcePrincipals: [],
    destinationPrincipals: [],
    refused: [],
    responseTimes: {},
    bytes: undefined,
  })),
});
const arrangement = (...learned: { source: string; target: string }[]) => new Arrangement(learned, () => ({ width: 140, height: 58 }));

test("what goes and comes back stands where it stood, and moves nobody", () => {
  const places = arrangement();
  const before = places.update(graph(["a", "b", "c"], ["a", "b"], ["b", "c"]), "RIGHT");
  expect(places.update(graph(["a", "b"], ["a", "b"]), "RIGHT")).toBe(before);
  expect(places.update(graph(["a", "b", "c"], ["a", "b"], ["b", "c"]), "RIGHT")).toBe(before);
});

test("an edge along the flow moves nothing, one against it and a new node do", () => {
  const places = arrangement();
  const before = places.update(graph(["a", "b", "c"], ["a", "b"], ["b", "c"]), "RIGHT");
  expect(places.update(graph(["a", "b", "c"], ["a", "b"], ["b", "c"], ["a", "c"]), "RIGHT")).toBe(before);
  expect(places.update(graph(["a", "b", "c", "d"], ["a", "b"], ["b", "c"], ["c", "d"]), "RIGHT")).not.toBe(before);
});

test("flows of an earlier visit place a mesh that is idle now", () => {
  const idle = arrangement({ source: "b", target: "a" }, { source: "gone", target: "a" }).update(graph(["a", "b"]), "RIGHT");
  expect(idle.nodes.get("a")!.x).toBeGreaterThan(idle.nodes.get("b")!.x);
});
