import type { Graph, GraphNode } from "../../telemetry/index.ts";
import { ROOT_NAMESPACE } from "../server/mesh-view.ts";
import { graphRequest } from "./graph-request.ts";
import { type KialiGraph, toKialiGraph } from "./kiali-graph.ts";
import { meshState, workloadStates } from "./mesh-state.ts";
import { type ApiContext, ApiProblem, type ApiRequest, type Route, param, queryList } from "./router.ts";
import { type Traits, meshTraits } from "./traits.ts";

/** The graph as the console's own page takes it. */
export interface GraphAnswer {
  durationSeconds: number;
  namespaces: string[];
  graph: Graph;
}

/** What objects say of nodes changes with the objects alone; asking now and then keeps the copies of their kinds. */
const TRAITS_EVERY_MS = 60_000;
/** The metrics store scrapes once a second: asking more often would show nothing new. */
const GRAPH_EVERY_MS = 1_000;

export const GRAPH_ROUTES: Route[] = [
  { pattern: "/state", liveMs: 0, answer: (_, { mesh }) => meshState(mesh) },
  { pattern: "/graph/traits", liveMs: TRAITS_EVERY_MS, answer: (_, { mesh }): Promise<Traits> => meshTraits(mesh) },
  {
    pattern: "/graph",
    liveMs: GRAPH_EVERY_MS,
    async answer({ query }, { graphs, clock }): Promise<GraphAnswer> {
      const request = { ...graphRequest(query, clock.now()), responseTimes: true, throughput: query.get("throughput") === "true" };
      return { durationSeconds: request.durationSeconds, namespaces: graphs.namespacesOf(request), graph: await graphs.load(request) };
    },
  },
  {
    pattern: "/graph/near",
    liveMs: GRAPH_EVERY_MS,
    async answer({ query }, { graphs, clock }): Promise<GraphAnswer> {
      const [namespace, kind, name] = [query.get("namespace") ?? "", query.get("kind") ?? "workload", query.get("name") ?? ""];
      const request = {
        ...graphRequest(query, clock.now()),
        namespaces: [namespace],
        graphType: kind === "service" ? ("service" as const) : kind === "app" ? ("app" as const) : ("workload" as const),
        responseTimes: true,
        throughput: true,
      };
      const node = (n: GraphNode) =>
        n.namespace === namespace && (kind === "namespace" || n[kind === "service" || kind === "app" ? kind : "workload"] === name);
      return { durationSeconds: request.durationSeconds, namespaces: [namespace], graph: near(await graphs.load(request), node) };
    },
  },
  {
    pattern: "/namespaces/graph",
    answer(request, context) {
      if (queryList(request.query, "namespaces").length === 0) throw new ApiProblem(400, "query parameter 'namespaces' is required");
      return kialiGraph(request, context, queryList(request.query, "namespaces"));
    },
  },
  ...(["workloads", "services", "applications", "apps"] as const).flatMap((kind): Route[] => [
    {
      pattern: `/namespaces/:namespace/${kind}/:name/graph`,
      answer(request, context) {
        const [namespace, name] = [param(request, "namespace"), param(request, "name")];
        const field = kind === "workloads" ? "workload" : kind === "services" ? "service" : "app";
        return kialiGraph(request, context, [namespace], (node) => node.namespace === namespace && node[field] === name);
      },
    },
  ]),
];

async function kialiGraph(
  { query }: ApiRequest,
  { graphs, mesh, clock }: ApiContext,
  namespaces: string[],
  chosen?: (node: GraphNode) => boolean,
): Promise<KialiGraph> {
  const appenders = queryList(query, "appenders");
  // Kiali's default is all appenders.
  const all = !query.has("appenders");
  const request = {
    ...graphRequest(query, clock.now()),
    namespaces,
    responseTimes: all || appenders.includes("responseTime"),
    throughput: all || appenders.includes("throughput"),
  };
  let graph = await graphs.load(request);
  if (chosen) graph = near(graph, chosen);
  // The graph is shared with whoever asks at the same time: what was not asked for is left out of a copy.
  if (!all && !appenders.includes("securityPolicy"))
    graph = { ...graph, edges: graph.edges.map((edge) => ({ ...edge, mtls: undefined, sourcePrincipals: [], destinationPrincipals: [] })) };
  const appended = (name: string) => all || appenders.includes(name);
  const states = workloadStates(mesh);
  const gateways = new Set(states.flatMap((w) => (w.gateway ? [`${w.namespace}/${w.workload}`] : [])));
  const outside = new Set(states.flatMap((w) => (w.sidecar ? [] : [`${w.namespace}/${w.workload}`])));
  const traits = ["labeler", "istio", "serviceEntry", "workloadEntry"].some(appended) ? await meshTraits(mesh) : undefined;
  return toKialiGraph(graph, {
    timestamp: request.at ?? Math.floor(clock.now() / 1000),
    durationSeconds: request.durationSeconds,
    graphType: request.graphType,
    boxBy: queryList(query, "boxBy"),
    health: appended("health"),
    rootNamespace: ROOT_NAMESPACE,
    isGateway: (node) => gateways.has(`${node.namespace}/${node.workload}`),
    namespaces,
    traits: traits && {
      of: (node) => traits[node.id],
      labels: appended("labeler"),
      istio: appended("istio"),
      serviceEntry: appended("serviceEntry"),
      workloadEntry: appended("workloadEntry"),
    },
    missingSidecar: appended("meshCheck") || appended("sidecarsCheck") ? (node) => outside.has(`${node.namespace}/${node.workload}`) : () => false,
  });
}

/** The chosen nodes with the edges that touch them and what is at the other end. */
function near(graph: Graph, chosen: (node: GraphNode) => boolean): Graph {
  const ids = new Set(graph.nodes.filter(chosen).map((node) => node.id));
  const edges = graph.edges.filter((edge) => ids.has(edge.source) || ids.has(edge.target));
  const kept = new Set([...ids, ...edges.flatMap((edge) => [edge.source, edge.target])]);
  return { nodes: graph.nodes.filter((node) => kept.has(node.id)), edges };
}
