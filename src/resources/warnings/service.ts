import type { Service } from "../core.ts";
import type { KubeObject } from "../types.ts";

const OLD_HINTS = "service.kubernetes.io/topology-aware-hints";
const INGRESS_CLASS = "kubernetes.io/ingress.class";

/** Fields of a Service that mean nothing beside the others. */
export function serviceWarnings({ metadata, spec = {} }: Service): string[] {
  const { type, clusterIP, externalName } = spec;
  const own = spec as typeof spec & { loadBalancerIP?: string };
  const warnings: string[] = [];
  if (metadata.annotations?.[OLD_HINTS] !== undefined)
    warnings.push(`annotation ${OLD_HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead`);
  if (type === "ClusterIP" && clusterIP === "None") {
    if (own.loadBalancerIP) warnings.push("spec.loadBalancerIP is ignored for headless services");
    if (spec.externalIPs?.length) warnings.push("spec.externalIPs is ignored for headless services");
    if (spec.sessionAffinity !== "None") warnings.push("spec.SessionAffinity is ignored for headless services");
  }
  if (type === "ExternalName" && spec.externalIPs?.length) warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (type !== "ExternalName" && externalName) warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  return warnings;
}

/** How an Ingress named its class before it had a field for it. */
export function ingressWarnings({ metadata }: KubeObject, old?: KubeObject): string[] {
  return !old && metadata.annotations?.[INGRESS_CLASS] !== undefined
    ? [`annotation ${JSON.stringify(INGRESS_CLASS)} is deprecated, please use 'spec.ingressClassName' instead`]
    : [];
}
