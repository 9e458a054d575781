import type { ResourceRequirements } from "../../resources/index.ts";
import type { SidecarSettings } from "./settings.ts";

/** The annotations decide alone as soon as one is there; else the installation's values. */
export function proxyResources({ pod, values }: SidecarSettings): ResourceRequirements {
  const read = (name: string): string | undefined => pod.metadata.annotations?.[`sidecar.istio.io/${name}`];
  const group = (cpu: string | undefined, memory: string | undefined): Record<string, string> | undefined =>
    cpu === undefined && memory === undefined ? undefined : { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  const requests = group(read("proxyCPU"), read("proxyMemory"));
  const limits = group(read("proxyCPULimit"), read("proxyMemoryLimit"));
  if (!requests && !limits) return values.global.proxy.resources;
  return { ...(limits ? { limits } : {}), ...(requests ? { requests } : {}) };
}
