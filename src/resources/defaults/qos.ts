import type { PodSpec, PodStatus } from "../core.ts";
import { parseQuantity } from "./quantity.ts";

/**
 * Guaranteed where every container's cpu and memory limits equal its requests, BestEffort where no container names any,
 * Burstable between. https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
 */
export function qosClass(spec: PodSpec): NonNullable<PodStatus["qosClass"]> {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const nanos = (value: unknown) => (value === undefined ? 0n : (parseQuantity(String(value))?.nanos ?? 0n));
  let any = false;
  let guaranteed = containers.length > 0;
  for (const { resources } of containers) {
    for (const name of ["cpu", "memory"]) {
      const limit = nanos(resources?.limits?.[name]);
      const request = resources?.requests?.[name] === undefined ? limit : nanos(resources.requests[name]);
      if (limit > 0n || request > 0n) any = true;
      if (limit === 0n || limit !== request) guaranteed = false;
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}
