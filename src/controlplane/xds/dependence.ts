import type { MeshConfig } from "../registry/index.ts";
import { metadataText, type ProxyContext } from "./proxy.ts";

/** What of the workload's labels rules can see: nothing where none looks at them, so that all workloads share. */
export function labelsKey({ scope, node, view }: ProxyContext): string {
  // VirtualServices of gateways are not part of a scope, and gateways are few.
  return scope.usesLabels || view.type !== "sidecar" ? JSON.stringify(node.labels) : "";
}

/** What of where the workload runs its endpoints depend on. */
export function placeKey({ scope, node, mesh }: ProxyContext): string {
  if (!scope.usesPlace && !meshUsesPlace(mesh.config)) return "";
  return JSON.stringify([node.locality, node.labels, metadataText(node, "NODE_NAME")]);
}

function meshUsesPlace(mesh: MeshConfig): boolean {
  const { outlierDetection } = (mesh["defaultTrafficPolicy"] ?? {}) as { outlierDetection?: unknown };
  return mesh.localityLbSetting["distribute"] !== undefined || mesh["zoneAwareLbSetting"] !== undefined || outlierDetection !== undefined;
}
