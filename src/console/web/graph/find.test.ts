import { expect, test } from "bun:test";
import type { GraphEdge, GraphNode, Traits } from "../model.ts";
import { matching, parseFind } from "./find.ts";
import { sceneOf, without } from "./scene.ts";

const node = (workload: string, more: Partial<GraphNode> = {}): GraphNode => ({
  id: `workload/shop/${workload}`,
  type: "workload",
  cluster: "c",
  namespace: "shop",
  workload,
  app: workload.replace(/-v\d$/, ""),
  version: "v1",
  ...more,
});
const edge = (from: GraphNode, to: GraphNode, more: Partial<GraphEdge> = {}): GraphEdge => ({
  id: `${from.workload} > ${to.workload}`,
  source: from.id,
  target: to.id,
  traffic: [],
  mtls: 1,
  sourcePrincipals: ["spiffe://cluster.local/ns/shop/sa/web"],
  destinationPrincipals: [],
  refused: [],
  responseTimes: {},
  bytes: undefined,
  ...more,
});
const flow = (rate: number, code = "200") => ({ protocol: "http" as const, code, flags: "-", host: "h", rate });

const [web, cart, mail, quiet] = [node("web"), node("cart-v1"), node("mail", { namespace: "other", id: "workload/other/mail" }), node("quiet")];
const busy = edge(web, cart, { traffic: [flow(9), flow(1, "503")], responseTimes: { p95: 40 } });
const plain = edge(web, mail, { traffic: [flow(30)], mtls: 0 });
const still = edge(cart, mail);
const graph = { nodes: [web, cart, mail, quiet], edges: [busy, plain, still] };
const traits: Traits = { [cart.id]: { labels: { region: "east", "app.kubernetes.io/part-of": "shop" }, features: ["virtualservice", "circuitbreaker"] } };
const scene = sceneOf(graph, undefined, traits, ["shop"]);

/** What an expression finds, by short names. */
function found(text: string): string[] {
  const { match, problem } = parseFind(text);
  if (!match) throw new Error(`${text}: ${problem}`);
  const { nodes, edges } = matching(match, scene);
  return [...[...nodes].map((id) => id.split("/").at(-1)!), ...edges];
}

test.each<[string, string[]]>([
  ["name contains WEB", ["web"]],
  ["web", ["web"]],
  ["name = cart", ["cart-v1"]],
  ["name != cart-v1", ["web", "mail", "quiet"]],
  ["name not contains art", ["web", "mail", "quiet"]],
  ["name !*= art", ["web", "mail", "quiet"]],
  ["wl !startswith c", ["web", "mail", "quiet"]],
  ["ns = other", ["mail"]],
  ["mtls", ["web > cart-v1", "cart-v1 > mail"]],
  ["is mtls", ["web > cart-v1", "cart-v1 > mail"]],
  ["!mtls", ["web > mail"]],
  ["idle", ["quiet"]],
  ["not idle", ["web", "cart-v1", "mail"]],
  ["trafficsource", ["web"]],
  ["outside", ["mail"]],
  ["!traffic", ["cart-v1 > mail"]],
  ["rt > 30 and error >= 10", ["web > cart-v1"]],
  ["rt > 30 and error > 10", []],
  ["http > 50 or name = web", ["web"]],
  ["%httperr >= 10%", ["web > cart-v1"]],
  ["%httptraffic >= 50.0", ["web > mail"]],
  ["httpout = 40", ["web"]],
  ["httpin > 0", ["cart-v1", "mail"]],
  ["httpin = NaN", ["web", "quiet"]],
  ["http != nan", ["web > cart-v1", "web > mail"]],
  ["rank = 1", ["mail"]],
  ["rank <= 2", ["cart-v1", "mail"]],
  ["sp endswith /sa/web and !mtls", ["web > mail"]],
  ["label:region", ["cart-v1"]],
  ["!label:region", ["web", "mail", "quiet"]],
  ["label:region = east", ["cart-v1"]],
  ["label:region != east", ["web", "mail", "quiet"]],
  ["label:app.kubernetes.io/part-of ^= sh", ["cart-v1"]],
  ["vs", ["cart-v1"]],
  ["has cb", ["cart-v1"]],
  ["!faultinjection and ns = shop", ["web", "cart-v1", "quiet"]],
  ["node = workload and wl startswith c or !traffic", ["cart-v1", "cart-v1 > mail"]],
])("%s", (text, expected) => {
  expect(found(text)).toEqual(expected);
});

test("what makes no sense says so", () => {
  expect(parseFind("").match).toBeUndefined();
  for (const wrong of ["colour = red", "rt > fast", "rt contains 3", "two words", "!web", "!label:region = east", "mtls = 3", "rt > NaN", "constructor = 1"])
    expect(parseFind(wrong).problem).toBeString();
});

test("hidden nodes take their edges along, hidden edges the nodes that nothing else led to", () => {
  const names = ({ nodes, edges }: typeof graph) => [...nodes.map((n) => n.workload), ...edges.map((e) => e.id)];
  expect(names(without(graph, new Set([mail.id]), new Set()))).toEqual(["web", "cart-v1", "quiet", "web > cart-v1"]);
  expect(names(without(graph, new Set(), new Set([plain.id, still.id])))).toEqual(["web", "cart-v1", "quiet", "web > cart-v1"]);
});
