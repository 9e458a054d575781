/**
 * resources says what every kind is: types, schemas, defaults, validation, printer columns, for Kubernetes' core and for Istio.
 * It is data and pure functions: the API server, kubectl's tables, OpenAPI, patches and the control plane all read the same.
 * It knows nothing of storage, HTTP or processes.
 */
export * from "./types.ts";
export type * from "./core.ts";
export type * from "./ingress.ts";
export type * from "./istio.ts";
export type * from "./istio-extensions.ts";
export type * from "./storage.ts";
export { builtinResources } from "./builtin/index.ts";
export { zeroTime } from "./schema/dsl.ts";
export { schemaComponent, resolveSchema, referencedComponents, schemaTypeName } from "./schema/index.ts";
export { humanDuration, since, formatLabels, formatSelector } from "./columns/format.ts";
export { summarizePod, type PodSummary } from "./columns/pod.ts";
export { istioCrds } from "./istio-crds/index.ts";
export { compareVersions, definitionFromCrd } from "./crd/definition.ts";
export { jsonPath } from "./crd/json-path.ts";
export { selectorMatches } from "./validation/metadata.ts";
export { claimNameOf, claimNames } from "./claim-names.ts";
export { selectJobPods } from "./defaults/workloads.ts";
export { qosClass } from "./defaults/qos.ts";
export { scaleColumns } from "./columns/workloads.ts";
export { canonicalQuantity, parseQuantity, quantityValue } from "./defaults/quantity.ts";
export { validateIstio, type IstioVerdict } from "./istio-validation/index.ts";
export { invalid as invalidField } from "./validation/field.ts";
