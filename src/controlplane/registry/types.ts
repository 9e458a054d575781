import type { KubeObject } from "../../resources/types.ts";

/** The kinds that the mesh's configuration is made from. */
export type RegistryKind =
  | "Namespace"
  | "Node"
  | "Service"
  | "EndpointSlice"
  | "Pod"
  | "Secret"
  | "ConfigMap"
  | "PeerAuthentication"
  | "RequestAuthentication"
  | "AuthorizationPolicy"
  | "VirtualService"
  | "DestinationRule"
  | "Gateway"
  | "ServiceEntry"
  | "WorkloadEntry"
  | "WorkloadGroup"
  | "Sidecar"
  | "EnvoyFilter"
  | "ProxyConfig"
  | "Telemetry"
  | "WasmPlugin";

/** What differs between two snapshots. */
export interface RegistryChange {
  readonly kinds: ReadonlySet<RegistryKind>;
  /** `<kind>/<namespace>/<name>`; the namespace is empty for cluster-scoped kinds. */
  readonly keys: ReadonlySet<string>;
}

/** Read access to the plain objects that a snapshot was built from. Never change them: they are shared. */
export interface ObjectReader {
  list(kind: RegistryKind, namespace?: string): readonly KubeObject[];
  get(kind: RegistryKind, name: string, namespace?: string): KubeObject | undefined;
}

/** Keeps a snapshot of everything current from the Kubernetes API. */
export interface Registry {
  /** The newest snapshot; empty until `synced`. */
  current(): import("./snapshot.ts").MeshSnapshot;
  /** Called after each change, at the earliest in the next macrotask, so that a burst of events is one change. */
  onChange(listener: (change: RegistryChange) => void): () => void;
  /** Resolves when every kind has been listed once. */
  readonly synced: Promise<void>;
  stop(): void;
}
