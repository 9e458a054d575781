/**
 * What makes a pod's specification wrong, in the real server's words and order: it may have many faults, and all are told.
 * One file a part of the specification; `spec.ts` goes through them as Kubernetes' ValidatePodSpec does.
 * The rules hold for pods and, as far as they can, for the templates of what makes pods.
 */
export { validatePod, validatePodCreate, validatePodSpec, validatePodTemplate } from "./spec.ts";
export { validatePodUpdate } from "./update.ts";
