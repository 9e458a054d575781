import type { KubeObject, Pod, WorkloadEntry } from "../../resources/index.ts";
import type { MeshSnapshot } from "./snapshot.ts";

/** The kinds that the mesh's configuration is made from. */
export const REGISTRY_KINDS = [
  "Namespace",
  "Node",
  "Service",
  "EndpointSlice",
  "Pod",
  "Secret",
  "ConfigMap",
  "Deployment",
  "StatefulSet",
  "Ingress",
  "IngressClass",
  "PeerAuthentication",
  "RequestAuthentication",
  "AuthorizationPolicy",
  "VirtualService",
  "DestinationRule",
  "Gateway",
  "ServiceEntry",
  "WorkloadEntry",
  "WorkloadGroup",
  "Sidecar",
  "EnvoyFilter",
  "ProxyConfig",
  "Telemetry",
  "WasmPlugin",
  "TrafficExtension",
] as const;

export type RegistryKind = (typeof REGISTRY_KINDS)[number];

/** What differs between two snapshots. */
export interface RegistryChange {
  readonly kinds: ReadonlySet<RegistryKind>;
  /** `<kind>/<namespace>/<name>` of the objects; the namespace is empty for cluster-scoped kinds. */
  readonly keys: ReadonlySet<string>;
  /** `<namespace>/<hostname>` of services whose endpoints differ. */
  readonly endpoints: ReadonlySet<string>;
  /** `<namespace>/<hostname>` of services whose servers' identities differ: these clusters change too. */
  readonly identities: ReadonlySet<string>;
}

/** Read access to the plain objects behind a snapshot. Never change them: they are shared. */
export interface ObjectReader {
  list(kind: RegistryKind, namespace?: string): readonly KubeObject[];
  get(kind: RegistryKind, name: string, namespace?: string): KubeObject | undefined;
  /** The running pod with this address; pods on the host's network share theirs and are not found. */
  podByAddress(address: string): Pod | undefined;
  /** The workload entries with this address, by namespace and name. */
  workloadsByAddress(address: string): readonly WorkloadEntry[];
}

/** Told of what comes in, for metrics. */
export interface RegistryObserver {
  event(kind: RegistryKind, event: "add" | "update" | "delete"): void;
  /** Endpoints were left out because their pods are not known yet. */
  missingPods(count: number): void;
  /** A snapshot was made: how long its first change waited for it, and how long it took. */
  built(waitedSeconds: number, seconds: number): void;
}

/** Objects that are followed, whether what is known of them can be trusted now, and word of what may have become wrong. */
export interface Followed {
  get(name: string, namespace: string): KubeObject | undefined;
  live(): boolean;
  /** Called when an object has gone, or when the watch was lost. */
  onDoubt(listener: () => void): void;
}

/** Keeps a snapshot of everything current from the Kubernetes API. */
export interface Registry {
  /** The pods that have not failed; absent where objects do not come from an API. */
  readonly pods?: Followed;
  /** The newest snapshot; empty until `synced`. */
  current(): MeshSnapshot;
  /** Called after each change, in a macrotask of its own, so that a burst of events is one change. */
  onChange(listener: (change: RegistryChange) => void): () => void;
  /** Resolves when every kind has been listed once. */
  readonly synced: Promise<void>;
  stop(): void;
}
