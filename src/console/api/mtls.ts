import type { KubeObject } from "../../resources/types.ts";
import { type PeerAuthenticationView, type PodView, ROOT_NAMESPACE } from "../server/mesh-view.ts";

/** Kiali's words for a mesh or a namespace. */
export type MtlsStatus =
  | "MTLS_ENABLED"
  | "MTLS_PARTIALLY_ENABLED"
  | "MTLS_NOT_ENABLED"
  | "MTLS_DISABLED"
  | "UNSET"
  | "UNSET_INHERITED_STRICT"
  | "UNSET_INHERITED_PERMISSIVE";

export type MtlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

/** The mode in force somewhere and the policy that decides it, if one does. */
export interface EffectiveMode {
  mode: MtlsMode;
  policy: string | undefined;
}

/** What the mesh-wide policy says, in Kiali's word. */
export function meshStatus(policies: PeerAuthenticationView[]): MtlsStatus {
  switch (meshMode(policies)?.mode) {
    case "STRICT":
      return "MTLS_ENABLED";
    case "PERMISSIVE":
      return "MTLS_PARTIALLY_ENABLED";
    case "DISABLE":
      return "MTLS_DISABLED";
    default:
      return "MTLS_NOT_ENABLED";
  }
}

export function namespaceStatus(namespace: string, policies: PeerAuthenticationView[]): MtlsStatus {
  switch (levelMode(namespace, policies)?.mode) {
    case "STRICT":
      return "MTLS_ENABLED";
    case "PERMISSIVE":
      return "MTLS_PARTIALLY_ENABLED";
    case "DISABLE":
      return "MTLS_DISABLED";
    default:
      return { STRICT: "UNSET_INHERITED_STRICT", PERMISSIVE: "UNSET_INHERITED_PERMISSIVE", DISABLE: "UNSET" }[
        meshMode(policies)?.mode ?? "DISABLE"
      ] as MtlsStatus;
  }
}

/** Workload over namespace over mesh; nothing set means PERMISSIVE. https://istio.io/latest/docs/reference/config/security/peer_authentication/ */
export function effectiveMode(pod: PodView, policies: PeerAuthenticationView[]): EffectiveMode {
  const namespace = pod.metadata.namespace ?? "";
  const workload = policies.filter((p) => p.metadata.namespace === namespace && namespace !== ROOT_NAMESPACE && selects(p, pod.metadata.labels ?? {}));
  return first(workload) ?? levelMode(namespace, policies) ?? meshMode(policies) ?? { mode: "PERMISSIVE", policy: undefined };
}

/** Ports of a workload whose mode differs from the workload's own. */
export function portModes(pod: PodView, policies: PeerAuthenticationView[]): Record<string, string> {
  const policy = policies.filter((p) => p.metadata.namespace === pod.metadata.namespace && selects(p, pod.metadata.labels ?? {})).toSorted(oldestFirst)[0];
  return Object.fromEntries(Object.entries(policy?.spec?.portLevelMtls ?? {}).map(([port, { mode }]) => [port, mode ?? "UNSET"]));
}

export function autoMtlsEnabled(meshConfig: KubeObject | undefined): boolean {
  return !/^enableAutoMtls:\s*false\s*$/m.test(meshText(meshConfig));
}

/** Istio's default where the mesh names none. */
export function trustDomain(meshConfig: KubeObject | undefined): string {
  return /^trustDomain:\s*["']?([^\s"']+)/m.exec(meshText(meshConfig))?.[1] ?? "cluster.local";
}

function meshText(meshConfig: KubeObject | undefined): string {
  return (meshConfig?.data as Record<string, string> | undefined)?.mesh ?? "";
}

function meshMode(policies: PeerAuthenticationView[]): EffectiveMode | undefined {
  return levelMode(ROOT_NAMESPACE, policies);
}

function levelMode(namespace: string, policies: PeerAuthenticationView[]): EffectiveMode | undefined {
  return first(policies.filter((p) => p.metadata.namespace === namespace && !hasSelector(p)));
}

/** The oldest policy wins; one that says UNSET leaves the decision to the next level. */
function first(policies: PeerAuthenticationView[]): EffectiveMode | undefined {
  const policy = policies.toSorted(oldestFirst)[0];
  const mode = policy?.spec?.mtls?.mode;
  return policy && (mode === "STRICT" || mode === "PERMISSIVE" || mode === "DISABLE")
    ? { mode, policy: `${policy.metadata.namespace}/${policy.metadata.name}` }
    : undefined;
}

function oldestFirst(a: KubeObject, b: KubeObject): number {
  const key = (o: KubeObject) => `${o.metadata.creationTimestamp ?? ""} ${o.metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
}

function hasSelector(policy: PeerAuthenticationView): boolean {
  return Object.keys(policy.spec?.selector?.matchLabels ?? {}).length > 0;
}

function selects(policy: PeerAuthenticationView, labels: Record<string, string>): boolean {
  return hasSelector(policy) && Object.entries(policy.spec?.selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value);
}
