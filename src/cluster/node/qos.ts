import type { PodSpec, ResourceRequirements } from "../../resources/index.ts";
import { parseQuantity } from "./quantity.ts";

const COMPUTE = ["cpu", "memory"] as const;

/** The quality-of-service class by Kubernetes' rules: all limits equal to requests, some of either, or none. */
export function qosClass(spec: PodSpec): "Guaranteed" | "Burstable" | "BestEffort" {
  const resources = [...(spec.initContainers ?? []), ...spec.containers].map((c) => c.resources ?? {});
  if (!resources.some((r) => COMPUTE.some((name) => positive(r.limits?.[name]) || positive(r.requests?.[name])))) return "BestEffort";
  return resources.every(isGuaranteed) ? "Guaranteed" : "Burstable";
}

function isGuaranteed(resources: ResourceRequirements): boolean {
  return COMPUTE.every((name) => {
    const limit = resources.limits?.[name];
    const request = resources.requests?.[name] ?? limit;
    return positive(limit) && request !== undefined && limit !== undefined && parseQuantity(request) === parseQuantity(limit);
  });
}

function positive(quantity: string | number | undefined): boolean {
  return quantity !== undefined && (parseQuantity(quantity) ?? 0) > 0;
}
