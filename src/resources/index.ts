/**
 * resources says what every kind is: types, schemas, defaults, validation, printer columns, for Kubernetes' core and for Istio.
 * It is data and pure functions: the API server, kubectl's tables, OpenAPI, patches and the control plane all read the same.
 * It knows nothing of storage, HTTP or processes.
 */
export * from "./types.ts";
export type * from "./core.ts";
export type * from "./istio.ts";
