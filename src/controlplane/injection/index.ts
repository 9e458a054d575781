/**
 * injection answers the API server's webhook for new pods: whether a pod gets a sidecar, and the patch that adds it.
 * The result is Istio's pod: containers, environment, probes, volumes, labels and annotations, changed by the same annotations and values.
 * It is pure functions over a pod and what the installation says; the server room brings requests and takes answers.
 */
export { parseReview, reviewOf, type AdmissionAnswer, type AdmissionRequest } from "./admission.ts";
export { parseTemplates, type CustomTemplates } from "./custom-templates.ts";
export { InjectionError } from "./errors.ts";
export { injectSidecar } from "./inject.ts";
export { injectionRequired, SYSTEM_NAMESPACES } from "./policy.ts";
export type { InjectionContext } from "./settings.ts";
export { defaultValues, parseValues, type InjectionValues } from "./values.ts";
export { createInjector } from "./webhook.ts";
