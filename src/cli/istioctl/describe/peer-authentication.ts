import type { KubeObject } from "../../../resources/types.ts";

export interface EffectiveMtls {
  readonly mode: string;
  readonly perPort: ReadonlyMap<number, string>;
  /** Policies that touch the workload. */
  readonly applied: readonly KubeObject[];
}

interface PeerAuthenticationSpec {
  readonly selector?: { readonly matchLabels?: Record<string, string> };
  readonly mtls?: { readonly mode?: string };
  readonly portLevelMtls?: Record<string, { readonly mode?: string }>;
}

/**
 * The mutual TLS mode of a workload: its own policy over its namespace's over the mesh's, the oldest of equals, UNSET
 * inherits; ports only from its own policy. A selector in the root namespace has no effect.
 */
export function effectiveMtls(
  policies: readonly KubeObject[],
  rootNamespace: string,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): EffectiveMtls {
  const spec = (policy: KubeObject): PeerAuthenticationSpec => (policy.spec ?? {}) as PeerAuthenticationSpec;
  const selector = (policy: KubeObject): Record<string, string> => spec(policy).selector?.matchLabels ?? {};
  const selects = (policy: KubeObject): boolean => Object.entries(selector(policy)).every(([key, value]) => labels[key] === value);
  const narrow = (policy: KubeObject): boolean => Object.keys(selector(policy)).length > 0;
  const oldest = [...policies].sort((a, b) => born(a) - born(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
  const mesh = oldest.find((policy) => policy.metadata.namespace === rootNamespace && !narrow(policy));
  const wide = namespace === rootNamespace ? undefined : oldest.find((policy) => policy.metadata.namespace === namespace && !narrow(policy));
  const own = namespace === rootNamespace ? undefined : oldest.find((policy) => policy.metadata.namespace === namespace && narrow(policy) && selects(policy));
  const mode =
    [own, wide, mesh].map((policy) => policy && spec(policy).mtls?.mode).find((candidate) => candidate !== undefined && candidate !== "UNSET") ?? "PERMISSIVE";
  const perPort = new Map(
    Object.entries((own && spec(own).portLevelMtls) ?? {}).map(([port, { mode: portMode }]) => [
      Number(port),
      !portMode || portMode === "UNSET" ? mode : portMode,
    ]),
  );
  const applied = policies.filter((policy) =>
    policy.metadata.namespace === namespace ? selects(policy) : policy.metadata.namespace === rootNamespace && !narrow(policy),
  );
  return { mode, perPort, applied };
}

export function peerAuthenticationText({ mode, perPort, applied }: EffectiveMtls): string {
  let text = `Effective PeerAuthentication:\n   Workload mTLS mode: ${mode}\n`;
  if (perPort.size > 0)
    text += `   Port Level mTLS mode:\n${[...perPort]
      .sort(([a], [b]) => a - b)
      .map(([port, portMode]) => `      ${port}: ${portMode}\n`)
      .join("")}`;
  if (applied.length > 0)
    text += `Applied PeerAuthentication:\n   ${applied.map(({ metadata }) => `${metadata.name}.${metadata.namespace ?? ""}`).join(", ")}\n`;
  return text;
}

function born(policy: KubeObject): number {
  return Date.parse(policy.metadata.creationTimestamp ?? "") || 0;
}
