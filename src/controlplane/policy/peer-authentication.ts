import type { MutualTlsMode, PeerAuthentication } from "../../resources/index.ts";
import { selects, type MeshEndpoint, type MeshService } from "../registry/index.ts";
import type { Workload } from "./selection.ts";

/** How a port takes connections. */
export type MtlsMode = "DISABLE" | "PERMISSIVE" | "STRICT";

/** The mode of a workload, and of those of its ports that have their own. */
export interface EffectiveMtls {
  readonly mode: MtlsMode;
  readonly ports: ReadonlyMap<number, MtlsMode>;
}

/** Every PeerAuthentication by the level at which it applies; of several at one level the oldest counts. */
export class PeerAuthenticationPolicies {
  /** Itself when any policy turns mutual TLS off, else undefined: nothing else of it matters to clients. */
  readonly disabling: PeerAuthenticationPolicies | undefined;
  readonly #mesh: MtlsMode | undefined;
  readonly #namespaces = new Map<string, MtlsMode>();
  readonly #workloads = new Map<string, PeerAuthentication[]>();

  /** `policies` oldest first. */
  constructor(policies: readonly PeerAuthentication[], rootNamespace: string) {
    const seen = new Set<string>();
    const namespaced: [string, MtlsMode | undefined][] = [];
    let mesh: MtlsMode | undefined;
    for (const policy of policies) {
      const namespace = policy.metadata.namespace ?? "";
      if (hasSelector(policy)) {
        // In the root namespace a selector would reach into all namespaces; Istio ignores such policies.
        if (namespace === rootNamespace) continue;
        const list = this.#workloads.get(namespace);
        if (list) list.push(policy);
        else this.#workloads.set(namespace, [policy]);
        continue;
      }
      if (seen.has(namespace)) continue;
      seen.add(namespace);
      const mode = modeOf(policy.spec?.mtls);
      if (namespace === rootNamespace) mesh = mode ?? "PERMISSIVE";
      else namespaced.push([namespace, mode]);
    }
    this.#mesh = mesh;
    for (const [namespace, mode] of namespaced) this.#namespaces.set(namespace, mode ?? mesh ?? "PERMISSIVE");
    this.disabling = policies.some(turnsOff) ? this : undefined;
  }

  /** The mode that namespace and mesh give, which is all that clients of a service go by. */
  namespaceMode(namespace: string): MtlsMode {
    return this.#namespaces.get(namespace) ?? this.#mesh ?? "PERMISSIVE";
  }

  /** The oldest selecting policy over the namespace's over the mesh's; ports only from the first. */
  effective(workload: Workload): EffectiveMtls {
    const policy = this.#workloads.get(workload.namespace)?.find(({ spec }) => selects(spec?.selector?.matchLabels, workload.labels));
    const mode = modeOf(policy?.spec?.mtls) ?? this.namespaceMode(workload.namespace);
    const ports = new Map<number, MtlsMode>();
    for (const [port, mtls] of Object.entries(policy?.spec?.portLevelMtls ?? {})) ports.set(Number(port), modeOf(mtls) ?? mode);
    return { mode, ports };
  }

  /** Whether servers behind an endpoint take mutual TLS: its sidecar does, and no policy for its port turns it off. */
  endpointTakesMtls(endpoint: MeshEndpoint): boolean {
    if (endpoint.tlsMode !== "istio") return false;
    return modeForPort(this.effective({ namespace: endpoint.namespace, labels: endpoint.labels }), endpoint.port) !== "DISABLE";
  }

  /**
   * The mode that clients assume of a service's port when no DestinationRule says: undefined outside the mesh. Where
   * connections go to addresses that the application chose, one endpoint without a sidecar means none gets TLS.
   */
  inferServiceMode(service: MeshService, passthrough: boolean, endpointsOfPort: () => readonly MeshEndpoint[]): MtlsMode | undefined {
    if (service.meshExternal) return undefined;
    if (service.resolution === "Passthrough" || passthrough) {
      const endpoints = endpointsOfPort();
      if (endpoints.length === 0 || endpoints.some((endpoint) => endpoint.tlsMode === "disabled")) return "DISABLE";
    }
    return this.namespaceMode(service.namespace);
  }
}

/** The mode of one port of a workload. */
export function modeForPort(mtls: EffectiveMtls, port: number): MtlsMode {
  return mtls.ports.get(port) ?? mtls.mode;
}

function turnsOff({ spec }: PeerAuthentication): boolean {
  return [spec?.mtls, ...Object.values(spec?.portLevelMtls ?? {})].some((mtls) => mtls?.mode === "DISABLE");
}

function hasSelector({ spec }: PeerAuthentication): boolean {
  return Object.keys(spec?.selector?.matchLabels ?? {}).length > 0;
}

/** Undefined is what inherits. A mode that does not exist inherits too: it must not open what a wider policy closes. */
function modeOf(mtls: { mode?: MutualTlsMode } | undefined): MtlsMode | undefined {
  switch (mtls?.mode) {
    case "DISABLE":
    case "PERMISSIVE":
    case "STRICT":
      return mtls.mode;
    default:
      return undefined;
  }
}
