import type { Clock } from "../../base/index.ts";
import { type Graph, type GraphQuery, type GraphResults, type GraphType, type QueryClient, buildGraph, graphQueries } from "../../telemetry/index.ts";
import type { MeshView } from "./mesh-view.ts";

export interface GraphRequest {
  /** Empty: the namespaces of the mesh. */
  namespaces: string[];
  graphType: GraphType;
  durationSeconds: number;
  injectServiceNodes: boolean;
  responseTimes: boolean;
  throughput: boolean;
  /** Unix seconds: the graph as it was then; now where it is left away. */
  at?: number;
}

/** The store scrapes once a second: a graph asked for again within that time is the same one. */
const FRESH_MS = 900;
/** Different questions kept at once; pages and scripts ask few. */
const MAX_KEPT = 16;

/** Graphs from the metrics store, each question asked once however many ask it at the same time. */
export class GraphService {
  readonly #kept = new Map<string, { at: number; graph: Promise<Graph> }>();

  constructor(
    private readonly queries: QueryClient,
    private readonly mesh: MeshView,
    private readonly clock: Clock,
  ) {}

  namespacesOf(request: GraphRequest): string[] {
    return request.namespaces.length > 0 ? request.namespaces : this.mesh.meshNamespaces();
  }

  /** Edges of namespaces that were not asked for are left out. The graph is shared: never change it. */
  load(asked: GraphRequest): Promise<Graph> {
    const request = { ...asked, namespaces: this.namespacesOf(asked).toSorted() };
    const key = JSON.stringify(request);
    const known = this.#kept.get(key);
    if (known && this.clock.now() - known.at < FRESH_MS) return known.graph;
    const graph = loadGraph(request, this.queries, this.mesh);
    this.#kept.delete(key);
    this.#kept.set(key, { at: this.clock.now(), graph });
    // A failure is nobody's graph: the next one to ask tries anew.
    graph.catch(() => this.#kept.get(key)?.graph === graph && this.#kept.delete(key));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    return graph;
  }
}

async function loadGraph(request: GraphRequest, queries: QueryClient, mesh: MeshView): Promise<Graph> {
  const asked = graphQueries(request.namespaces, request.durationSeconds, request);
  const results: GraphResults = {};
  await Promise.all(asked.map(async ({ name, query }: GraphQuery) => (results[name] = await queries.instant(query, request.at))));
  const wanted = new Set(request.namespaces);
  // Refusals are asked for once for the whole mesh; their pods say where they belong.
  results.refused = results.refused?.filter((sample) => wanted.has(sample.labels.namespace ?? ""));
  return buildGraph(results, {
    graphType: request.graphType,
    injectServiceNodes: request.injectServiceNodes,
    workloadByIp: mesh.workloadByIp,
    workloadByPod: mesh.workloadByPod,
  });
}
