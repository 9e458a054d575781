export * from "./model.ts";
export { type Health, healthOf } from "./health.ts";
export { buildGraph, type BuildOptions, type GraphResults } from "./build.ts";
export { EDGE_LABELS, type GraphQuery, graphQueries } from "./queries.ts";
export { createQueryClient, type QueryClient, type QuerySample } from "./query-client.ts";
