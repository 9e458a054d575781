import { expect, test } from "bun:test";
import type { GraphEdge, GraphNode } from "../model.ts";
import { parseFind } from "./find.ts";

const node: GraphNode = { id: "n", type: "workload", cluster: "c", namespace: "shop", workload: "web-api", app: "web-api" };
const edge: GraphEdge = {
  id: "e", source: "n", target: "m", traffic: [{ protocol: "http", code: "200", flags: "-", host: "h", rate: 9 }, { protocol: "http", code: "503", flags: "UF", host: "h", rate: 1 }], mtls: 1,
  sourcePrincipals: [], destinationPrincipals: [], refused: [], responseTimes: { p95: 40 }, bytes: undefined,
};
const finds = (text: string) => {
  const { match } = parseFind(text);
  return [match!({ node, edges: [edge], mesh: undefined }), match!({ edge, mesh: undefined })];
};

test("conditions on nodes and on edges, alone and joined", () => {
  expect(finds("name contains web")).toEqual([true, false]);
  expect(finds("web")).toEqual([true, false]);
  expect(finds("ns = other")).toEqual([false, false]);
  expect(finds("mtls")).toEqual([false, true]);
  expect(finds("!mtls")).toEqual([false, false]);
  expect(finds("!idle")).toEqual([true, false]);
  expect(finds("rt > 30 and error >= 10")).toEqual([false, true]);
  expect(finds("http > 50 or name = web-api")).toEqual([true, false]);
  expect(finds("%error > 20")).toEqual([false, false]);
  expect(finds("%httperr >= 10%")).toEqual([false, true]);
  expect(finds("httpout = 10")).toEqual([true, false]);
  expect(finds("httpin > 0")).toEqual([false, false]);
  expect(finds("trafficsource")).toEqual([true, false]);
  expect(finds("wl = web-api AND responsetime < 100ms")).toEqual([false, false]);
});

test("what makes no sense says so", () => {
  expect(parseFind("").match).toBeUndefined();
  for (const wrong of ["colour = red", "rt > fast", "rt contains 3", "two words"]) expect(parseFind(wrong).problem).toBeString();
});
