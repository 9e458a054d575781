import { type Graph, type GraphQuery, type GraphResults, type GraphType, type QueryClient, buildGraph, graphQueries } from "../../telemetry/index.ts";
import type { MeshView } from "./mesh-view.ts";

export interface GraphRequest {
  namespaces: string[];
  graphType: GraphType;
  durationSeconds: number;
  injectServiceNodes: boolean;
  responseTimes: boolean;
  throughput: boolean;
}

/** Asks the metrics store and builds the graph. Edges of namespaces that were not asked for are left out. */
export async function loadGraph(request: GraphRequest, queries: QueryClient, mesh: MeshView): Promise<Graph> {
  const asked = graphQueries(request.namespaces, request.durationSeconds, request);
  const results: GraphResults = {};
  await Promise.all(asked.map(async ({ name, query }: GraphQuery) => (results[name] = await queries.instant(query))));
  const wanted = new Set(request.namespaces);
  // Refusals are asked for once for the whole mesh; their pods say where they belong.
  results.refused = results.refused?.filter((sample) => wanted.has(sample.labels.namespace ?? ""));
  return buildGraph(results, { graphType: request.graphType, injectServiceNodes: request.injectServiceNodes, workloadByIp: mesh.workloadByIp, workloadByPod: mesh.workloadByPod });
}
